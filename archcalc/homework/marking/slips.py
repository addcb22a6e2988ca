"""Slips of the pen and of arithmetic: a digit changed, dropped or doubled, a factor left out or counted twice.

A slip explains a number only if it is written in full: rounded numbers are too near to each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.homework.grade import Diagnosis

SHORTEST = 4
"""Digits of a number that a slip of a digit can explain."""


def slip_of_digits(written: Fraction, truth: int | Fraction) -> Diagnosis | None:
    """Return the slip of a digit that makes one number of another; None if there is none."""
    if written.denominator != 1 or Fraction(truth).denominator != 1 or written <= 0:
        return None
    digits, right = str(written.numerator), str(Fraction(truth).numerator)
    if min(len(digits), len(right)) < SHORTEST:
        return None
    if len(digits) == len(right) and sum(map(str.__ne__, digits, right)) == 1:
        return Diagnosis("one digit", "One digit differs.")
    if len(digits) == len(right) + 1 and _without_one(digits, right):
        return Diagnosis("digit too many", "There is a digit too many.")
    if len(digits) == len(right) - 1 and _without_one(right, digits):
        return Diagnosis("digit missing", "A digit is missing.")
    difference = abs(written.numerator - int(right))
    if str(difference).strip("0") in ("1", "2") and difference * 20 < int(right):
        return Diagnosis("carry", "The sum is off by a carry, or by a small number.")
    return None


def _without_one(longer: str, shorter: str) -> bool:
    """True if one string is the other without one character."""
    place = next((index for index, sign in enumerate(shorter) if longer[index] != sign), len(shorter))
    return longer[place + 1 :] == shorter[place:]


def factors_of(row: TableRow) -> Iterator[tuple[str, Any]]:
    """Yield the factors of a layer's formulas, with their letters."""
    op = row.head.layer.op
    kernel = op.hyperparameters().get("kernel")
    if isinstance(kernel, tuple):
        yield "K", kernel[0]
        if len(kernel) > 1:
            yield "K²", kernel[0] * kernel[1]
    output, given = row.output_shape, op.x
    if len(output) > 1:
        yield "H'", output[1]
        yield "H'·W'", output[1] * output[-1] if len(output) > 2 else output[1]
    yield "C'", output[0]
    yield "C", given[0]
    yield "2", 2
    yield "10", 10


def slips_of_factors(row: TableRow, parts: tuple[Any, ...]) -> Iterator[tuple[Diagnosis, Any]]:
    """Yield what a sum gives if a factor of its first part is left out, counted twice, or one too small or too large.

    Args:
        row: the layer.
        parts: the terms of the sum: the weights and the biases of parameters.
    """
    first, rest = parts[0], sum(parts[1:])
    if row.of_group or not isinstance(first, int) or not first:
        return
    for letter, factor in factors_of(row):
        if not isinstance(factor, int) or factor < 2 or first % factor:
            continue
        missing = Diagnosis("factor missing", f"A factor {letter} is missing.")
        twice = Diagnosis("factor twice", f"A factor {letter} is counted twice.")
        beside = Diagnosis("factor off by one", f"A factor {letter} is off by one.")
        for end in {0, rest}:
            yield missing, first // factor + end
            yield twice, first * factor + end
            if letter not in ("2", "10"):
                yield beside, first // factor * (factor - 1) + end
                yield beside, first // factor * (factor + 1) + end
