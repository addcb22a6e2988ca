"""Predicted boxes against gradients: PyTorch, not our own formulas, says what a unit sees.

One unit of the built network, made linear with positive weights, is backpropagated; where the gradient is not 0, it
sees the input. That region must be the predicted box: every row and column of it, and none beside.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.language.library import bundled_networks
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.receptive.parts import seen_at
from archcalc.receptive.regions import Region, RegionTracer
from tests.bundled import every_network, spec_at
from tests.runtime.probe import Probe, seen_positions


def assert_box(network: Network, name: str, unit: tuple[int, ...]) -> None:
    """The predicted positions are those of the gradient, every one."""
    compare(RegionTracer(network), seen_positions(network, name, unit), name, unit)


def compare(tracer: RegionTracer, seen: dict[str, torch.Tensor], name: str, unit: tuple[int, ...]) -> None:
    """A unit's regions are what gradients see."""
    boxes = {box.source: box for box in tracer.regions(name, unit) if box.has_spatial_path}
    masks = {source: mask for source, mask in seen.items() if mask.any()}
    assert set(masks) == {source for source, box in boxes.items() if box.count}
    for source, mask in masks.items():
        assert torch.equal(mask, predicted(boxes[source])), (name, unit)


def predicted(box: Region) -> torch.Tensor:
    """A region as a mask over the input's positions."""
    mask = torch.zeros([side.extent for side in box.intervals], dtype=torch.bool)
    for sides in box.rectangles:
        mask[torch.meshgrid(*(torch.tensor(sorted(side)) for side in sides), indexing="ij")] = True
    return mask


pytestmark = pytest.mark.usefixtures("one_thread")


# -- operators


def cases():
    for kind, operator in registry().items():
        for number, example in enumerate(operator.examples):
            if operator.category != "attention" and not operator.takes_indices:
                yield pytest.param(kind, example, id=f"{kind}-{number}")


