"""Fields of every unit: decoders with known values, the algebra's limits, random networks against gradients.

Sizes that cite no paper are hulls of gradients, measured on the built network with positive weights at every unit that
sees no padding.
"""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.ops.reads import MOST_RESIDUES, interpolated, repeated, window
from archcalc.receptive.parts import ITSELF, Part, join, seen_at, through
from archcalc.receptive.reach import first_to_see_all, smallest_input
from archcalc.receptive.regions import RegionTracer
from tests.receptive.random_networks import Maker, difference


def loads(steps: str, shape: str = "[1, 64, 64]", **settings):
    return archcalc.loads(f"input: {shape}\nlayers:\n{steps}", **settings)


UP2 = """
  - {conv: 4, kernel: 3, stride: 2, padding: 1, name: c1}
  - {conv: 4, kernel: 3, stride: 2, padding: 1, name: c2}
  - {upsample: 2, name: up}
  - {conv: 4, kernel: 3, padding: 1, name: c3}
"""


def test_neighbors_see_intervals_by_turns():
    """`up` sees 7 and `c3` 11 at every unit: that of unit 2q begins 7 before 4q, that of unit 2q + 1 3 before it."""
    analysis = loads(UP2).analyze()
    assert [analysis[name].receptive_field.size for name in ("up", "c3")] == [(7, 7), (11, 11)]
    field = analysis["c3"].receptive_field
    assert (field.stride, field.padding, field.center) == ((2, 2), (None, None), (None, None))
    [part] = field.fields[0]
    assert part == Part(4, (-7, -3), (3, 7))


UNET = """
  - {double: W, name: e1}
  - {max_pool: 2}
  - {double: W, name: e2}
  - {max_pool: 2}
  - {double: W, name: e3}
  - {max_pool: 2}
  - {double: W, name: mid}
  - {UP, name: u3}
  - {concat, from: [e3, u3]}
  - {double: W, name: d3}
  - {UP, name: u2}
  - {concat, from: [e2, u2]}
  - {double: W, name: d2}
  - {UP, name: u1}
  - {concat, from: [e1, u1]}
  - {double: W, name: d1}
"""
DOUBLE = """
blocks:
  double:
    params: {c: required}
    layers: [{conv: c, kernel: 3, padding: 1, name: one}, {conv: c, kernel: 3, padding: 1, name: two}]
"""


@pytest.mark.parametrize("up", ["upsample: 2", "conv_transpose: 4, kernel: 2, stride: 2"])
def test_a_unet(up):
    """Units see 92 or 100 positions, learned or not; never 109 or 103, which bounds say."""
    steps = UNET.replace("W", "4").replace("UP", up)
    analysis = archcalc.loads(f"input: [1, 128, 128]\n{DOUBLE}layers:{steps}").analyze()
    sizes = {name: analysis[f"{name}.two"].receptive_field for name in ("mid", "d3", "d2", "d1")}
    assert [(one.smallest[0], one.size[0]) for one in sizes.values()] == [(68, 68), (84, 84), (92, 92), (92, 100)]
    [part] = sizes["d1"].fields[0]
    lengths = [last - first + 1 for first, last in zip(part.first, part.last, strict=True)]
    assert lengths == [92, 92, 100, 100, 100, 100, 92, 92]


def test_a_published_unet():
    """Ronneberger, Fischer and Brox, 2015: 572 to 388, without padding."""
    analysis = archcalc.load("unet").analyze()
    field = analysis[archcalc.load("unet").outputs[0]].receptive_field
    assert (field.smallest, field.size) == ((188, 188), (204, 204))


VNET = """
  - {convs: 16, n: 1, name: l1}
  - {conv: 32, kernel: 2, stride: 2, name: down1}
  - {convs: 32, n: 2, name: l2}
  - {conv: 64, kernel: 2, stride: 2, name: down2}
  - {convs: 64, n: 3, name: l3}
  - {conv: 128, kernel: 2, stride: 2, name: down3}
  - {convs: 128, n: 3, name: l4}
  - {conv: 256, kernel: 2, stride: 2, name: down4}
  - {convs: 256, n: 3, name: l5}
  - {conv_transpose: 128, kernel: 2, stride: 2, name: up4}
  - {concat, from: [l4, up4]}
  - {convs: 256, n: 3, name: r4}
  - {conv_transpose: 64, kernel: 2, stride: 2, name: up3}
  - {concat, from: [l3, up3]}
  - {convs: 128, n: 3, name: r3}
  - {conv_transpose: 32, kernel: 2, stride: 2, name: up2}
  - {concat, from: [l2, up2]}
  - {convs: 64, n: 2, name: r2}
  - {conv_transpose: 16, kernel: 2, stride: 2, name: up1}
  - {concat, from: [l1, up1]}
  - {convs: 32, n: 1, name: r1}
"""
CONVS = """
blocks:
  convs:
    params: {c: required, n: required}
    layers: [{conv: c, kernel: 5, padding: 2, repeat: n}]
"""


