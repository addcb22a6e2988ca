"""The steps of rotary positions, on a tape (`archcalc.runtime.modules.attention.Rotary`)."""

from typing import NamedTuple

from archcalc.arithmetic import Dim
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import TapeTensor

FLOAT_BYTES = 4


class Turns(NamedTuple):
    """Rotary positions, as their steps need them."""

    rows: Dim
    """Positions; each has an angle for every pair."""
    size: Dim
    """Numbers of a row."""
    width: Dim
    """How many of them are turned."""
    interleaved: bool
    is_cast: bool
    """True if cosines and sines, which are float32, are cast to the input's type."""


def rotary(tape: Tape, x: TapeTensor, op: Turns) -> TapeTensor:
    """Run the module."""
    half, rest = op.width // 2, None
    speeds = tape.new(0, FLOAT_BYTES * half)
    for _ in ("negative", "share", "power"):
        speeds = tape.new(0, FLOAT_BYTES * half)
    positions = tape.new(0, FLOAT_BYTES * op.rows)
    angles = tape.new(0, FLOAT_BYTES * op.rows * half)
    del positions
    angles = tape.new(0, FLOAT_BYTES * op.rows * op.width)
    if op.width == op.size:
        turning = tape.alias(x)
    else:
        turning = tape.view(x, x.elements // op.size * op.width)
        rest = tape.view(x, x.elements - turning.elements)
    turned = _at_right_angles(tape, turning, op)
    of_cosines = tape.multiply(turning, _table(tape, op))
    of_sines = tape.multiply(turned, _table(tape, op))
    result = tape.add(of_cosines, of_sines)
    del of_cosines, of_sines
    found = result if rest is None else tape.join([result, rest])
    del speeds, angles, turned
    return found


def _at_right_angles(tape: Tape, turning: TapeTensor, op: Turns) -> TapeTensor:
    """Return the pairs turned by a right angle: the second numbers, negative, and the first ones."""
    pairs = tape.view(turning) if op.interleaved else turning
    negative = tape.compute(tape.view(pairs, pairs.elements // 2))
    return tape.view(tape.join([negative, tape.view(pairs, pairs.elements // 2)]))


def _table(tape: Tape, op: Turns) -> TapeTensor:
    """Return the cosines or the sines of all angles."""
    exact = tape.new(0, FLOAT_BYTES * op.rows * op.width)
    return tape.new(op.rows * op.width) if op.is_cast else exact
