"""The kinds of answers, one class each: how one is read, compared and shown, its units and its common mistakes.

A new kind is a subclass of `AnswerKind` here; a question names its kind (`homework.questions`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.homework.answers.amounts import read_amount
from archcalc.homework.answers.answer import (
    AmountAnswer,
    Answer,
    ReadingContext,
    WrittenSizes,
    all_same,
    formula_text,
    orders,
    same,
    sizes_of,
)
from archcalc.homework.answers.equality import every, some
from archcalc.homework.answers.formulas import StudentFormula
from archcalc.homework.answers.numbers import (
    AnswerTolerance,
    DecimalStyle,
    Unreadable,
    WrittenNumber,
    is_cut,
)
from archcalc.homework.answers.sizes import read_sizes
from archcalc.homework.answers.spelling import tidy
from archcalc.homework.answers.units import NO_UNIT, UnitOf, byte_unit, count_unit
from archcalc.homework.cells import Cell
from archcalc.homework.grade import Diagnosis
from archcalc.ops.naming import NamedSizes, places
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.axes import AXES
from archcalc.structs import replace
from archcalc.symbolic.polynomials import Polynomial
from archcalc.symbolic.traced import Guard, Traced, polynomial_of
from archcalc.units import BYTES, COUNTS, LECTURE_BYTES, in_words

_GLOBAL = frozenset({"all", "global", "everything", "whole image", "whole input"})
Found = Iterator[tuple[Diagnosis, Any]]
"""Mistakes, each with the answer that it gives."""


class AnswerKind(ABC):
    """A kind of answers."""

    has_total = False
    """True if the answers of all rows can be summed."""
    is_local = True
    """True if the layer's own rule gives the answer from its inputs' shapes."""

    @abstractmethod
    def read(self, cell: Cell, heading_unit: UnitOf, truth: Any, context: ReadingContext) -> Answer:
        """Return the answer in a cell. Only the rank of ``truth`` is used.

        Raises `Unreadable`, which says why there is none.
        """

    @abstractmethod
    def fits(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> bool | None:
        """Return whether an answer is right, None if undecided. A 0 may be rounded in units up to ``coarsest``."""

    def show(self, truth: Any, analysis: Analysis, guards: tuple[Guard, ...] = ()) -> str:
        """Write the right answer with its unit: `72,855,552 (72.9 M)`, `64×56×56`, or a formula."""
        if any(isinstance(size, Traced) for size in sizes_of(truth)):
            return formula_text(truth, guards)
        return self._shown(truth, analysis)

    def _shown(self, truth: Any, analysis: Analysis) -> str:
        return shape_text(truth) if isinstance(truth, tuple) else str(truth)

    def unit(self, text: str, context: ReadingContext) -> UnitOf | None:
        """Return the unit that a text names; None if it names none of this kind. An empty text is no unit at all."""
        return NO_UNIT

    def put(self, shape: list[Any], answer: Answer, truth: NamedSizes) -> None:
        """Write the sizes that an answer has into a shape; ``truth`` is the true one."""
        return

    def unit_mistakes(self, amount: Any) -> Found:
        """Yield the mistakes of unit, each with what it makes of the right amount."""
        return iter(())

    @abstractmethod
    def typo(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> Diagnosis | None:
        """Return the mistake in writing (a unit, a digit) that explains an answer, if there is one."""


class AmountKind(AnswerKind):
    """Numbers with a unit, rounded to any number of digits, or formulas."""

    has_total = True
    units: str
    """Examples of its units."""

    def read(self, cell: Cell, heading_unit: UnitOf, truth: Any, context: ReadingContext) -> AmountAnswer:
        style = DecimalStyle.POINT if cell.is_number else context.style
        try:
            written = read_amount(cell.text, style, lambda text: self.unit(text, context), heading_unit)
        except Unreadable as error:
            if not context.symbols:
                wrong_unit = "is not a unit here" in str(error)
                raise Unreadable(f"{error}; write {self.units}") from None if wrong_unit else error
            return AmountAnswer(None, context.formula(cell.text).times(heading_unit.size), heading_unit)
        if context.symbols:
            return AmountAnswer(None, StudentFormula(Polynomial.of(written.number.value), context.guards), written.unit)
        return AmountAnswer(written.number, None, written.unit, written.product, written.other)

    def fits(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> bool | None:
        if isinstance(answer, AmountAnswer) and answer.formula is not None:
            return answer.formula.equals(polynomial_of(truth))
        if not isinstance(answer, AmountAnswer) or answer.number is None or isinstance(truth, Traced):
            return False
        meant = (answer.number, answer.other)
        return any(number is not None and tolerance.accepts(number, truth, coarsest) for number in meant)

    @abstractmethod
    def unit(self, text: str, context: ReadingContext) -> UnitOf | None: ...

    def unit_confusions(self, unit: UnitOf) -> Iterator[tuple[Fraction, Diagnosis]]:
        """Yield the factors by which a confused unit changes an answer that has its unit."""
        return iter(())

    def typo(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> Diagnosis | None:
        number = answer.number
        if not isinstance(answer, AmountAnswer) or number is None or not isinstance(truth, (int, Fraction)):
            return None
        if is_cut(truth, number):
            return Diagnosis("cut off", "The digits are cut off, not rounded.")
        for factor, diagnosis in self.unit_confusions(answer.unit):
            if tolerance.accepts(number, truth * factor, coarsest):
                return diagnosis
        if rounded_more(number, truth):
            return Diagnosis("rounded", "The number is rounded, but its zeros look exact. Write a unit, as in 73M.")
        if tolerance.is_too_short(number, truth):
            return Diagnosis("too few digits", f"Write at least {tolerance.least} digits.")
        place = number.place or Fraction(1)
        rounded = (2 * truth + place) // (2 * place)
        return TRANSPOSED if transposed(number.digits, str(rounded)) else None


class CountKind(AmountKind):
    """A number of elements or operations, in thousands, millions, …"""

    units = "k, M or G"

    def unit(self, text: str, context: ReadingContext) -> UnitOf | None:
        return count_unit(text)

    def _shown(self, truth: Any, analysis: Analysis) -> str:
        if isinstance(truth, Fraction):
            return str(truth)
        return f"{truth:,}" if truth < 1000 else f"{truth:,} ({in_words(truth, COUNTS)})"

    def unit_mistakes(self, amount: Any) -> Found:
        for power in (1, 2, 3):
            found = Diagnosis("unit", f"The number is off by a factor of {1000**power:,}. Check the unit.")
            yield found, amount * 1000**power
            yield found, amount * Fraction(1, 1000**power)


class BytesKind(AmountKind):
    """Memory. In the lecture's convention KB is 1024 bytes however it is spelled; in others KB is 1000 and KiB 1024."""

    units = "B, KB, MB, KiB, MiB or elements"

    def unit(self, text: str, context: ReadingContext) -> UnitOf | None:
        counting, binary = context.analysis.counting, context.analysis.convention.name == "lecture"
        return byte_unit(text, counting.itemsize, binary, context.kilo_is_decimal)

    def _shown(self, truth: Any, analysis: Analysis) -> str:
        if isinstance(truth, Fraction):
            return str(truth)
        units = LECTURE_BYTES if analysis.convention.name == "lecture" else BYTES
        return in_words(truth, units) if truth < 1024 else f"{truth:,} B ({in_words(truth, units)})"

    def unit_mistakes(self, amount: Any) -> Found:
        found = Diagnosis("unit", "The unit is wrong. Check the heading and the unit that you wrote.")
        for size in (1024, 1000, 1024**2, 1000**2):
            yield found, amount * size
            yield found, amount * Fraction(1, size)
        yield Diagnosis("bits", "The number is in bits, not in bytes."), amount * 8

    def unit_confusions(self, unit: UnitOf) -> Iterator[tuple[Fraction, Diagnosis]]:
        for power in range(1, unit.power + 1):
            yield Fraction(1024, 1000) ** power, Diagnosis("KB = 1000", "A KB is taken as 1000 bytes; here it is 1024.")
            yield Fraction(1000, 1024) ** power, Diagnosis("KB = 1024", "A kB is taken as 1024 bytes; here it is 1000.")


