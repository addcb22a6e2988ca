"""The questions of a homework, each with the headings that students write for it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.errors import SpecError
from archcalc.homework.answers.answer import Answer
from archcalc.homework.answers.kinds import COUNT, EXTENT, FIELD, MEMORY, SHAPE, SIZES, AnswerKind
from archcalc.homework.answers.numbers import AnswerTolerance
from archcalc.homework.course_quantities import COURSE_QUANTITIES, CourseAmount
from archcalc.quantities.quantity import AmountWithUnits, Cost, Extent, FieldSize, Quantity, Shape
from archcalc.quantities.table import ASKED
from archcalc.structs import Struct
from archcalc.symbolic.derivations import DERIVED
from archcalc.units import BYTES
from archcalc.words import did_you_mean, nearest_or_all, quote


class Question(Struct):
    """A quantity that is asked of every row."""

    quantity: Quantity

    @property
    def key(self) -> str:
        """The quantity's key, as in `archcalc table --columns`."""
        return self.quantity.key

    @property
    def heading(self) -> str:
        """The heading of its column in `archcalc table`."""
        return self.quantity.headed()

    @property
    def kind(self) -> AnswerKind:
        """The class that reads, compares and shows its answers."""
        if isinstance(self.quantity, AmountWithUnits):
            return MEMORY if self.quantity.units is BYTES else COUNT
        return SIZES.get(self.key) or next(kind for cls, kind in KINDS.items() if isinstance(self.quantity, cls))

    @property
    def derivation(self) -> str:
        """The quantity that `archcalc explain` derives for it; empty if there is none."""
        name = self.quantity.derivation or self.key
        return name if name in DERIVED else ""

    @property
    def usual(self) -> int:
        """The lecture's unit. A rounded 0 is an answer in units up to it."""
        if isinstance(self.quantity, CourseAmount):
            return self.quantity.units[2 if self.kind is COUNT else 1].size
        return self.quantity.units[self.quantity.usual].size if isinstance(self.quantity, Cost) else 1

    @property
    def also(self) -> str:
        """The question whose column answers it, if that is not asked; empty if there is none."""
        return self.quantity.also if isinstance(self.quantity, CourseAmount) else ""

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """Questions that together replace it, each in a column of its own."""
        return PARTS.get(self.key, ())

    @property
    def has_total(self) -> bool:
        """True if its answers are summed over the rows."""
        return self.quantity.has_total

    def value(self, row: TableRow) -> Any:
        """Return the answer: a number, a shape, a string, or None if the row has none."""
        return self.quantity.of_row(row)

    def fits(self, answer: Answer, truth: Any, tolerance: AnswerTolerance) -> bool | None:
        """Return whether an answer is right; None if that is undecided."""
        return self.kind.fits(answer, truth, tolerance, self.usual)


KINDS: dict[type[Quantity], AnswerKind] = {Shape: SHAPE, FieldSize: FIELD, Extent: EXTENT}
PARTS = {
    "output": (
        ("output_c", "output_hw"),
        ("output_c", "output_h", "output_w"),
        ("output_l", "output_d"),
        ("output_c", "output_l"),
        ("output_c", "output_hw", "output_l", "output_d"),
    ),
    "params": (("weights", "biases"),),
}
QUESTIONS = {key: Question(quantity) for key, quantity in ASKED.items()}
QUESTIONS |= {quantity.key: Question(quantity) for quantity in COURSE_QUANTITIES}
USUAL = ("output", "memory", "params", "flops")
"""The questions that are asked by default."""


def asked(text: str) -> tuple[Question, ...]:
    """Return the questions of `--ask`; raises `SpecError` for an unknown one.

    ask = KEY {"," KEY}
    """
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for key in keys:
        if key not in QUESTIONS:
            raise SpecError(f"unknown question {quote(key)}{nearest_or_all(key, QUESTIONS)}")
        if keys.count(key) > 1:
            raise SpecError(f"--ask has {quote(key)} twice")
    if not keys:
        raise SpecError("--ask is empty; name the questions, for example --ask output,params")
    return tuple(QUESTIONS[key] for key in keys)


def points_of(text: str, questions: tuple[Question, ...]) -> dict[str, Fraction]:
    """Return the points of a cell of each question, 1 by default; raises `SpecError` for anything else.

    points = KEY "=" NUMBER {"," KEY "=" NUMBER}
    """
    points = {question.key: Fraction(1) for question in questions}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not part.strip():
            continue
        if key not in points:
            raise SpecError(f"--points has {quote(key)}, which is not asked{did_you_mean(key, points)}")
        if not equals or not re.fullmatch(r"\d{1,4}(\.\d{1,4})?", value, re.ASCII):
            raise SpecError(f"--points takes NAME=NUMBER, got {quote(part)}")
        points[key] = Fraction(value)
    return points
