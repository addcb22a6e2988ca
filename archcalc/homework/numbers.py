"""Numbers as students write them, with the digits that they kept, and when such a number is right.

A number is right if the true one rounds to the digits written: 72.9 M, 73 M and 72,855,552 are all right for
72,855,552. A tie may go either way (spreadsheets and Python round it to the even digit). Cutting digits off is another
thing, which `--tolerance cut` allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from archcalc.errors import UserError
from archcalc.words import quote

MOST_CHARACTERS = 60
MOST_EXPONENT = 60


class Unreadable(UserError):
    """A cell that is no answer; the message says why, in words for the student."""


@dataclass(frozen=True)
class WrittenNumber:
    """A number that was written."""

    value: Fraction
    place: Fraction
    """What its last digit is worth: 0.1 for 72.9, 100,000 for 72.9 M."""
    digits: str
    """Its digits without leading zeros, point and unit: `729`."""

    def in_units_of(self, size: int | Fraction) -> WrittenNumber:
        """The number that it is in a unit."""
        return WrittenNumber(self.value * size, self.place * size, self.digits)


class DecimalStyle(Enum):
    """What a comma and a point mean in a sheet."""

    POINT = "point"
    COMMA = "comma"
    OPEN = "open"
    """Nothing in the sheet tells: `23,296` may be either."""


_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f"), " ")
_SIGNS = {ord("−"): "-", ord("’"): "'", ord("＋"): "+"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = re.compile(
    r"""(?P<sign>[+-]?)\s*
    (?P<mantissa>\d(?:[\d.,'_]|[ ](?=\d{3}(?!\d)))*|[.,]\d+)
    (?:[eE](?P<exponent>[+-]?\d{1,4}) |
       \s*[x×*·]\s*10(?:(?:\^|\*\*)\s*\(?(?P<power>[+-]?\d{1,4})\)?|(?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})))?
    \s*(?P<unit>.*)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([ '_.,])\d{3})(?:\1\d{3})*", re.ASCII)


def tidy(text: str) -> str:
    """The text with plain spaces and signs, without marks for `about`."""
    return text.translate(_SPACES).translate(_SIGNS).strip().lstrip("~≈=").strip()


def read_number(text: str, style: DecimalStyle = DecimalStyle.POINT) -> tuple[WrittenNumber, str]:
    """The number that a text begins with, and what follows it: its unit.

    Raises `Unreadable` for anything else, and for a comma or point that may mean two things.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long for a number")
    if text.lstrip()[:1] in ("=", "@"):
        raise Unreadable(f"{quote(text)} is a formula of a spreadsheet: write its value")
    match = _NUMBER.fullmatch(tidy(text))
    if match is None:
        raise Unreadable(f"{quote(text)} is no number")
    whole, decimals = _parts(match["mantissa"].strip(), style)
    exponent = int(match["exponent"] or match["power"] or (match["raised"] or "0").translate(_SUPERSCRIPTS))
    if abs(exponent) > MOST_EXPONENT:
        raise Unreadable(f"{quote(text)} is out of range")
    place = Fraction(10) ** (exponent - len(decimals))
    digits = (whole + decimals).lstrip("0")
    value = int(digits or "0") * place
    return WrittenNumber(-value if match["sign"] == "-" else value, place, digits), match["unit"].strip()


def _parts(mantissa: str, style: DecimalStyle) -> tuple[str, str]:
    """Digits before and after the decimal mark."""
    if _may_be_either(mantissa):
        if style is DecimalStyle.OPEN:
            plain = mantissa.replace(",", "").replace(".", "")
            raise Unreadable(
                f"'{mantissa}' may be {plain} or {mantissa.replace(',', '.')}: write it without thousands marks"
            )
        mark = "." if style is DecimalStyle.POINT else ","
    else:
        mark = _mark(mantissa)
    whole, _, decimals = mantissa.partition(mark) if mark else (mantissa, "", "")
    if not whole.isdigit() and whole:
        if not _GROUPED.fullmatch(whole):
            raise Unreadable(f"'{mantissa}' has its thousands marks in places where they have no meaning")
        whole = re.sub(r"\D", "", whole)
    if decimals and not decimals.isdigit():
        raise Unreadable(f"'{mantissa}' has two decimal marks")
    return whole, decimals


def _may_be_either(mantissa: str) -> bool:
    """Whether one mark stands before three digits, as in `23,296`."""
    return re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", mantissa, re.ASCII) is not None


def _mark(mantissa: str) -> str:
    """The decimal mark of a number that can be read in one way only; empty where it has none."""
    points, commas = mantissa.count("."), mantissa.count(",")
    if points and commas:
        return max(".,", key=mantissa.rfind)
    if points + commas == 1:
        return "." if points else ","
    return ""


def style_of(texts: Iterable[str], suspicious: bool) -> DecimalStyle:
    """What comma and point mean in a sheet, by the numbers in it that can be read in one way only.

    ``suspicious`` is whether the file is of a kind that countries with decimal commas write (semicolons between its
    cells): then nothing is taken for granted. Where both kinds stand beside each other, neither is.
    """
    found: set[DecimalStyle] = set()
    for text in texts:
        match = _NUMBER.fullmatch(tidy(text)) if len(text) <= MOST_CHARACTERS else None
        mantissa = match["mantissa"].strip() if match else ""
        if not mantissa[-1:].isdigit() or _may_be_either(mantissa):
            continue
        points, commas = mantissa.count("."), mantissa.count(",")
        mark = _mark(mantissa)
        if mark:
            found.add(DecimalStyle.POINT if mark == "." else DecimalStyle.COMMA)
        elif points or commas:  # several of one kind: they part thousands
            found.add(DecimalStyle.COMMA if points else DecimalStyle.POINT)
    if len(found) == 1:
        return found.pop()
    return DecimalStyle.OPEN if found or suspicious else DecimalStyle.POINT


@dataclass(frozen=True)
class AnswerTolerance:
    """When a number is right."""

    rule: str = "digits"
    """`digits`: the true number rounds to it; `cut`: or is cut to it; `exact`: it is the true number; `percent`."""
    share: Fraction = Fraction(0)

    @classmethod
    def parse(cls, text: str) -> AnswerTolerance:
        """`digits`, `cut`, `exact` or a percentage such as `2%`; `UserError` for anything else."""
        if text in ("digits", "cut", "exact"):
            return cls(text)
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", text.strip(), re.ASCII)
        if match is None:
            raise UserError(f"a tolerance is digits, cut, exact, or a percentage such as 2%, not {quote(text)}")
        return cls("percent", Fraction(match[1]) / 100)

    def accepts(self, number: WrittenNumber, truth: int | Fraction, coarsest: int = 1) -> bool:
        """Whether the number is right for ``truth``.

        A nought for what is not nought says nothing, but in digits up to ``coarsest``: `0 M` for 419,904 is what the
        lectures print, `0 T` would be right for everything.
        """
        if number.value == truth:
            return True
        if self.rule == "percent":
            return abs(number.value - truth) <= self.share * abs(Fraction(truth))
        if self.rule == "exact" or (number.value == 0 and number.place > coarsest):
            return False
        return rounds_to(truth, number) or (self.rule == "cut" and is_cut(truth, number))


DIGITS = AnswerTolerance()
"""A number is right if the true one rounds to its digits."""


def rounds_to(truth: int | Fraction, number: WrittenNumber) -> bool:
    """Whether the true number, rounded to the digits written, is the number."""
    return 2 * abs(number.value - truth) <= number.place


def is_cut(truth: int | Fraction, number: WrittenNumber) -> bool:
    """Whether the true number without the digits after those written is the number."""
    return 0 <= truth - number.value < number.place