class SizesKind(AnswerKind):
    """Sizes of a tensor, exact: `64`, `64x56x56` (`homework.answers.sizes`)."""

    def read(self, cell: Cell, heading_unit: UnitOf, truth: Any, context: ReadingContext) -> WrittenSizes:
        text, rank = cell.text, len(sizes_of(truth))
        if context.symbols:
            whole = re.fullmatch(r"[\[(]([^\[\]()]*)[\])]", text.strip())  # brackets around all of it
            parts = re.split(r"[x×,;@]", whole[1] if whole else text.strip())
            return WrittenSizes(tuple(_size(part.strip(), context) for part in parts))
        return read_sizes(text, rank, context.analysis.batch)

    def fits(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> bool | None:
        return isinstance(answer, WrittenSizes) and self._fits(answer, sizes_of(truth))

    def _fits(self, answer: WrittenSizes, truth: tuple[Any, ...]) -> bool | None:
        """Return whether sizes are the true ones, None if undecided."""
        return all_same(answer.sizes, truth)

    def typo(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> Diagnosis | None:
        truth = sizes_of(truth)
        shape = answer.as_shape(truth) if isinstance(answer, WrittenSizes) else None
        if shape is None or not all(isinstance(size, int) for size in (*shape, *truth)):
            return None
        wrong = [(size, other) for size, other in zip(shape, truth, strict=True) if size != other]
        return TRANSPOSED if wrong and all(transposed(str(size), str(other)) for size, other in wrong) else None


class ShapeKind(SizesKind):
    """A whole shape, channels first or last; the sheet's order counts where the cell names none."""

    def read(self, cell: Cell, heading_unit: UnitOf, truth: Any, context: ReadingContext) -> WrittenSizes:
        written = super().read(cell, heading_unit, truth, context)
        return written if written.order is not None else replace(written, order=context.order)

    def _fits(self, answer: WrittenSizes, truth: tuple[Any, ...]) -> bool | None:
        return some(all_same(answer.sizes, order) for order in orders(truth, answer.order))

    def put(self, shape: list[Any], answer: Answer, truth: NamedSizes) -> None:
        written = answer.as_shape(truth) if isinstance(answer, WrittenSizes) else None
        if written is not None:
            shape[:] = written


class ExtentKind(SizesKind):
    """The height and width of a feature map; one number if they are equal."""

    def _fits(self, answer: WrittenSizes, truth: tuple[Any, ...]) -> bool | None:
        if len(answer.sizes) == 1:
            return every(same(answer.sizes[0], size) for size in truth)
        return all_same(answer.sizes, truth)

    def _shown(self, truth: Any, analysis: Analysis) -> str:
        return str(truth[0]) if isinstance(truth, tuple) and len(set(truth)) == 1 else super()._shown(truth, analysis)

    def put(self, shape: list[Any], answer: Answer, truth: NamedSizes) -> None:
        put_along(AXES["output_hw"], shape, answer, truth)


class SizeKind(SizesKind):
    """The size of one axis."""

    def __init__(self, key: str) -> None:
        self.axes = AXES[key]

    def put(self, shape: list[Any], answer: Answer, truth: NamedSizes) -> None:
        put_along(self.axes, shape, answer, truth)


def put_along(names: tuple[str, ...], shape: list[Any], answer: Answer, truth: NamedSizes) -> None:
    """Write an answer into the axes that have one of the names; a single size is that of each."""
    axes = places(truth.names, names)
    if isinstance(answer, WrittenSizes) and len(shape) == len(truth) and len(answer.sizes) in (1, len(axes)):
        for index, axis in enumerate(axes):
            shape[axis] = answer.sizes[index if len(answer.sizes) > 1 else 0]


class FieldKind(SizesKind):
    """The size of a receptive field: of each dimension, one number if they are equal, or `all`."""

    is_local = False

    def read(self, cell: Cell, heading_unit: UnitOf, truth: Any, context: ReadingContext) -> WrittenSizes:
        if tidy(cell.text).strip("()[] ").lower() in _GLOBAL:
            return WrittenSizes((), is_global=True)
        return super().read(cell, heading_unit, truth, context)

    def fits(self, answer: Answer, truth: Any, tolerance: AnswerTolerance, coarsest: int) -> bool | None:
        if not isinstance(answer, WrittenSizes):
            return False
        if answer.is_global:
            return isinstance(truth, str) and "all" in truth
        if isinstance(truth, str):
            return shape_text(answer.sizes) == truth.partition(" ")[0]
        return all_same(answer.sizes * len(truth) if len(answer.sizes) == 1 else answer.sizes, truth)


COUNT = CountKind()
MEMORY = BytesKind()
SHAPE = ShapeKind()
EXTENT = ExtentKind()
SIZES = {key: SizeKind(key) for key in ("output_c", "output_h", "output_w", "output_l", "output_d")}
"""The kinds of quantities that are one size of the output."""
FIELD = FieldKind()

TRANSPOSED = Diagnosis("transposed digits", "Two neighboring digits are swapped.")


def _size(part: str, context: ReadingContext) -> Any:
    return int(part) if part.isdigit() and len(part) <= 10 else context.formula(part)


def rounded_more(number: WrittenNumber, truth: int | Fraction) -> bool:
    """Return True if the number is right once its last zeros are taken for rounding."""
    zeros = len(number.digits) - len(number.digits.rstrip("0"))
    coarse = WrittenNumber(number.value, number.place * 10**zeros, number.digits)
    return zeros > 0 and 2 * abs(coarse.value - truth) <= coarse.place


def transposed(written: str, right: str) -> bool:
    """Return True if two neighboring digits are swapped."""
    if len(written) != len(right) or written == right:
        return False
    index = next(index for index, (size, other) in enumerate(zip(written, right, strict=True)) if size != other)
    return written[index : index + 2] == right[index : index + 2][::-1] and written[index + 2 :] == right[index + 2 :]
