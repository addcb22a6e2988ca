"""What a homework can ask: each question with the headings that students write over it, and its units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow
from archcalc.errors import SpecError
from archcalc.homework.numbers import Unreadable
from archcalc.quantities.quantity import Cost, Extent, FieldSize, Quantity, Shape
from archcalc.quantities.table import ASKED
from archcalc.symbolic.derivations import DERIVED
from archcalc.units import BYTES
from archcalc.words import did_you_mean, quote

MOST_CHARACTERS = 60
"""What is longer is no heading."""
CLOSE = 0.83
"""How alike a heading must be to one that is known: a slip of the pen, no other word."""


@dataclass(frozen=True)
class Question:
    """A quantity that is asked of every row."""

    quantity: Quantity

    @property
    def key(self) -> str:
        """As in `archcalc table --columns`."""
        return self.quantity.key

    @property
    def heading(self) -> str:
        """What the table writes over it."""
        return self.quantity.headed()

    @property
    def sort(self) -> str:
        """`count` or `bytes` of amounts; `shape`, `extent` or `size` of sizes; `field` of receptive fields."""
        if isinstance(self.quantity, Cost):
            return "bytes" if self.quantity.units is BYTES else "count"
        return next(sort for kind, sort in SORTS.items() if isinstance(self.quantity, kind))

    @property
    def derivation(self) -> str:
        """What `archcalc explain` calls it; empty for what it does not derive."""
        name = self.quantity.derivation or self.key
        return name if name in DERIVED else ""

    @property
    def usual(self) -> int:
        """The lectures' unit: a nought is an answer in digits up to it."""
        return self.quantity.units[self.quantity.usual].size if isinstance(self.quantity, Cost) else 1

    @property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """Questions that may stand for it, in columns of their own."""
        return PARTS.get(self.key, ())

    @property
    def has_total(self) -> bool:
        """Whether it has a sum over the rows."""
        return self.quantity.has_total

    def value(self, row: TableRow) -> Any:
        """The answer: a number, a shape, a word, or None where the row has none."""
        return self.quantity.of_row(row)


SORTS: dict[type[Quantity], str] = {Shape: "shape", FieldSize: "field", Extent: "extent", Quantity: "size"}
PARTS = {
    "output": (("output_c", "output_hw"), ("output_c", "output_h", "output_w")),
    "params": (("weights", "biases"),),
}
QUESTIONS = {key: Question(quantity) for key, quantity in ASKED.items()}
USUAL = ("output", "memory", "params", "flops")
"""What is asked where nothing is said."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


NAME = _words("layer, name, layer name, layer type, layers, node, block, module")
GIVEN = _words(
    "input, input shape, input size, in, in shape, input c, in c, c in, input channels, in "
    "channels, input h/w, in hw, input hw, input h w, input h, input w, in h, in w, input height, "
    "input width, channels in, filters, number of filters, kernel, kernel size, filter size, k, "
    "f, stride, s, pad, padding, p, op, operator, type, groups, dilation, activation, inputs, besides"
)
"""Headings of what a worksheet gives."""

_PREFIXES = {"": 0, "k": 1, "thousand": 1, "m": 2, "million": 2, "mio": 2, "g": 3, "bn": 3, "billion": 3, "t": 4}
_NOUNS = r"(?:(?:mult(?:iply)?[- ]?adds?|madds?|macs?|flops?|ops?|operations?|param(?:eter)?s?|weights?|bias(?:es)?))?"
_COUNT = re.compile(rf"(?P<prefix>thousand|million|mio|billion|bn|[kmgt]?)\.?\s*{_NOUNS}", re.IGNORECASE)
_BYTES = re.compile(r"(?P<prefix>[kmgt]?)(?P<binary>i?)(?:b|bytes?)?", re.IGNORECASE)
_ELEMENTS = frozenset({"elements", "values", "numbers", "floats", "activations", "units", "neurons"})


@dataclass(frozen=True)
class UnitOf:
    """A unit that a student wrote."""

    symbol: str
    size: int
    power: int = 0
    """How many thousands (or 1024s) it is."""


NO_UNIT = UnitOf("", 1)


def unit_of(question: Question, text: str, analysis: Analysis) -> UnitOf:
    """The unit that a text is, for the answers to a question; `Unreadable` if it is none of its units.

    The lectures' KB is 1024 bytes, however it is spelled. In every other convention KB is 1000 bytes and KiB 1024.
    """
    text = text.strip().rstrip(".")
    if not text:
        return NO_UNIT
    if question.sort == "bytes":
        if text.lower() in _ELEMENTS:
            return UnitOf(text, analysis.counting.itemsize)
        match = _BYTES.fullmatch(text)
        if match:
            power = _PREFIXES[match["prefix"].lower()]
            binary = bool(match["binary"]) or analysis.convention.name == "lecture"
            return UnitOf(text, (1024 if binary else 1000) ** power, power)
    elif question.sort == "count":
        match = _COUNT.fullmatch(text)
        if match:
            power = _PREFIXES[match["prefix"].lower()]
            return UnitOf(text, 1000**power, power)
    elif text.lower() in ("px", "pixel", "pixels"):
        return NO_UNIT
    raise Unreadable(f"{quote(text)} is no unit of {question.heading}")


def asked(text: str) -> tuple[Question, ...]:
    """The questions in `output,params,…`; `SpecError` for an unknown one."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for key in keys:
        if key not in QUESTIONS:
            raise SpecError(f"{quote(key)} cannot be asked{did_you_mean(key, QUESTIONS)}")
        if keys.count(key) > 1:
            raise SpecError(f"{quote(key)} is asked twice")
    if not keys:
        raise SpecError("nothing is asked")
    return tuple(QUESTIONS[key] for key in keys)