def test_the_published_bound():
    """Milletari, Navab and Ahmadi, V-Net, 2016, Table 1: 5 … 551. From R4 on units see less: 468 … 548."""
    analysis = archcalc.loads(f"input: [1, 128, 128, 64]\n{CONVS}layers:{VNET}").analyze()
    stages = ("l1", "l2", "l3", "l4", "l5", "r4", "r3", "r2", "r1")
    last = {row.name.split(".")[0]: row for row in analysis.rows}
    assert [last[stage].field_bound[0] for stage in stages] == [5, 22, 72, 172, 372, 476, 528, 546, 551]
    fields = [last[stage].receptive_field for stage in stages]
    assert [one.size[0] for one in fields] == [5, 22, 72, 172, 372, 468, 516, 532, 548]
    assert fields[-1].smallest[0] == 532
    [box] = RegionTracer(analysis.network).regions("r4.2", (8, 8, 4))
    assert box.intervals[0].unclipped == (-162, 305)


def test_bounds_are_facts(cli, spec_file):
    """In assertions, columns and closed forms."""
    path = spec_file(f"input: [1, 64, 64]\nlayers:{UP2}")
    assert cli("budget", path, "rf == 11", "rf_bound == 13").code == 0
    assert "13" in cli("table", path, "--columns", "name,rf,rf_bound").out


PIXEL = """
  - {conv: 64, kernel: 5, padding: 2}
  - {conv: 32, kernel: 3, padding: 1}
  - {conv: 9, kernel: 3, padding: 1}
SHUFFLE
  - {conv: 1, kernel: 3, padding: 1, name: after}
"""
SPELLED = """\
  - {reshape: [1, 3, 3, 32, 32]}
  - {permute: [0, 3, 1, 4, 2]}
  - {reshape: [1, 96, 96], name: shuffle}"""


@pytest.mark.parametrize("shuffle", ["  - {pixel_shuffle: 3, name: shuffle}", SPELLED], ids=["operator", "spelled out"])
def test_a_pixel_shuffle(shuffle):
    """ESPCN: 9 positions and a stride of 1/3 after the shuffle; then 10, 9 or 10, by the unit's place."""
    network = loads(PIXEL.replace("SHUFFLE", shuffle), "[1, 32, 32]")
    analysis = network.analyze()
    field = analysis["shuffle"].receptive_field
    assert (field.size, [float(step) for step in field.stride]) == ((9, 9), [1 / 3, 1 / 3])
    [part] = analysis["after"].receptive_field.fields[0]
    assert part == Part(1, (-5, -4, -4), (4, 4, 5))
    [box] = RegionTracer(network).regions("after", (47, 46))
    assert [side.clipped for side in box.intervals] == [(11, 20), (11, 19)]


PATCHES = """
  - {reshape: [3, 4, 8, 4, 8]}
  - {permute: [1, 3, 0, 2, 4]}
  - {reshape: [16, 192], name: patches}
  - {linear: 64, name: embedding}
"""


def test_patches():
    """A vision transformer's patches, spelled out: token (1, 2) of 4×4 sees rows 8 to 15 and columns 16 to 23."""
    network = loads(PATCHES, "[3, 32, 32]")
    field = network.analyze()["embedding"].receptive_field
    assert (field.size, field.stride, field.is_global) == ((8, 8), (8, 8), False)
    [box] = RegionTracer(network).regions("embedding", (6,))
    assert [side.clipped for side in box.intervals] == [(8, 15), (16, 23)]


