"""Cells to answers, and whether an answer is right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.homework.cells import Cell
from archcalc.homework.equality import every, some
from archcalc.homework.formulas import Formula, read_formula, without_floors
from archcalc.homework.numbers import AnswerTolerance, DecimalStyle, Unreadable, WrittenNumber, read_number, tidy
from archcalc.homework.questions import NO_UNIT, Question, UnitOf, unit_of
from archcalc.ops.vocabulary import shape_text
from archcalc.symbolic.polynomials import Polynomial, Symbol
from archcalc.symbolic.traced import Guard, Traced, polynomial_of
from archcalc.units import BYTES, COUNTS, LECTURE_BYTES, in_words
from archcalc.words import quote

LARGEST = 10**9
"""No size is larger."""


@dataclass(frozen=True)
class Amount:
    """A count, or bytes: a number with the digits that were kept, or a formula."""

    number: WrittenNumber | None
    formula: Formula | None = None
    unit: UnitOf = NO_UNIT

    def fits(self, truth: Any, question: Question, tolerance: AnswerTolerance) -> bool | None:
        """Whether it is the true amount; None where that is not decided."""
        if self.formula is not None:
            return self.formula.equals(polynomial_of(truth))
        if self.number is None or isinstance(truth, Traced):
            return False
        return tolerance.accepts(self.number, truth, question.usual)


@dataclass(frozen=True)
class WrittenSizes:
    """A shape or some sizes of it, as they were written: numbers or formulas; ``everything`` for `all`."""

    sizes: tuple[Any, ...]
    everything: bool = False

    def fits(self, truth: Any, question: Question, tolerance: AnswerTolerance) -> bool | None:
        """Whether these are the true sizes, channels first or last; None where that is not decided."""
        if question.sort == "field":
            return self._fits_field(truth)
        truth = truth if isinstance(truth, tuple) else (truth,)
        if question.sort == "extent" and len(self.sizes) == 1:
            return every(_same(self.sizes[0], size) for size in truth)
        return some(_all_same(self.sizes, order) for order in _orders(truth, question))

    def _fits_field(self, truth: Any) -> bool | None:
        """A receptive field: its size, one number where it is the same in every dimension, or `all`."""
        if self.everything:
            return isinstance(truth, str) and "all" in truth
        if isinstance(truth, str):
            return shape_text(self.sizes) == truth.partition(" ")[0]
        sizes = self.sizes * len(truth) if len(self.sizes) == 1 else self.sizes
        return _all_same(sizes, truth)

    def as_shape(self, truth: Sequence[Any]) -> tuple[Any, ...] | None:
        """The shape that was meant, channels first; None where it has not as many sizes as the true one."""
        sizes = self.sizes
        if len(sizes) != len(truth):
            return None
        last = (sizes[-1], *sizes[:-1])
        agree = [sum(_same(*pair) is True for pair in zip(order, truth, strict=True)) for order in (sizes, last)]
        return last if agree[1] > agree[0] else sizes


Answer = Amount | WrittenSizes


def _orders(truth: tuple[Any, ...], question: Question) -> Iterator[tuple[Any, ...]]:
    """The ways of writing sizes: channels first or last; sizes of 1 may be left out, or added to a vector."""
    yield truth
    if question.sort == "shape":
        yield (*truth[1:], truth[0])
        if all(_same(size, 1) for size in truth[1:]):
            yield truth[:1]
        if len(truth) == 1:
            yield from ((*truth, 1), (1, *truth), (*truth, 1, 1), (1, 1, *truth))


def _same(one: Any, other: Any) -> bool | None:
    """Whether a size that was written is a true one; a formula is compared as one."""
    if isinstance(one, Formula):
        return one.equals(polynomial_of(other))
    if isinstance(other, Formula):
        return _same(other, one)
    return polynomial_of(one) == polynomial_of(other)


def _all_same(sizes: Sequence[Any], truth: Sequence[Any]) -> bool | None:
    return every(map(_same, sizes, truth)) if len(sizes) == len(truth) else False


@dataclass(frozen=True)
class AnswerParser:
    """Reads the cells of one sheet."""

    analysis: Analysis
    symbols: Mapping[str, Symbol]
    guards: tuple[Guard, ...]
    style: DecimalStyle

    def read(self, question: Question, entry: Cell, heading_unit: UnitOf, truth: Any) -> Answer:
        """The answer in a cell; `Unreadable` says why there is none. Of ``truth`` only the number of sizes is used."""
        if question.has_total:
            return self._amount(question, entry, heading_unit)
        return self._sizes(question, entry.text, len(truth) if isinstance(truth, tuple) else 1)

    def _amount(self, question: Question, entry: Cell, heading_unit: UnitOf) -> Amount:
        try:
            number, rest = read_number(entry.text, DecimalStyle.POINT if entry.is_number else self.style)
            unit = unit_of(question, rest, self.analysis) if rest else heading_unit
        except Unreadable:
            if not self.symbols:
                raise
            return Amount(None, self._formula(entry.text).times(heading_unit.size), heading_unit)
        if self.symbols:
            return Amount(None, Formula(Polynomial.of(number.value * unit.size), self.guards), unit)
        return Amount(number.in_units_of(unit.size), None, unit)

    def _sizes(self, question: Question, text: str, rank: int) -> WrittenSizes:
        bare = tidy(text).strip("()[]{} ")
        unit = next((one for one in ("pixels", "pixel", "px") if bare.lower().endswith(one)), "")
        bare = bare[: len(bare) - len(unit)].rstrip()
        if question.sort == "field" and bare.lower() in ("all", "global", "everything", "whole image", "whole input"):
            return WrittenSizes((), everything=True)
        if self.symbols:
            whole = re.fullmatch(r"[\[(]([^\[\]()]*)[\])]", tidy(text))  # brackets around all of it
            parts = re.split(r"[x×,;@]", whole[1] if whole else tidy(text))
            return WrittenSizes(tuple(self._size(part.strip(), text) for part in parts))
        if rank == 1 and re.fullmatch(r"\d{1,3}([ ,.']\d{3})+", bare, re.ASCII):
            bare = re.sub(r"\D", "", bare)
        parts = re.split(r"\s*[x×*,;@]\s*|\s+(?:by\s+)?", bare, flags=re.IGNORECASE)
        if len(parts) == rank + 1 and rank > 1 and parts[0].lower() in ("-1", "n", "b", "none", "?", self._batch()):
            del parts[0]
        return WrittenSizes(tuple(self._size(part, text) for part in parts))

    def _formula(self, text: str) -> Formula:
        return read_formula(text, self.symbols, self.guards)

    def _batch(self) -> str:
        return str(self.analysis.batch)

    def _size(self, part: str, text: str) -> Any:
        if self.symbols and not part.isdigit():
            return self._formula(part)
        match = re.fullmatch(r"(\d{1,10})(?:\.0+)?", part, re.ASCII)
        if match is None or int(match[1]) > LARGEST:
            raise Unreadable(f"{quote(text)} is no size, and no shape such as 64x56x56")
        return int(match[1])


def show(question: Question, truth: Any, analysis: Analysis, guards: tuple[Guard, ...] = ()) -> str:
    """The right answer, with its unit: `72,855,552 (72.9 M)`, `64×56×56`; of a formula as the guards let it be."""
    if isinstance(truth, Traced) or (isinstance(truth, tuple) and any(isinstance(size, Traced) for size in truth)):
        return _formula_text(truth, guards)
    if isinstance(truth, tuple):
        return str(truth[0]) if question.sort == "extent" and len(set(truth)) == 1 else shape_text(truth)
    if not question.has_total or isinstance(truth, Fraction):
        return str(truth)
    if question.sort == "bytes":
        units = LECTURE_BYTES if analysis.convention.name == "lecture" else BYTES
        return in_words(truth, units) if truth < 1024 else f"{truth:,} B ({in_words(truth, units)})"
    return f"{truth:,}" if truth < 1000 else f"{truth:,} ({in_words(truth, COUNTS)})"


def _formula_text(truth: Any, guards: tuple[Guard, ...]) -> str:
    from archcalc.render.mathematics import term_text
    from archcalc.symbolic.terms import TermBuilder

    sizes = truth if isinstance(truth, tuple) else (truth,)
    forms = [without_floors(polynomial_of(size), guards) for size in sizes]
    return " × ".join(term_text(TermBuilder().write(form)) for form in forms)
