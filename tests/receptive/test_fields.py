"""Receptive fields against published figures and the article's formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.receptive.fields import FieldPropagation

PUBLISHED = [
    # network, layer, size, stride, padding: Araujo, Norris, Sim, Distill 2019, and torchvision's by gradients
    ("alexnet_2012", "pool5", 195, 32, 0),
    ("alexnet", "pool5", 195, 32, 66),
    ("vgg16", "features.30", 212, 32, 90),
    ("resnet50_v1", "layer4.2.relu3", 483, 32, None),
    ("resnet50", "layer4.2.relu3", 427, 32, 213),
    ("resnet50", "layer3.5.relu3", 267, 16, 133),
    ("densenet121", "features.norm5", 2071, 32, None),
    ("inception_v3", "Mixed_7c.concat1", 1311, 32, None),
    ("mobilenet_v2", "features.18.0", 491, 32, None),
    ("googlenet_torchvision", "inception5b.concat1", 379, 32, None),
]


@pytest.mark.parametrize(("name", "layer", "size", "stride", "padding"), PUBLISHED)
def test_published_figures(name, layer, size, stride, padding):
    field = archcalc.load(name).analyze()[layer].receptive_field
    assert (field.size, field.stride) == ((size, size), (stride, stride))
    if padding is not None and name != "alexnet_2012":
        assert field.padding == (padding, padding)


layers = st.lists(
    st.tuples(st.sampled_from(["conv", "max_pool"]), st.integers(1, 5), st.integers(1, 3), st.integers(0, 1)),
    min_size=1,
    max_size=5,
)


@given(layers)
def test_a_chain_follows_the_closed_form(steps):
    """Size ``1 + Σ (kᵢ − 1)·Π_{j<i} sⱼ``, stride ``Π sᵢ``, padding ``Σ pᵢ·Π_{j<i} sⱼ`` (the article's own formulas)."""
    lines, size, stride, padding = [], 1, 1, 0
    for head, kernel, step, pad in steps:
        pad = min(pad, kernel // 2)
        first = "conv: 4, kernel" if head == "conv" else "max_pool"
        lines.append(f"  - {{{first}: {kernel}, stride: {step}, padding: {pad}}}")
        size, padding, stride = size + (kernel - 1) * stride, padding + pad * stride, stride * step
    network = archcalc.loads("input: [4, 4000]\nlayers:\n" + "\n".join(lines))
    field = network.analyze().rows[-1].receptive_field
    assert (field.size, field.stride, field.padding) == ((size,), (stride,), (padding,))


def last(text: str):
    return archcalc.loads(text).analyze().rows[-1].receptive_field


def test_a_join_takes_the_hull_and_says_whether_it_is_aligned():
    branch = "- {conv: 4, kernel: 5, padding: %s}"
    text = "input: [4, 16, 16]\nlayers:\n  - add:\n      - [%s]\n      - []\n"
    aligned = last(text % branch.removeprefix("- ") % "2")
    assert (aligned.size, aligned.padding, aligned.aligned) == ((5, 5), (2, 2), True)
    shifted = last(text % (branch.removeprefix("- ") % "[[4, 0], [2, 2]]"))
    assert (shifted.size, shifted.padding, shifted.aligned) == ((5, 5), (4, 2), False)


def test_the_first_unaligned_join_is_named():
    text = (
        "input: [4, 16]\nlayers:\n  - add: [[{conv: 4, kernel: 3, padding: [[2, 0]]}], []]\n    name: skew\n  - relu\n"
    )
    analysis = archcalc.loads(text).analyze()
    assert analysis.unaligned == ("skew",)
    assert "unaligned from skew on" in str(analysis)


def test_dilation_and_uneven_kernels():
    field = last("input: [4, 32, 32]\nlayers: [{conv: 4, kernel: [3, 2], dilation: [3, 1]}, {max_pool: [1, 2]}]\n")
    assert (field.size, field.stride) == ((7, 3), (1, 2))


def test_global_operations_see_everything():
    network = archcalc.load("resnet18").analyze()
    assert not network["layer4.1.relu2"].receptive_field.is_global
    assert network["avgpool"].receptive_field.is_global
    assert network["avgpool"].receptive_field.size == (224, 224)


def test_a_gate_keeps_the_size_along_the_spatial_path():
    gate = "mul: [[], [global_avg_pool, {conv: 4, kernel: 1}]]"
    field = last(f"input: [4, 32, 32]\nlayers:\n  - {{conv: 4, kernel: 3}}\n  - {gate}\n")
    assert (field.size, field.stride, field.is_global) == ((3, 3), (1, 1), True)


def test_upsampling_makes_fractional_strides():
    field = last("input: [4, 8, 8]\nlayers: [{conv: 4, kernel: 3, stride: 2, padding: 1}, {upsample: 4}]\n")
    assert float(field.stride[0]) == 0.5


def test_a_linear_layer_over_channels_sees_only_its_position():
    steps = "[{conv: 8, kernel: 3}, {permute: [1, 2, 0]}, {linear: 4}]"
    assert last(f"input: [4, 8, 8]\nlayers: {steps}\n").size == (3, 3)
    assert not last(f"input: [4, 8, 8]\nlayers: {steps}\n").is_global


def test_nothing_is_followed_before_a_field_is_asked_for():
    """Counts alone do not compute receptive fields."""
    analysis = archcalc.load("alexnet").analyze()
    assert analysis.totals.params
    assert "propagation" not in vars(analysis.fields)
    assert analysis.rows[-1].receptive_field.is_global
    assert "propagation" in vars(analysis.fields)


@pytest.mark.parametrize(
    ("kind", "example"),
    [(kind, example) for kind, operator in registry().items() for example in operator.examples],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_output_of_every_operator_can_be_rearranged(kind, example):
    op = registry()[kind](example.inputs, **example.arguments)
    reversed_axes = registry()["permute"]([op.output], order=list(range(len(op.output)))[::-1])
    names = tuple(f"x{number}" for number in range(len(op.inputs)))
    layers = (Layer("op", op, names), Layer("reversed", reversed_axes, ("op",)))
    fields = FieldPropagation(Network(kind, dict(zip(names, op.inputs, strict=True)), layers, ("reversed",)))
    assert fields["reversed"].size == fields["op"].size


def test_an_input_without_names_has_the_axes_that_its_first_layer_takes_it_for():
    unnamed = archcalc.loads("input: [16, 24]\nlayers: [{linear: 32}, {linear: 8, name: last}]")
    named = archcalc.loads("input: {tokens: 16, features: 24}\nlayers: [{linear: 32}, {linear: 8, name: last}]")
    for network in (unnamed, named):
        field = network.analyze()["last"].receptive_field
        assert (field.size, field.is_global) == ((1,), False)
