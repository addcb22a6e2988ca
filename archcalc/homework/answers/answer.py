"""Answers as students write them: amounts and sizes, in numbers or formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.homework.answers.equality import every
from archcalc.homework.answers.formulas import StudentFormula, read_formula, without_floors
from archcalc.homework.answers.numbers import DecimalStyle, WrittenNumber
from archcalc.homework.answers.units import NO_UNIT, UnitOf
from archcalc.structs import Struct
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.traced import Guard, polynomial_of


class AmountAnswer(Struct):
    """A count, or bytes: a number with the digits that were kept, or a formula."""

    number: WrittenNumber | None
    formula: StudentFormula | None = None
    unit: UnitOf = NO_UNIT
    product: Fraction | None = None
    """The value of the student's own arithmetic before the number, where it differs; None if there is none."""
    other: WrittenNumber | None = None
    """The number's other meaning, where its mark has two; None if there is none."""


class ChannelOrder(Enum):
    """The place of the channels in a shape."""

    FIRST = "channels×height×width"
    LAST = "height×width×channels"


class WrittenSizes(Struct):
    """A shape, or some sizes of it, each an integer or a formula."""

    sizes: tuple[Any, ...]
    is_global: bool = False
    """True if a receptive field was said to be the whole input."""
    order: ChannelOrder | None = None
    """The order that the cell or its sheet has; None if neither tells."""
    number: None = None
    """Sizes are not rounded, so their digits say nothing."""

    def as_shape(self, truth: Sequence[Any]) -> tuple[Any, ...] | None:
        """Return the shape that was meant, channels first; None if its rank is not that of the true one."""
        sizes = self.sizes
        if len(sizes) != len(truth):
            return None
        last = (sizes[-1], *sizes[:-1])
        if self.order is not None:
            return last if self.order is ChannelOrder.LAST else sizes
        agree = [sum(same(*pair) is True for pair in zip(order, truth, strict=True)) for order in (sizes, last)]
        return last if agree[1] > agree[0] else sizes


Answer = AmountAnswer | WrittenSizes


def same(written: Any, truth: Any) -> bool | None:
    """Return True if a size that was written is the true one, None if undecided. Formulas are compared as formulas."""
    if isinstance(written, StudentFormula):
        return written.equals(polynomial_of(truth))
    if isinstance(truth, StudentFormula):
        return same(truth, written)
    return polynomial_of(written) == polynomial_of(truth)


def all_same(sizes: Sequence[Any], truth: Sequence[Any]) -> bool | None:
    """Return whether all sizes are the true ones, None if undecided."""
    return every(map(same, sizes, truth)) if len(sizes) == len(truth) else False


def sizes_of(truth: Any) -> tuple[Any, ...]:
    """Return the sizes of a right answer, which may be one number."""
    return truth if isinstance(truth, tuple) else (truth,)


def orders(truth: tuple[Any, ...], order: ChannelOrder | None = None) -> Iterator[tuple[Any, ...]]:
    """Yield every way to write a shape: channels first or last, with or without spatial sizes of 1."""
    if order is not ChannelOrder.LAST:
        yield truth
    if order is not ChannelOrder.FIRST:
        yield (*truth[1:], truth[0])
    if all(same(size, 1) for size in truth[1:]):
        yield truth[:1]
    if len(truth) == 1:
        yield from ((*truth, 1), (1, *truth), (*truth, 1, 1), (1, 1, *truth))


class ReadingContext(Struct):
    """What the cells of one submission are read with."""

    analysis: Analysis
    symbols: Mapping[str, Symbol]
    """Names that are left open: answers are formulas if there are any."""
    guards: tuple[Guard, ...]
    """Conditions on the symbols."""
    style: DecimalStyle
    kilo_is_decimal: bool = False
    """True if the sheet writes KiB, so that its `kB` is 1000 bytes."""
    order: ChannelOrder | None = None
    """The order of the sizes in the sheet's shapes; None if it does not tell."""

    def formula(self, text: str) -> StudentFormula:
        """Read a formula in the open names; `Unreadable` if it is not one."""
        return read_formula(text, self.symbols, self.guards)


def formula_text(truth: Any, guards: tuple[Guard, ...]) -> str:
    """Write the right formula, or a formula for each size, as simple as the guards allow."""
    from archcalc.render.mathematics import term_text
    from archcalc.symbolic.terms import TermBuilder

    forms = [without_floors(polynomial_of(size), guards) for size in sizes_of(truth)]
    return " × ".join(term_text(TermBuilder().write(form)) for form in forms)
