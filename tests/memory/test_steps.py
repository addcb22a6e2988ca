"""Operators that PyTorch runs as several steps: in other layouts, frozen, or beside other uses of their inputs."""

from itertools import product

import pytest

import archcalc
from tests.memory.comparing import compare

TRAINED = ["", ", trainable: false"]
TURNED = "{permute: [1, 0, 2]}, {linear: 6}, {permute: [1, 0, 2]}"
"""Rows of features lie outside of channels."""


@pytest.mark.parametrize("after", ["relu", "{add: null, from: [t, x]}"])
@pytest.mark.parametrize("before", ["{linear: 6}", TURNED, "{permute: [2, 1, 0]}, {conv: 4, kernel: 1}", "relu"])
@pytest.mark.parametrize("layer", ["", ", interleaved: true", ", width: 4", ", interleaved: true, width: 2"])
def test_rotary_positions(layer, before, after):
    """Where only some numbers are turned, the gradient comes in two parts, and may meet one that waits."""
    layers = f"[{before}, {{identity: null, name: x}}, {{rotary: null{layer}, name: t}}, {after}]"
    compare(f"input: [4, 4, 6]\nlayers: {layers}", 2)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("layer", ["", ", interleaved: true, width: 2"])
def test_tables_of_rotary_positions_are_cast(layer, dtype):
    compare(f"input: [4, 4, 6]\nlayers: [{{linear: 6}}, {{rotary: null{layer}}}, relu]", 2, dtype)


IMAGES = {
    "given": "{identity, from: x, name: a}",
    "convolved": "{conv: 4, kernel: 1, from: x, name: a}",
    "channels last": "{permute: [1, 2, 0], from: x}, {linear: 4}, {permute: [2, 0, 1], name: a}",
    "a part": "{slice: 0, stop: 4, from: x, name: a}",
}
FILTERS = {
    "given": "{identity, from: f, name: g}",
    "scaled": "{layer_scale, from: f, name: g}",
    "one for all": "{parameter: [6, 2, 3, 3], from: f, name: g}",
    "frozen": "{parameter: [6, 2, 3, 3], from: f, name: g, trainable: false}",
    "turned": "{permute: [3, 2, 1, 0], from: f}, {linear: 6}, {permute: [3, 2, 1, 0], name: g}",
}


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("image", IMAGES)
def test_computed_filters(image, filters):
    for bias, padding in (("false", "1"), ("true", "[[0, 1], [2, 0]]"), ("true, trainable: false", "0")):
        layer = f"{{dynamic_conv: null, groups: 2, bias: {bias}, padding: {padding}, from: [a, g]}}"
        layers = f"[{IMAGES[image]}, {FILTERS[filters]}, {layer}, cos]"
        compare(f"inputs: {{x: [4, 5, 6], f: [6, 2, 3, 3]}}\nlayers: {layers}", 2)


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", ["[[0, 1], [1, 0]]", "1", "0"])
def test_padded_convolutions(padding, mode, trained):
    layer = f"conv: 4, kernel: [2, 2], padding: {padding}, padding_mode: {mode}{trained}"
    for before in ("", "{conv: 4, kernel: 1}, ", "{permute: [1, 2, 0]}, {linear: 4}, {permute: [2, 0, 1]}, "):
        compare(f"input: [4, 4, 4]\nlayers: [{before}{{{layer}}}, relu]", 2)
        if padding.startswith("[["):
            compare(f"input: [4, 4, 4]\nlayers: [{before}{{concat: [[{{{layer}}}], []]}}, {{concat: [[], relu]}}]", 2)


ORDERS = ["{permute: [1, 0, 2]}", "{permute: [2, 1, 0]}", "{permute: [0, 2, 1]}"]
PARTS = ["{slice: 0, start: -2}, {slice: 0, stop: 1}", "{slice: 1, start: 1}", "{slice: 2, start: 1, stop: 2}"]


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("before", [*ORDERS, *PARTS])
def test_linear_layers_of_rows_that_do_not_lie_in_order(before, trained):
    """The bias is added by a step of its own; frozen, every sample may have a product of its own."""
    for first, bias in product(["relu", "{linear: 6}"], ["true", "false"]):
        layer = f"{{linear: 8, bias: {bias}{trained}}}"
        layers = f"[{first}, {before}, {layer}, {{permute: [1, 0, 2]}}, {{linear: 3}}]"
        compare(f"input: [4, 5, 6]\nlayers: {layers}", 2)


@pytest.mark.parametrize("after", ["relu", "{add: null, from: [n, x]}"])
@pytest.mark.parametrize("trained", ["", ", affine: false", ", trainable: false"])
@pytest.mark.parametrize("before", ["relu", "{linear: 6}", TURNED, "{permute: [2, 0, 1]}", "{slice: 1, start: 1}"])
def test_rms_norm(before, trained, after):
    """The result is copied in order, unless it is channels last; the gradient comes in two parts."""
    layers = f"[{before}, {{sigmoid: null, name: x}}, {{rms_norm: null{trained}, name: n}}, {after}]"
    compare(f"input: [4, 4, 6]\nlayers: {layers}", 2)


def test_rms_norm_of_windows_that_overlap():
    layers = "[{sliding_windows: 4, step: 4, axis: -2}, {rms_norm: null, affine: false}]"
    compare(f"input: [4, 8, 8]\nlayers: {layers}", 1)