@pytest.mark.parametrize(("kind", "example"), cases())
def test_every_operator_sees_what_it_says(kind, example):
    """At the corners, at the edges and in the middle: also where windows reach into padding."""
    op = registry()[kind](example.inputs, **example.arguments)
    if op.joins and op.linearized() is None and op.x != op.output:
        pytest.skip("which positions it sees depends on the numbers")
    names = tuple(f"x{number}" for number in range(len(op.inputs)))
    network = Network("one", dict(zip(names, op.inputs, strict=True)), (Layer("layer", op, names),), ("layer",))
    axes = RegionTracer(network).axes(network["layer"])
    if not axes:
        pytest.skip("nothing has a place in its output")
    choices = [sorted({0, 1 % op.output[axis], op.output[axis] // 2, op.output[axis] - 1}) for axis in axes]
    for unit in product(*choices):
        assert_box(network, "layer", unit)


# -- every bundled network


def is_convolutional(network: Network) -> bool:
    """Whether it takes one image and has no attention."""
    images = [len(shape) for shape in network.inputs.values()] == [3]
    return images and all(layer.op.category != "attention" for layer in network)


QUICK = (
    *("alexnet", "zfnet", "squeezenet1_1", "bn_inception", "googlenet_torchvision", "resnet18_a", "densenet40_k12"),
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v1_g4", "shufflenet_v2_x0_5"),
    *("efficientnet_b0", "regnet_y_400mf", "ghostnet", "repvgg_a0_deployed", "yolov3_tiny", "dcgan_discriminator"),
)
"""Small networks of many families."""


def spatial_layers(network: Network) -> list[str]:
    rows = network.analyze().rows
    return [row.name for row in rows if None not in row.receptive_field.stride and len(row.output_shape) == 3]


@pytest.mark.parametrize("name", QUICK)
def test_a_network_of_many_families(name):
    """Its last layer with a spatial path, at two units."""
    network = archcalc.load(name)
    layer = spatial_layers(network)[-1]
    for unit in ((0, 0), RegionTracer(network).middle(layer)):
        assert_box(network, layer, unit)


@pytest.mark.parametrize("name", ["bn_inception", "nasnet_a_large", "pnasnet5_large"])
def test_unaligned_joins(name):
    """Bundled networks with joins whose paths disagree: the box there is the hull of both."""
    network = archcalc.load(name)
    join = network.analyze().unaligned[0]
    for unit in ((0, 0), (3, 5), RegionTracer(network).middle(join)):
        assert_box(network, join, unit)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "variant"), bundled_networks(), ids=lambda one: getattr(one, "stem", one))
def test_every_network(path, variant):
    """Five layers and all unaligned joins, at two units; then the last layer on inputs that hold its whole box.

    The large inputs are long in one dimension and short in the other, each in its turn.
    """
    network = spec_at(path).network(variant)
    if not is_convolutional(network):
        pytest.skip("it takes no image, or has attention")
    name = network.name
    analysis = network.analyze()
    layers = spatial_layers(network)
    for layer in {layers[at * (len(layers) - 1) // 4]: None for at in range(5)} | dict.fromkeys(analysis.unaligned):
        for unit in (
            RegionTracer(network).middle(layer),
            tuple(min(1, n - 1) for n in network[layer].output_shape[1:]),
        ):
            assert_box(network, layer, unit)
    field = analysis[layers[-1]].receptive_field
    [(channels, *extents)] = network.inputs.values()
    for axis in (0, 1):
        long = field.size[axis] + 3 * field.stride[axis]
        sided = any(layer.auxiliary for layer in network)  # auxiliary classifiers ask for the size they are made for
        sizes = [extent if sided else min(extent, 160) for extent in extents]
        sizes[axis] = max(extents[axis], -(-long // 32) * 32 + extents[axis] % 32)
        large = archcalc.load(name, input=(channels, *sizes))
        field = large.analyze()[layers[-1]].receptive_field  # an adaptive pool's window grows with the input
        unit = [*RegionTracer(large).middle(layers[-1])]
        unit[axis] = next(at for at in range(1 << 20) if seen_at(field.fields[axis], at)[0] >= 0)
        [box] = RegionTracer(large).regions(layers[-1], unit)
        assert box.intervals[axis].unclipped == box.intervals[axis].clipped
        length = box.intervals[axis].unclipped[1] - box.intervals[axis].unclipped[0] + 1
        assert field.smallest[axis] <= length <= field.size[axis]
        assert_box(large, layers[-1], tuple(unit))


DECODERS = {
    "unet": (1, 220, 220),
    "fpn_resnet50": (3, 100, 100),
    "fcn_resnet50": (3, 65, 65),
    "deeplabv3_resnet50": (3, 97, 97),
    "hrnet_w18": (3, 64, 64),
    "edsr_baseline": (3, 40, 40),
    "espcn": (1, 20, 20),
    "dcgan_generator": (100, 1, 1),
    "yolov3_tiny": (3, 96, 96),
    "retinanet_resnet50": (3, 64, 64),
}
"""Networks that upsample, on inputs that they take; wavenet has one dimension, and is tested beside them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_decoders(name):
    """A layer in the middle of the decoder and the last one: every unit of both axes, and the corners."""
    network = archcalc.load(name, input=DECODERS[name])
    tracer, analysis = RegionTracer(network), network.analyze()
    maps = [
        row.name
        for row in analysis.rows
        if len(row.output_shape) == 3 and None not in row.receptive_field.stride and row.receptive_field.exact
    ]
    for layer in dict.fromkeys((maps[-len(maps) // 8], maps[-1])):
        probe = Probe(network, layer)
        rows, columns = network[layer].output_shape[1:]
        units = {(row, columns // 2) for row in range(rows)} | {(rows // 2, column) for column in range(columns)}
        for unit in sorted(units | {(0, 0), (rows - 1, columns - 1), (0, columns // 3)}):
            compare(tracer, probe.seen(unit), layer, unit)


@pytest.mark.slow
def test_wavenet():
    """Dilated, causal: 3,071 steps of the past, every one of them (van den Oord et al., 2016: 3 stacks of 1 … 512)."""
    network = archcalc.load("wavenet", input=(256, 3500))
    [layer] = network.outputs
    for unit in ((0,), (1700,), (3499,)):
        assert_box(network, layer, unit)
    [box] = RegionTracer(network).regions(layer, (3499,))
    assert box.count == 3071


def test_only_networks_with_attention_and_those_of_no_image_are_left_out():
    assert {network.name for _, network in every_network() if not is_convolutional(network)} == {
        *("swin_t", "swin_s", "swin_b", "swin_v2_t", "swin_v2_s", "swin_v2_b"),
        *("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
        *("coatnet_0", "coatnet_1", "mobilevit_s", "maxvit_t", "detr_resnet50", "ddpm_block"),
        *("bert_base", "gpt2", "llama_7b", "llama3_8b", "tinyllama_1_1b"),
        *("lstm_classifier", "gru_tagger", "seq2seq", "wavenet"),
        *("r3d_18", "mc3_18", "r2plus1d_18", "s3d"),
    }


# -- what has its defined answer


def loads(steps: str, shape: str = "[2, 19, 23]") -> Network:
    return archcalc.loads(f"input: {shape}\nlayers:\n" + "".join(f"  {line}\n" for line in steps.splitlines()))


UNET = """\
- {conv: 4, kernel: 3, padding: 1, name: down1}
- add:
    - []
    - - {max_pool: 2}
      - {conv: 4, kernel: 3, padding: 1}
      - {UP}
- {conv: 4, kernel: 3, padding: 1, name: last}"""

DEFINED = {
    "dilation": "- {conv: 3, kernel: 3, dilation: 3, padding: 3}\n- {conv: 3, kernel: 2, stride: 2}",
    "even kernels, asymmetric padding": "- {conv: 3, kernel: [4, 2], padding: [[1, 2], [0, 1]]}\n"
    "- {conv: 3, kernel: 4, padding: same}\n- {max_pool: 2, padding: 1}",
    "stride above the kernel": "- {conv: 3, kernel: 1, stride: 3}\n- {conv: 3, kernel: 2, padding: [[0, 1], [1, 0]]}",
    "ceil mode": "- {max_pool: 3, stride: 2, ceil_mode: true}\n- {avg_pool: 3, stride: 2, padding: 1, ceil_mode: true}",
    "adaptive pooling": "- {conv: 3, kernel: 3}\n- {adaptive_avg_pool: [5, 4]}\n- {conv: 3, kernel: 3, padding: 1}",
    "cropping": "- {pad: [[-2, 0], [0, -3]]}\n- {conv: 3, kernel: 5, padding: 2}",
    "mirrored padding": "- {pad: [[2, 1], [0, 3]], mode: reflect}\n- {conv: 3, kernel: 2, stride: 2}",
    "repeated padding": "- {pad: 3, mode: replicate}\n- {conv: 3, kernel: 3}",
    "wrapped padding": "- {pad: 2, mode: circular}\n- {conv: 3, kernel: 3}",
    "transposed convolution": "- {conv: 3, kernel: 3, stride: 2}\n- {conv_transpose: 3, kernel: 3, stride: 2}",
    "dilated transposed": "- {conv_transpose: 3, kernel: 3, stride: 3, dilation: 2}\n- {conv: 3, kernel: 2}",
    "nearest upsampling": "- {conv: 3, kernel: 3, stride: 2}\n- {upsample: 3}\n- {conv: 3, kernel: 3, padding: 1}",
    "linear upsampling": "- {conv: 3, kernel: 3, stride: 2}\n- {upsample: 2, mode: bilinear}\n- {conv: 3, kernel: 2}",
    "to a size, corners aligned": "- {upsample: {}, size: [25, 31], mode: bilinear, align_corners: true}".replace(
        "{upsample: {}, ", "{upsample, "
    ),
    "concatenation along space": "- concat:\n    - []\n    - {conv: 2, kernel: 3, padding: 1}\n  axis: 1",
    "channels last": "- {permute: [1, 2, 0]}\n- {linear: 3}\n- layer_norm\n- {permute: [2, 0, 1]}\n"
    "- {conv: 3, kernel: 3}",
    "U-Net, nearest": UNET.replace("{UP}", "{upsample: 2}"),
    "U-Net, linear": UNET.replace("{UP}", "{upsample: 2, mode: bilinear}"),
    "U-Net, transposed": UNET.replace("{UP}", "{conv_transpose: 4, kernel: 2, stride: 2}"),
    "U-Net, odd sizes": UNET.replace("{UP}", "{upsample, size: [input.height * 2 + 1, input.width * 2 + 1]}"),
    "two strides meet": "- concat:\n    - [{max_pool: 2}, {upsample, size: [19, 23]}]\n    - []",
}


@pytest.mark.parametrize("steps", DEFINED.values(), ids=DEFINED)
def test_what_has_its_defined_answer(steps):
    even = "U-Net" in steps or "down1" in steps
    network = loads(steps, "[4, 16, 12]" if even and "size:" not in steps else "[4, 19, 23]" if even else "[2, 19, 23]")
    name = network.outputs[0]
    sizes = network[name].output_shape[1:]
    for unit in product(*({0, 1, n // 2, n - 1} for n in sizes)):
        assert_box(network, name, unit)


def test_a_gate_is_cut_and_seen_apart():
    """Squeeze-and-excitation: the spatial path is its box, and with the gate every position is seen."""
    network = loads("- {conv: 4, kernel: 3}\n- mul: [[], [global_avg_pool, {conv: 4, kernel: 1}, sigmoid]]")
    name, unit = network.outputs[0], (4, 7)
    [box] = RegionTracer(network).regions(name, unit)
    assert (box.is_global, [side.clipped for side in box.intervals]) == (True, [(4, 6), (7, 9)])
    assert_box(network, name, unit)
    assert seen_positions(network, name, unit, gates=True)["input"].all()


def test_global_pooling_leaves_no_spatial_path():
    network = archcalc.load("resnet18")
    [box] = RegionTracer(network).regions("avgpool", (0, 0))
    assert (box.has_spatial_path, box.is_global, box.intervals[0].clipped) == (False, True, (0, 223))
    assert seen_positions(network, "avgpool", (0, 0)) == {}


def test_only_padding_is_seen():
    network = loads("- {conv: 3, kernel: 1, padding: 2}")
    [box] = RegionTracer(network).regions("conv1", (0, 5))
    assert (box.intervals[0].unclipped, box.intervals[0].clipped) == ((-2, -2), None)
    assert not any(mask.any() for mask in seen_positions(network, "conv1", (0, 5)).values())


def test_inputs_that_meet_keep_their_places():
    text = "inputs: {left: [2, 9, 9], right: [2, 9, 9]}\nlayers:\n"
    text += "  - add:\n      - {conv: 2, kernel: 3, padding: 1, from: left}\n      - {identity, from: right}\n"
    text += "  - {conv: 2, kernel: 3}\n"
    network = archcalc.loads(text)
    left, right = RegionTracer(network).regions("conv2", (2, 4))
    assert [side.clipped for side in left.intervals] == [(1, 5), (3, 7)]
    assert [side.clipped for side in right.intervals] == [(2, 4), (4, 6)]
    assert_box(network, "conv2", (2, 4))


layers = st.lists(
    st.one_of(
        st.builds(
            "{{conv: 2, kernel: {}, stride: {}, padding: [[{}, {}]], dilation: {}}}".format,
            *(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3)),
        ),
        st.builds("{{max_pool: {}, stride: {}, ceil_mode: true}}".format, st.integers(1, 4), st.integers(1, 3)),
        st.builds("{{upsample: {}}}".format, st.integers(1, 3)),
        st.builds("{{upsample: {}, mode: bilinear}}".format, st.integers(1, 3)),
        st.builds(
            "{{conv_transpose: 2, kernel: {}, stride: {}, dilation: {}}}".format,
            *(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
        ),
        st.builds("{{adaptive_avg_pool: {}}}".format, st.integers(2, 9)),
        st.builds(
            "{{pad: [[{}, {}]], mode: {}}}".format,
            st.integers(-1, 2),
            st.integers(-1, 2),
            st.sampled_from(("constant", "reflect", "replicate", "circular")),
        ),
        st.builds(
            "add: [[{{conv: 2, kernel: 3, padding: 1, dilation: {}}}, {{slice, axis: 1, stop: 3}}], "
            "[{{slice, axis: 1, start: -3}}]]".format,
            st.integers(1, 1),
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(layers, st.integers(8, 40), st.data())
def test_any_chain(steps, size, data):
    """Any layers one after another, at any unit."""
    text = f"input: [2, {size}]\nlayers:\n" + "".join(f"  - {step}\n" for step in steps)
    try:
        network = archcalc.loads(text)
    except archcalc.SpecError:
        return  # too small for such windows
    last = network.layers[-1]
    unit = data.draw(st.integers(0, last.output_shape[1] - 1))
    assert_box(network, last.name, (unit,))
