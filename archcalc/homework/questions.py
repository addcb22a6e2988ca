"""The questions of a homework, each with the headings that students write for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from fractions import Fraction
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.errors import SpecError
from archcalc.homework.answers import Answer
from archcalc.homework.kinds import COUNT, EXTENT, FIELD, MEMORY, SHAPE, SIZES, AnswerKind
from archcalc.homework.numbers import AnswerTolerance
from archcalc.quantities.quantity import Cost, Extent, FieldSize, Quantity, Shape
from archcalc.quantities.table import ASKED
from archcalc.symbolic.derivations import DERIVED
from archcalc.units import BYTES
from archcalc.words import did_you_mean, help_line, quote

MOST_CHARACTERS = 60
"""The longest text that is read as a heading."""
CLOSE = 0.83
"""The similarity to a known heading above which a heading is taken for its misspelling."""


@dataclass(frozen=True)
class Question:
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
        if isinstance(self.quantity, Cost):
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
        return self.quantity.units[self.quantity.usual].size if isinstance(self.quantity, Cost) else 1

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
USUAL = ("output", "memory", "params", "flops")
"""The questions that are asked by default."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


NAME = _words("layer, name, layer name, layer type, layers, node, block, module")
GIVEN = _words(
    "input, input shape, input size, in, in shape, input c, in c, c in, input channels, in "
    "channels, input h/w, in hw, input hw, input h w, input h, input w, in h, in w, input height, "
    "input width, channels in, filters, number of filters, kernel, kernel size, filter size, k, "
    "f, stride, s, pad, padding, p, op, operator, type, groups, dilation, activation, inputs, besides"
)
"""Headings of columns that a worksheet fills in."""


def asked(text: str) -> tuple[Question, ...]:
    """Return the questions of `--ask`; raises `SpecError` for an unknown one.

    ask = KEY {"," KEY}
    """
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for key in keys:
        if key not in QUESTIONS:
            hint = did_you_mean(key, QUESTIONS) or help_line(f"--ask takes {', '.join(QUESTIONS)}")
            raise SpecError(f"unknown question {quote(key)}{hint}")
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


# -- headings


@dataclass(frozen=True)
class Heading:
    """The meaning of a column of a submission."""

    key: str
    """A question's key, `name`, or `given` for a column that a worksheet fills in; empty if it is unknown."""
    unit: str = ""
    """The unit in the heading, as written."""


def read_heading(text: str, convention: str) -> Heading:
    """Read a heading such as `#params`, `Params (K)`, `memory_kb`, `output H/W` or `lecture FLOPs (M)`."""
    bare, unit = _bare(text, convention)
    for words, rest in ((bare, unit), *_with_unit(bare)):
        key = _KNOWN.get(words)
        if key:
            return Heading(key, rest or unit)
    return Heading("", unit)


def read_misspelt_heading(text: str, convention: str) -> Heading:
    """Read a heading that may be misspelt: `paramters`."""
    heading = read_heading(text, convention)
    if heading.key:
        return heading
    bare, unit = _bare(text, convention)
    close = [
        (SequenceMatcher(None, bare, known).ratio(), key)
        for known, key in _KNOWN.items()
        if len(bare) > 3 and len(known) > 3 and abs(len(known) - len(bare)) <= 2
    ]
    best, key = max(close, default=(0.0, ""))
    return Heading(key if best >= CLOSE else "", unit)


def _bare(text: str, convention: str) -> tuple[str, str]:
    """Return the words of a heading, and the text in brackets after them."""
    unit = ""
    bare = text.strip().strip("*`_ ").lower()[:MOST_CHARACTERS]
    match = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", bare)
    if match:
        bare, unit = bare[: match.start()], match[1]
    bare = re.sub(r"[_\-\s.:#№×*]+", " ", bare).strip()
    bare = re.sub(rf"^(?:{re.escape(convention)}|total) (?=\w)|(?<=\w) {re.escape(convention)}$", "", bare)
    return bare, unit


def _with_unit(bare: str) -> list[tuple[str, str]]:
    """Split a heading whose last word is a unit: `memory kb`, `params in k`."""
    match = re.fullmatch(r"(.+?)(?: in)? (\w+)", bare)
    return [(match[1], match[2])] if match else []


def _known() -> Mapping[str, str]:
    known = {_plain(word): "given" for word in GIVEN}
    known |= {_plain(word): "name" for word in NAME}
    for question in QUESTIONS.values():
        words = (question.key, question.heading.lower(), *_words(question.quantity.words))
        known |= {_plain(word): question.key for word in words}
    return known


def _plain(word: str) -> str:
    return word.replace("_", " ")


_KNOWN = _known()