def points_of(text: str, questions: tuple[Question, ...]) -> dict[str, Fraction]:
    """Points of a cell of each question: 1, or what `params=2,flops=0.5` says."""
    points = {question.key: Fraction(1) for question in questions}
    for part in text.split(","):
        key, equals, value = (one.strip() for one in part.partition("="))
        if not part.strip():
            continue
        if key not in points:
            raise SpecError(f"{quote(key)} is not asked, and has no points{did_you_mean(key, points)}")
        if not equals or not re.fullmatch(r"\d{1,4}(\.\d{1,4})?", value, re.ASCII):
            raise SpecError(f"points are NAME=NUMBER, not {quote(part)}")
        points[key] = Fraction(value)
    return points


# -- headings


@dataclass(frozen=True)
class Heading:
    """What a column of a student's sheet is."""

    key: str
    """A question's key, `name`, `given` for what a worksheet gives; empty for what is not known."""
    unit: str = ""
    """The unit in the heading; read when it is known what is asked."""


def read_heading(text: str, convention: str) -> Heading:
    """What a heading says: `#params`, `Params (K)`, `memory_kb`, `output H/W`, `lecture flop (M)`."""
    bare, unit = _bare(text, convention)
    for words, rest in ((bare, unit), *_with_unit(bare)):
        key = _KNOWN.get(words)
        if key:
            return Heading(key, rest or unit)
    return Heading("", unit)


def read_misspelt_heading(text: str, convention: str) -> Heading:
    """The same, with a slip of the pen forgiven: `paramters`."""
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
    """The words of a heading, and what stands in brackets after them."""
    unit = ""
    bare = text.strip().strip("*`_ ").lower()[:MOST_CHARACTERS]
    match = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", bare)
    if match:
        bare, unit = bare[: match.start()], match[1]
    bare = re.sub(r"[_\-\s.:#№×*]+", " ", bare).strip()
    bare = re.sub(rf"^(?:{re.escape(convention)}|total) (?=\w)|(?<=\w) {re.escape(convention)}$", "", bare)
    return bare, unit


def _with_unit(bare: str) -> list[tuple[str, str]]:
    """A heading whose last word is a unit: `memory kb`, `params in k`."""
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