WINDOWS = """
  - {conv: 8, kernel: 3, padding: 1}
  - {reshape: [8, 2, 4, 3, 4]}
  - {permute: [1, 3, 2, 4, 0]}
  - {reshape: [6, 16, 8], name: windows}
  - {scaled_dot_product_attention, from: [windows, windows, windows]}
  - {reshape: [2, 3, 4, 4, 8]}
  - {permute: [4, 0, 2, 1, 3]}
  - {reshape: [8, 8, 12], name: map}
"""


def test_attention_in_windows_spelled_out():
    """Every position sees its window of 4×4, through a 3×3 window: 6×6 positions, none of them global."""
    network = loads(WINDOWS, "[8, 8, 12]")
    field = network.analyze()["map"].receptive_field
    assert (field.size, field.is_global, field.exact) == ((6, 6), False, True)
    [box] = RegionTracer(network).regions("map", (5, 4))
    assert [side.clipped for side in box.intervals] == [(3, 7), (3, 8)]


@pytest.mark.parametrize("shift", [0, 2])
def test_attention_in_windows(shift):
    """Swin's windows against gradients of the built operator, with random weights: shifted ones are masked."""
    steps = f"\n  - {{permute: [1, 2, 0]}}\n  - {{window_attention: 2, window: 4, shift: {shift}, name: it}}"
    network = loads(steps, "[8, 10, 12]")
    torch.manual_seed(0)
    module = archcalc.build(network).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 8, 10, 12, dtype=torch.float64, requires_grad=True)
    for unit in ((0, 0), (1, 5), (5, 3), (9, 11)):
        gradient = torch.autograd.grad(module(x)[0, unit[0], unit[1]].sum(), x)[0][0].abs().sum(0)
        seen = (gradient > 1e-12 * gradient.amax()).nonzero().tolist()
        [box] = RegionTracer(network).regions("it", unit)
        [(rows, columns)] = box.rectangles
        assert seen == [[row, column] for row in sorted(rows) for column in sorted(columns)], unit


HWC = """
  - {permute: [2, 0, 1]}
  - {conv: 4, kernel: 3, stride: 2, padding: 1}
  - {conv: 4, kernel: [3, 5], padding: [1, 2], dilation: 2}
  - {upsample: 2, name: it}
"""


def test_the_names_of_an_input_say_which_axes_are_dimensions():
    """Channels last is channels first, with a permutation: sizes, regions, and what share of them is seen."""
    found = []
    for shape, steps in (
        ("{height: 20, width: 24, channels: 3}", HWC),
        ("[3, 20, 24]", HWC.replace("permute: [2, 0, 1]", "identity")),
    ):
        network = loads(steps, shape)
        regions = RegionTracer(network).regions("it", (9, 10))
        found.append((network.analyze()["it"].receptive_field, regions))
    assert found[0] == found[1]
    [box] = found[0][1]
    assert box.share < 1


def test_a_region_may_have_holes_and_need_not_fill_a_rectangle():
    """A dilated window sees every second row and column; a column and a row of windows together see a cross."""
    dilated = loads("\n  - {conv: 1, kernel: 3, dilation: 2, padding: 2, name: it}", "[1, 9, 9]")
    [box] = RegionTracer(dilated).regions("it", (4, 4))
    assert (box.count, box.box, box.rectangles) == (9, 25, ((frozenset({2, 4, 6}),) * 2,))
    cross = loads(
        "\n  - add:\n    - - {conv: 1, kernel: [5, 1], padding: same}\n"
        "    - - {conv: 1, kernel: [1, 5], padding: same}\n    name: it",
        "[1, 9, 9]",
    )
    [box] = RegionTracer(cross).regions("it", (4, 4))
    assert (box.count, box.box, box.share) == (9, 25, 9 / 25)


def test_a_path_that_sees_nothing_along_one_axis_sees_nothing():
    """Between the inputs of a transposed convolution along columns, no row is seen either: 3 positions, not 3 and 5."""
    steps = (
        "\n  - add:\n    - - {conv: 1, kernel: [3, 1], padding: [1, 0]}\n"
        "    - - {conv: 1, kernel: [5, 1], padding: [2, 0], stride: [1, 2]}\n"
        "      - {conv_transpose: 1, kernel: 1, stride: [1, 2], output_padding: [0, 1]}\n    name: it"
    )
    network = loads(steps, "[1, 9, 10]")
    rows = [RegionTracer(network).regions("it", (4, column))[0].intervals[0] for column in (4, 5)]
    assert [side.unclipped for side in rows] == [(2, 6), (3, 5)]
    assert network.analyze()["it"].receptive_field.smallest[0] == 3