POOLS = [
    *("avg_pool: 2", "max_pool: 2", "adaptive_avg_pool: 2", "adaptive_max_pool: 2", "adaptive_avg_pool: 1"),
    *("global_avg_pool: null", "global_max_pool: null", "upsample: null, size: 7, mode: area"),
    "max_pool: 3, padding: same",
]


@pytest.mark.parametrize("after", ["flatten, {linear: 3}", "{permute: [1, 0]}, {linear: 3}"])
@pytest.mark.parametrize("pool", POOLS)
def test_pools_of_sequences_keep_the_channels_innermost(pool, after):
    """PyTorch takes a sequence for an image of one row."""
    for first in ("relu", "{linear: 4}"):
        for before in ("{permute: [1, 0]}", "{permute: [1, 0]}, {linear: 4}, {permute: [1, 0]}, relu"):
            compare(f"input: [4, 4]\nlayers: [{first}, {before}, {{{pool}}}, {after}]", 2)


def test_what_every_sample_has_keeps_its_order_in_a_batch_of_one():
    bias = "{relative_position_bias: 4, size: 3, stored: false, name: r}, {add: null, from: [r, r]}"
    for batch in (1, 2):
        compare(f"input: [9]\nlayers: [{bias}, {{instance_norm: null, affine: false}}, relu]", batch)


SHAPES = {
    "no heads": ("[7, 6]", "[5, 6]", "[5, 4]", "[7, 5]"),
    "no heads, all alike": ("[7, 6]", "[7, 6]", "[7, 6]", "[7, 7]"),
    "heads": ("[4, 7, 6]", "[4, 5, 6]", "[4, 5, 3]", "[1, 7, 5]"),
    "groups": ("[6, 7, 4]", "[2, 5, 4]", "[2, 5, 3]", "[6, 7, 5]"),
    "groups of four axes": ("[2, 6, 7, 4]", "[2, 2, 5, 4]", "[2, 2, 5, 4]", "[1, 6, 1, 5]"),
    "four axes, all alike": ("[2, 3, 7, 4]", "[2, 3, 7, 4]", "[2, 3, 7, 4]", "[2, 3, 7, 7]"),
}
NEEDS = ["0000", "1111", "1000", "0100", "0010", "0001"]
"""Of queries, keys, values and a mask, whether each needs a gradient."""


@pytest.mark.parametrize("kind", ["causal: true", "causal: false", "mask"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_attention_without_a_fused_kernel(shapes, kind):
    """Grouped, causal, with a mask, of two to four axes: whichever of the inputs need a gradient."""
    names = "qkvm" if kind == "mask" else "qkv"
    inputs = ", ".join(f"{name}: {shape}" for name, shape in zip("qkvm", SHAPES[shapes], strict=True) if name in names)
    taken = [f"{name}1" for name in names]
    others = [["q1", "q1", *taken[2:]], ["q1", "k1", "q1", *taken[3:]]] if "alike" in shapes else []
    said = "causal: false" if kind == "mask" else kind
    runs = [(needs, taken) for needs in NEEDS] + [("1111", source) for source in others]
    for needs, source in runs:
        before = ", ".join(
            f"{{{('identity', 'layer_scale')[int(need)]}: null, from: {name}, name: {name}1}}"
            for name, need in zip(names, needs, strict=False)
        )
        layer = f"{{scaled_dot_product_attention: null, {said}, from: [{', '.join(source)}]}}"
        compare(f"inputs: {{{inputs}}}\nlayers: [{before}, {layer}, cos]", 2)


@pytest.mark.parametrize("names", ["aab", "aba", "baa", "abb", "aaa"])
@pytest.mark.parametrize("after", ["{add: null, from: [att, a]}", "{concat: null, from: [att, a, b]}"])
def test_attention_between_tensors_with_other_uses(names, after):
    """Values that are also queries are turned on their own; their gradient may meet one that waits."""
    layer = f"{{multi_head_attention: 2, from: [{', '.join(names)}], name: att}}"
    compare(
        f"input: [5, 6]\nlayers: [{{linear: 6, name: a}}, {{linear: 6, name: b, from: input}}, {layer}, {after}]", 2
    )


@pytest.mark.parametrize("keep", ["", ", keep_dims: true"])
@pytest.mark.parametrize("axes", ["-1", "0", "[0, 2]", "1"])
def test_the_gradient_of_a_mean_lies_as_that_of_its_output(axes, keep):
    """In another order, the linear layer before it copies its gradient."""
    after = "{reshape: [-1, 2]}, {permute: [1, 0]}, {linear: 8}, {permute: [1, 0]}, {linear: 3}"
    compare(f"input: [4, 6, 2, 5]\nlayers: [{{linear: 8}}, {{mean: {axes}{keep}}}, {after}]", 2)
    attention = "{scaled_dot_product_attention: null, from: [mean1, mean1, mean1]}"
    compare(f"input: [3, 8, 8, 2]\nlayers: [{{linear: 8}}, {{mean: -1{keep}}}, {attention}, elu]", 2)


def test_layers_that_no_output_needs():
    """Autograd saves for them what it saves for others, until their outputs are freed."""
    layers = "[{conv: 4, kernel: 1, name: a}, {lstm: 3, from: input, name: b}, {linear: 2, from: b}, {relu, from: a}]"
    network = archcalc.loads(f"input: [5, 8]\nlayers: {layers}\n")
    assert network.needless == {"b", "linear1"}
    for batch in (1, 2):
        compare(network, batch)
