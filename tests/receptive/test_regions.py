"""Regions by hand, and joins whose paths disagree; tests/runtime/test_probe.py compares regions with gradients."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.receptive.alignment import misalignments
from archcalc.receptive.regions import RegionTracer


def region(text: str, unit: tuple[int, ...], name: str | None = None):
    network = archcalc.loads(text)
    return RegionTracer(network).regions(name or network.outputs[0], unit)[0]


# Araujo, Norris, Sim, Distill 2019: the library's README takes Inception-ResNet v2 (size 3039, stride 32, padding
# 1482) and says that the feature at [0, 2] has its center at [37, 101].
def test_the_center_of_the_articles_example():
    network = archcalc.load("inception_resnet_v2")
    [found] = RegionTracer(network).regions("conv2d_7b.relu1", (0, 2))
    assert [sum(side.unclipped) / 2 for side in found.intervals] == [37, 101]


def test_equal_sizes_with_different_centers():
    """An even kernel pads before or after: PyTorch, TensorFlow and Caffe differ, which only the center shows."""
    before, after = (
        region(f"input: [1, 9]\nlayers: [{{conv: 1, kernel: 2, padding: [[{pad}]]}}]", (4,)) for pad in ("1, 0", "0, 1")
    )
    assert [one.intervals[0].unclipped for one in (before, after)] == [(3, 4), (4, 5)]


def test_rows_and_columns_are_independent():
    found = region("input: [1, 9, 9]\nlayers: [{conv: 1, kernel: [3, 1], padding: [1, 0], stride: [1, 2]}]", (4, 3))
    assert [side.unclipped for side in found.intervals] == [(3, 5), (6, 6)]


def test_only_the_unclipped_interval_reaches_into_padding():
    found = region("input: [1, 9]\nlayers: [{conv: 1, kernel: 5, padding: 2}]", (1,))
    assert (found.intervals[0].unclipped, found.intervals[0].clipped) == ((-1, 3), (0, 3))


def test_padding_of_a_later_layer_is_not_the_input_again():
    """Position 2 of the crop is its last; the next window's third tap is padding, though the input goes on."""
    text = "input: [1, 9]\nlayers: [{slice, axis: 1, stop: 3}, {conv: 1, kernel: 3, padding: 1}]"
    assert (region(text, (2,)).intervals[0].unclipped, region(text, (2,)).intervals[0].clipped) == ((1, 3), (1, 2))


def test_dilation_leaves_holes():
    found = region("input: [1, 9]\nlayers: [{conv: 1, kernel: 3, dilation: 2}]", (1,))
    [interval] = found.intervals
    assert (interval.clipped, sorted(interval.seen), interval.holes) == ((1, 5), [1, 3, 5], True)


def test_unknown_units_are_refused():
    tracer = RegionTracer(archcalc.load("lenet5"))
    with pytest.raises(ValueError, match=r"conv1 has no position 28 along this axis\nhelp: positions run from 0 to 27"):
        tracer.regions("conv1", (28, 0))
    with pytest.raises(ValueError, match=r"conv1 \(output 6×28×28\) has 2 spatial positions, not 1"):
        tracer.regions("conv1", (28,))
    with pytest.raises(KeyError, match="did you mean 'conv1"):
        tracer.regions("cnov1", (0, 0))


# -- where paths disagree


def joins(network):
    return misalignments(network, RegionTracer(network).propagation)


def test_an_input_too_long_to_be_traced_is_refused():
    tracer = RegionTracer(archcalc.loads(f"input: [3, {10**20}, 9]\nlayers: [{{conv: 4, kernel: 3, name: a}}]\n"))
    with pytest.raises(UserError, match=r"axes of at most 16,777,216, got 100,000,000,000,000,000,000"):
        tracer.regions("a", tracer.middle("a"))


def test_a_pool_without_padding_beside_a_convolution_with():
    """BN-Inception's reductions: Caffe's pool begins at 0, the parallel 3×3 convolution at −1."""
    [join] = joins(archcalc.load("bn_inception"))
    assert (join.join, join.fork) == ("inception3c.concat1", "inception3b.concat1")
    convolutions, pool = join.routes
    assert convolutions.layers == ("inception3c.three.reduce.conv", "inception3c.three.conv.conv")
    assert pool.layers == ("inception3c.pool",)
    ahead = sum(pool.field[0].at(0)) - sum(convolutions.field[0].at(0))
    assert ahead / 2 == 8  # one position of a map with stride 8


def test_a_shift_by_one_in_nasnet():
    """The factorized reduction: one path takes even pixels, the other odd pixels."""
    assert [join.join for join in joins(archcalc.load("nasnet_a_large"))] == ["cell_stem_1.concat1", "cell_0.concat1"]


UNET = """\
input: [4, 16, 16]
layers:
  - add:
      - []
      - - {conv: 4, kernel: KERNEL, stride: 2, padding: PADDING, name: down}
        - {UP, name: up}
    name: skip
"""


def test_an_unaligned_unet_names_the_join_and_both_paths():
    """Nearest upsampling shifts the center: two pixels have the same field, while the skip's fields differ."""
    [join] = joins(archcalc.loads(UNET.replace("KERNEL", "3").replace("PADDING", "1").replace("UP", "upsample: 2")))
    assert (join.join, join.fork) == ("skip", "input")
    assert [route.layers for route in join.routes] == [(), ("down", "up")]


def test_a_unet_may_be_aligned():
    """A window of 3 at stride 2, followed by its transpose, keeps every center: neighbors see 3 and 5 positions."""
    up = "conv_transpose: 4, kernel: 3, stride: 2, padding: 1, output_padding: 1"
    assert joins(archcalc.loads(UNET.replace("KERNEL", "3").replace("PADDING", "1").replace("UP", up))) == []


def test_centers_are_compared_unit_by_unit():
    """A window of 4 and its transpose: 6 positions each, half a position to the left of the skip's and to the right."""
    up = "conv_transpose: 4, kernel: 4, stride: 2, padding: 1"
    [join] = joins(archcalc.loads(UNET.replace("KERNEL", "4").replace("PADDING", "1").replace("UP", up)))
    _, path = join.routes
    assert [path.field[0].at(unit) for unit in (0, 1)] == [(-3, 2), (-1, 4)]


def test_paths_that_differ_in_stride():
    """A pooled and a cropped feature map: a unit's region is the union of its two regions, not of the formula's."""
    text = "input: [4, 12]\nlayers:\n  - concat: [{max_pool: 2}, {slice, axis: 1, stop: 6}]\n"
    network = archcalc.loads(text)
    [join] = joins(network)
    assert [route.field[0].jump for route in join.routes] == [2, 1]
    [found] = RegionTracer(network).regions(join.join, (5,))
    assert (found.intervals[0].clipped, sorted(found.intervals[0].seen)) == ((5, 11), [5, 10, 11])
