"""The steps that PyTorch takes for attention without a fused kernel, on a tape.

They are those of `_scaled_dot_product_attention_math` (`aten/src/ATen/native/transformers/attention.cpp`).
"""

from collections.abc import Sequence

from archcalc.arithmetic import Dim, product
from archcalc.ops.layout import Layout
from archcalc.ops.tape.layouts import computed, matrix_products, permuted, reshaped, scaled
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor, last


def unfused_attention(tape: Tape, inputs: Sequence[TapeTensor], causal: bool, repeats: Dim) -> TapeTensor:
    """Run the operator; inputs without heads get an axis before the batch.

    ``repeats``: heads of queries for each head of keys and values.
    """
    alone = len(inputs[0].layout.sizes) == 3
    if alone:
        inputs = [reshaped(tape, x, (1, *x.layout.sizes)) for x in inputs]
    q, k, v, *masks = inputs
    del inputs
    queries = scaled(tape, q)
    if causal:
        masks = [_causal_mask(tape, q.layout.sizes[-2], k.layout.sizes[-2])]
    keys, values = (_repeated(tape, x, repeats) for x in (k, v))
    last = len(q.layout.sizes) - 1
    turned = scaled(tape, permuted(tape, keys, (*range(last - 1), last, last - 1)))
    scores = matrix_products(tape, queries, turned)
    del q, k, v, turned
    for mask in masks:
        scores = _masked(tape, scores, mask)
    shares = computed(tape, scores, saves_output=True)
    del scores
    found = matrix_products(tape, shares, values)
    del queries, keys, values, shares, masks
    return reshaped(tape, found, found.layout.sizes[1:]) if alone else found


def _causal_mask(tape: Tape, queries: Dim, keys: Dim) -> TapeTensor:
    """Return 0 or minus infinity for each pair, from a triangle of booleans."""
    ones = tape.new(0, queries * keys)
    triangle = last([ones, tape.new(0, queries * keys)])
    del ones
    numbers = tape.new(2)
    return last([triangle, numbers, tape.tensor(Layout.in_order((queries, keys)))])


def _repeated(tape: Tape, x: TapeTensor, count: Dim) -> TapeTensor:
    """Return every head so many times; the gradient is the sum of theirs."""
    if count == 1:
        return x
    before = x.layout.sizes
    sizes = (*before[:-3], before[-3] * count, *before[-2:])
    made = tape.tensor(Layout.in_order(sizes))
    tape.step([x], [made], lambda given, _: [tape.tensor(Layout.in_order(before), is_view=True)])
    return made


def _masked(tape: Tape, scores: TapeTensor, mask: TapeTensor) -> TapeTensor:
    """Return the scores with a mask added; its gradient is that of the scores, or a sum of it."""
    made, sizes = tape.tensor(scores.layout), mask.layout.sizes
    is_whole = product(sizes) == scores.elements

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        if not wanted[1]:
            return [given[0], None]
        return [given[0], given[0] if is_whole else tape.tensor(Layout.in_order(sizes))]

    tape.step([scores, mask], [made], rule)
    return made
