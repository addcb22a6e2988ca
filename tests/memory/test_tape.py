"""Operators whose memory is that of PyTorch's steps on a tape, with sizes of 1 and other layouts, against PyTorch."""

import pytest

from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.tape.recording import record
from tests.memory.comparing import compare

MAPS = [
    "{pad: [[1, 2], [0, 3]], mode: circular}",
    "{conv: 5, kernel: 3, padding: [1, 2], padding_mode: circular}",
    "{conv: 5, kernel: 3, padding: 0, padding_mode: circular, bias: false}",
    "{conv: 5, kernel: 3, padding: 1, padding_mode: reflect}",
    "{conv: 5, kernel: 3, padding: 1, padding_mode: replicate, standardized: true}",
    "{conv: 5, kernel: 3, stride: 2, standardized: true}",
    "{conv: 5, kernel: 3, padding: 1, padding_mode: circular, standardized: true, trainable: false}",
    "{conv: 5, kernel: 3, stride: 2, padding: same, standardized: true}",
    "{conv: 5, kernel: 3, padding: [[0, 1], [2, 0]], padding_mode: circular, standardized: true}",
    "{conv: 5, kernel: 3, padding: [[0, 1], [1, 0]], padding_mode: replicate, standardized: true, trainable: false}",
    "{avg_pool: 3, stride: 2, padding: same}",
    "{avg_pool: 1, padding: same}",
    "{max_pool: 3, stride: 2, padding: 1}, {conv: 4, kernel: 1, name: small}, "
    "{max_unpool, kernel: 3, stride: 2, padding: 1, from: [small, large]}",
]
MAPS_BEFORE = ["", "{conv: 4, kernel: 1}, ", "{permute: [2, 0, 1]}, {conv: 4, kernel: 1}, ", "{permute: [2, 1, 0]}, "]


@pytest.mark.parametrize("before", MAPS_BEFORE)
@pytest.mark.parametrize("layers", MAPS)
def test_maps(layers, before):
    for batch in (1, 3):
        compare(f"input: [4, 4, 4]\nlayers: [{before}{{scale: 2, name: large}}, {layers}, relu]", batch)


@pytest.mark.parametrize("trained", ["", ", trainable: false"])
@pytest.mark.parametrize("causal", ["false", "true"])
@pytest.mark.parametrize(("queries", "keys"), [(7, 5), (1, 5), (7, 1), (1, 1)])
def test_multi_head_attention(queries, keys, causal, trained):
    """Of one tensor, of queries to others, with other widths; single rows and samples take fewer copies."""
    attention = f"multi_head_attention: 3, causal: {causal}{trained}"
    projected = "{linear: 12, from: q, name: qq}, {linear: 12, from: k, name: kk}, {linear: 5, from: v, name: vv}"
    shapes = f"q: [{queries}, 12], k: [{keys}, 12]"
    for batch in (1, 2):
        compare(f"input: [{queries}, 12]\nlayers: [{{linear: 12}}, {{{attention}}}, relu]", batch)
        pair, _ = projected.rsplit(", {", 1)
        compare(f"inputs: {{{shapes}}}\nlayers: [{pair}, {{{attention}, from: [qq, kk, kk]}}, relu]", batch)
        three = f"inputs: {{{shapes}, v: [{keys}, 5]}}\nlayers: [{projected}, "
        compare(f"{three}{{{attention}, from: [qq, kk, vv]}}, relu]", batch)


@pytest.mark.parametrize("cosine", ["false", "true"])
@pytest.mark.parametrize(
    ("height", "width", "window", "shift"),
    [(8, 8, 4, 2), (7, 5, 3, 1), (4, 4, 4, 2), (4, 8, 4, 0), (5, 4, 2, 0), (1, 3, 1, 0)],
)
def test_attention_in_windows(height, width, window, shift, cosine):
    layer = f"{{window_attention: 3, window: {window}, shift: {shift}, cosine: {cosine}}}"
    for batch in (1, 2):
        compare(f"input: [{height}, {width}, 12]\nlayers: [{{linear: 12}}, {layer}, relu]", batch)
        compare(f"input: [{height}, {width}, 3]\nlayers: [{layer}, relu]", batch)
        compare(f"input: [{height}, {width}, 3]\nlayers: [{layer}, {{avg_pool: 1}}]", batch)  # saves its input


@pytest.mark.parametrize(("experts", "active"), [(1, 1), (3, 1), (4, 3)])
@pytest.mark.parametrize("before", ["", "{linear: 6}, ", "{permute: [1, 0]}, {linear: 5}, {permute: [1, 0]}, "])
def test_mixtures_of_experts(before, experts, active):
    for batch in (1, 3):
        layer = f"{{mixture_of_experts: {experts}, active: {active}, features: 4}}"
        compare(f"input: [5, 6]\nlayers: [{before}{layer}, {{linear: 3}}]", batch)
        compare(f"input: [5, 1]\nlayers: [{layer}, relu]", batch)


def test_gradients_are_added_in_place_where_nothing_else_holds_them():
    """By hand, of x·x + x·x for 10 numbers: each product gives two gradients of x, of which the first is new memory.

    The gradient of the sum is passed to both products. The last product's first gradient waits; the others are added to
    it. So at most the sum of gradients and two new ones are live.
    """
    tensors = InputTensors((Layout.in_order((10,)),), ("x",), (True,), training=True)

    def program(tape, inputs):
        (x,) = inputs
        return tape.add(tape.multiply(x, x), tape.multiply(x, x))

    found = record(program, tensors, training=True)
    assert found.saved.inputs == (True,)
    assert found.saved.shared == 0
    assert max(point.elements for point in found.forward) == 30
    assert max(point.elements for point in found.backward) == 30
