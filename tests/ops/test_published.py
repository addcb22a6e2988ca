"""Operators in small networks, with values that others state: PyTorch's and TensorFlow's documentation, model cards."""

from __future__ import annotations

import pytest

import archcalc

HEADS = """
  - {{linear: {width}, bias: false, from: input, name: {name}}}
  - {{reshape: [{tokens}, {heads}, {size}]}}
  - {{transpose: [0, 1], name: {name}h}}"""


def heads(name: str, tokens: int, count: int, size: int = 128) -> str:
    return HEADS.format(name=name, tokens=tokens, heads=count, size=size, width=count * size)


def shapes(text: str) -> list[tuple[int, ...]]:
    return [layer.output_shape for layer in archcalc.loads(text)]


def test_same_and_valid_are_those_of_tensorflow():
    """`SAME` gives ceil(n / stride), `VALID` ceil((n − kernel + 1) / stride): documentation of tf.nn.convolution."""
    steps = "[{{conv: 32, kernel: 3, stride: 2, padding: {0}}}, {{max_pool: 3, stride: 2, padding: {0}}}]"
    stem = f"input: [3, 224, 224]\nlayers: {steps}"
    assert shapes(stem.format("same")) == [(32, 112, 112), (32, 56, 56)]
    assert shapes(stem.format("valid")) == [(32, 111, 111), (32, 55, 55)]
    assert archcalc.loads(stem.format("same")).layers[0].op.padding == ((0, 1), (0, 1))
    up = "input: [3, 16, 16]\nlayers: [{conv_transpose: 8, kernel: 3, stride: 2, padding: same}]"
    assert shapes(up) == [(8, 32, 32)]


def test_an_lstm_has_four_gates_with_two_biases():
    """4(nm + n² + 2n) parameters: torch.nn.LSTM's documentation."""
    text = "input: [100]\nlayers: [{embedding: 300, entries: 20}, {lstm: 512, name: a}, {lstm: 512, name: b}]"
    analysis = archcalc.loads(text).analyze()
    assert analysis["a"].params == 4 * (512 * 300 + 512 * 512 + 2 * 512)
    assert analysis["b"].params == 4 * (512 * 512 + 512 * 512 + 2 * 512)
    stacked = "input: [100]\nlayers: [{embedding: 300, entries: 20}, {lstm: 512, layers: 2, name: a}]"
    assert archcalc.loads(stacked).analyze()["a"].params == analysis["a"].params + analysis["b"].params
    assert archcalc.loads(stacked.replace("layers: 2", "layers: 2, last: true"))["a"].output_shape == (512,)


def test_grouped_queries_save_projections_not_products():
    """32 heads of queries, 8 of keys and values, 128 wide, 128 tokens."""
    text = "input: [128, 4096]\nlayers:" + heads("q", 128, 32) + heads("k", 128, 8) + heads("v", 128, 8)
    text += """
  - {scaled_dot_product_attention, from: [qh, kh, vh], causal: true}
  - {transpose: [0, 1]}
  - {reshape: [128, 4096]}
  - {linear: 4096, bias: false}
"""
    totals = archcalc.loads(text).analyze().totals
    assert totals.params == 2 * 4096 * 4096 + 2 * 4096 * 1024 == 41_943_040
    assert totals.macs == 128 * 41_943_040 + 2 * 32 * 128 * 128 * 128 == 5_502_926_848


def test_a_pixel_shuffle_moves_channels_to_positions():
    """ESPCN (Shi et al., 2016): the last layer's r² channels become one channel r times as large."""
    layers = archcalc.loads("input: [1, 32, 32]\nlayers: [{conv: 9, kernel: 3, padding: 1}, {pixel_shuffle: 3}]").layers
    assert layers[-1].output_shape == (1, 96, 96)
    assert archcalc.loads("input: [9, 32, 32]\nlayers: [{pixel_shuffle: 3}]").analyze().totals.flops == 0


@pytest.mark.parametrize("index", [0, 1])
def test_a_split_cuts_an_axis_into_parts(index):
    parts = archcalc.loads(f"input: [8, 32]\nlayers: [{{split: [3, 5], index: {index}}}]").layers
    assert parts[0].output_shape == ((3, 5)[index], 32)
