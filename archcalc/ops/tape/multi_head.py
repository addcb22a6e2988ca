"""The steps that PyTorch takes for multi-head attention, on a tape (`multi_head_attention_forward`)."""

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arithmetic import Dim
from archcalc.ops.tape.layouts import fused_attention, in_order, linear, permuted, reshaped, selected
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import TapeTensor

TURNED = (1, 0, 2)
"""The order of axes that puts the batch second."""


class Heads(NamedTuple):
    """Multi-head attention, as its steps need it."""

    width: Dim
    heads: Dim
    bias: bool
    trained: bool
    widths: tuple[Dim, Dim, Dim]
    """Of queries, keys and values before their projections."""
    has_one_width: bool
    """True if one weight holds all three projections."""
    mask: Dim
    """Elements of the mask that the module makes; 0 without one."""


def multi_head(tape: Tape, inputs: Sequence[TapeTensor], op: Heads) -> TapeTensor:
    """Run the module."""
    masks = [tape.new(op.mask) for _ in range(2)] if op.mask else []
    q, k, v = _turned(tape, [*inputs] * 3 if len(inputs) == 1 else inputs)
    rows, batch, _ = q.layout.sizes
    q, k, v = _projected(tape, q, k, v, op)
    shape = (batch * op.heads, op.width // op.heads)
    q, k, v = (permuted(tape, reshaped(tape, x, (x.layout.sizes[0], *shape)), TURNED) for x in (q, k, v))
    q, k, v = (reshaped(tape, x, (batch, op.heads, x.layout.sizes[1], x.layout.sizes[2])) for x in (q, k, v))
    found = fused_attention(tape, q, k, v)
    del q, k, v
    found = in_order(tape, permuted(tape, found, (2, 0, 1, 3)))
    found = reshaped(tape, found, (rows * batch, op.width))
    bias = tape.weight(op.width, op.trained) if op.bias else None
    found = tape.matrix_product(found, tape.weight(op.width * op.width, op.trained), rows * batch * op.width, bias)
    found = permuted(tape, reshaped(tape, found, (rows, batch, op.width)), TURNED)
    masks.clear()
    return found


def _turned(tape: Tape, inputs: Sequence[TapeTensor]) -> Sequence[TapeTensor]:
    """Return queries, keys and values with the batch second: one view of keys and values that are one tensor."""
    q, k, v = inputs
    if k is not v:
        return [permuted(tape, value, TURNED) for value in inputs]
    queries = permuted(tape, q, TURNED)
    keys = queries if q is k else permuted(tape, k, TURNED)
    return [queries, keys, keys]


def _projected(
    tape: Tape, q: TapeTensor, k: TapeTensor, v: TapeTensor, op: Heads
) -> tuple[TapeTensor, TapeTensor, TapeTensor]:
    """Return queries, keys and values after their projections: joint ones where they are the same tensor."""
    bias = tape.weight(3 * op.width, op.trained) if op.bias else None
    shares: tuple[int, ...] = (1, 1, 1)
    if op.has_one_width:
        weight = tape.weight(3 * op.width * op.width, op.trained)
        if q is k is v:
            joint = _several(tape, linear(tape, q, weight, bias, 3 * op.width, op.trained), 3, op)
            return joint[0], joint[1], joint[2]
        shares = (1, 2) if k is v else shares
        weights = tape.parts(weight, shares)
    else:
        weights = [tape.weight(op.width * size, op.trained) for size in op.widths]
    biases = tape.parts(bias, shares) if bias else (None,) * 3
    if len(shares) == 3:
        made = [linear(tape, *each, op.width, op.trained) for each in zip((q, k, v), weights, biases, strict=True)]
        return made[0], made[1], made[2]
    queries = linear(tape, q, weights[0], biases[0], op.width, op.trained)
    keys, values = _several(tape, linear(tape, k, weights[1], biases[1], 2 * op.width, op.trained), 2, op)
    return queries, keys, values


def _several(tape: Tape, joint: TapeTensor, count: int, op: Heads) -> list[TapeTensor]:
    """Return the results of a joint projection, each in order."""
    rows, batch, _ = joint.layout.sizes
    apart = reshaped(tape, joint, (rows, batch, count, op.width))
    del joint
    apart = reshaped(tape, apart, (1, rows, batch, count, op.width))
    apart = permuted(tape, apart, (3, 1, 2, 0, 4))
    apart = in_order(tape, reshaped(tape, apart, (count, rows, batch, op.width)))
    return selected(tape, apart, 0, count)