def test_maps_laid_end_to_end_are_a_bound():
    """Unit 0 of a concatenation along rows sees 1 row and the last one 5; the formula holds both, and says so."""
    steps = "\n  - concat: [[], [{conv: 1, kernel: 5, padding: 2}]]\n    axis: 1\n    name: it"
    network = loads(steps, "[1, 9, 9]")
    field = network.analyze()["it"].receptive_field
    assert not field.exact
    regions = [RegionTracer(network).regions("it", (row, 4))[0].intervals[0].clipped for row in (0, 13)]
    assert regions == [(0, 0), (2, 6)]


def test_a_long_period_becomes_a_bound():
    """Resizes in a row may repeat only after more positions than there are; the bound holds what every unit sees."""
    exact, field = [], ITSELF
    for n, m in ((89, 97), (97, 101), (101, 103)):
        exact.append(interpolated(n, m))
        field = through(field, exact[-1])
    [part] = field
    assert part.exact or part.period == 1
    for unit in range(103):
        seen = {unit}
        for reads in reversed(exact):
            seen = {tap for place in seen for tap in reads.at(place)}
        first, last = seen_at(field, unit)
        assert first <= min(seen) <= max(seen) <= last


def test_a_bound_holds_what_it_stands_for():
    part = Part(4, (-7, -3), (3, 7))
    bound = part.bound()
    assert (bound.period, bound.exact) == (1, False)
    for unit in range(10):
        assert bound.at(unit)[0] <= part.at(unit)[0] <= part.at(unit)[1] <= bound.at(unit)[1]


def test_the_longest_period():
    """One residue more than are followed makes a bound; so do two patterns that together are longer."""
    long = Part(1, tuple(range(MOST_RESIDUES)), tuple(range(MOST_RESIDUES)))
    assert long.through(window(3)).exact
    assert not long.through(repeated(2)).exact
    one, other = (Part(period, (0, *range(1, period)), (1, *range(1, period))) for period in (64, 65))
    [joined] = join((one,), (other,))
    assert not joined.exact
    assert seen_at((joined,), 64)[0] <= 64 <= 65 <= seen_at((joined,), 64)[1]


def test_up_and_down_again_is_period_1():
    assert through(through(ITSELF, repeated(2)), window(1, 2)) == ITSELF
    [part] = through(through(ITSELF, repeated(3)), window(3, 3))
    assert part == Part(1, (0,), (0,))


def test_the_input_that_holds_a_field():
    """Unit 7 of resnet50's last layer begins at 32·7 − 213 = 11 and ends at 437: 438 rows hold it, 437 no unit's."""
    analysis = archcalc.load("resnet50").analyze()
    field = analysis["layer4.2.relu3"].receptive_field
    assert smallest_input(field, (7, 7)) == (32 * 7 - 213 + 427,) * 2
    for size, sees_padding in ((438, False), (437, True)):
        network = archcalc.load("resnet50", input=(3, size, size))
        tracer = RegionTracer(network)
        regions = [tracer.regions("layer4.2.relu3", (unit, unit))[0].intervals[0] for unit in range(14)]
        assert all(side.clipped != side.unclipped for side in regions) == sees_padding


def test_the_first_layer_that_sees_all():
    """Sizes 235 and then 267 (layer3.5, as published): unit 6 sees −21 … 213 before, and −37 … 229 with the larger."""
    network = archcalc.load("resnet50")
    tracer = RegionTracer(network)
    first = first_to_see_all(tracer, network.layers)
    assert first.name == "layer3.5.conv2"
    [box] = tracer.regions(first.name, tracer.middle(first.name))
    assert box.count == 224 * 224
    before = network.layers[[layer.name for layer in network.layers].index(first.name) - 1]
    [box] = tracer.regions(before.name, tracer.middle(before.name))
    assert box.count < 224 * 224


@pytest.mark.parametrize("seed", [*range(24), 77_001_428])
def test_random_networks(seed):
    """`python -m tests.receptive.random_networks` compares more, and found the last one.

    Two paths that move against each other, and a unit of one that sees nothing: sizes are those of every unit.
    """
    network = Maker(seed).network()
    assert difference(network, seed) is None
