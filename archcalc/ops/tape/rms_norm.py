"""The steps that PyTorch takes for RMS norm on a CPU, on a tape.

They are those of `rms_norm_composite` (`aten/src/ATen/native/layer_norm.cpp`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.ops.layout import Layout, elementwise
from archcalc.ops.tape.layouts import lowered, remade
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor, last


class Rows(NamedTuple):
    """RMS norm, as its steps need it."""

    affine: bool
    trained: bool
    is_raised: bool
    """True if it computes in float32 numbers of 2 bytes."""


def rms_norm(tape: Tape, x: TapeTensor, op: Rows) -> TapeTensor:
    """Run the operator."""
    if op.is_raised:
        x = _raised(tape, x)
    roots = _roots(tape, x)
    result = _divided(tape, x, roots)
    if op.affine:
        result = _weighted(tape, result, tape.weight(result.layout.sizes[-1], op.trained))
    found = lowered(tape, result)
    if not found.layout.is_in_order and not x.layout.is_channels_last:
        found = tape.copy(found)
    del roots, result
    return found


def _raised(tape: Tape, x: TapeTensor) -> TapeTensor:
    layout = elementwise([x.layout])
    made = tape.tensor(layout, precise=True)
    tape.step([x], [made], lambda given, _: [tape.tensor(layout)])
    return made


def _of_rows(layout: Layout) -> Layout:
    """Return the layout of one number for each row."""
    return elementwise([layout.part(len(layout.sizes) - 1, 1)])


def _roots(tape: Tape, x: TapeTensor) -> TapeTensor:
    """Return the reciprocal roots of the means of squares."""
    layout, precise = elementwise([x.layout]), x.is_precise
    rows = _of_rows(layout)
    squares = tape.tensor(layout, precise)

    def of_squares(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        power, twice = tape.tensor(layout, precise), tape.tensor(layout, precise)
        return [last([power, twice, tape.tensor(layout, precise)])]

    tape.step([x], [squares], of_squares, [x])
    means = remade(tape, squares, rows)
    roots = tape.tensor(rows, precise)

    def of_roots(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        power, half = tape.tensor(rows, precise), tape.tensor(rows, precise)
        return [last([power, half, tape.tensor(rows, precise)])]

    tape.step([means], [roots], of_roots, [roots])
    return roots


def _divided(tape: Tape, x: TapeTensor, roots: TapeTensor) -> TapeTensor:
    layout, rows, precise = elementwise([x.layout]), roots.layout, x.is_precise
    made = tape.tensor(layout, precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        of_roots = tape.tensor(layout, precise)
        of_x = tape.tensor(layout, precise)
        if rows.sizes != layout.sizes:
            of_roots = tape.tensor(rows, precise)
        return [of_x, of_roots]

    tape.step([x, roots], [made], rule, [x if roots.edge else None, roots if x.edge else None])
    return made


def _weighted(tape: Tape, x: TapeTensor, weight: TapeTensor) -> TapeTensor:
    layout, precise, width = x.layout, x.is_precise, weight.elements
    made = tape.tensor(layout, precise)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        product = tape.tensor(layout, precise) if wanted[1] else None
        of_x = tape.tensor(layout, precise) if wanted[0] else None
        summed = tape.new(width, is_view=True) if wanted[1] else None
        del product
        return [of_x, summed]

    tape.step([x, weight], [made], rule, [x if weight.edge else None])
    return made
