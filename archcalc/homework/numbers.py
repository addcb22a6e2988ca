"""Numbers as students write them, with the digits that they kept, and when such a number is right.

A number is right if the true one rounds to the digits written: 72.9 M, 73 M and 72,855,552 are all right for
72,855,552. A tie may go either way, because spreadsheets and Python differ. Truncation is allowed by `--tolerance cut`.
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
    """A cell that cannot be read as an answer; the message tells the student why."""


@dataclass(frozen=True)
class WrittenNumber:
    """A number that was written."""

    value: Fraction
    place: Fraction
    """The value of a 1 in its last digit: 0.1 for 72.9, 100,000 for 72.9 M."""
    digits: str
    """Its digits without leading zeros, point and unit: `729`."""

    def in_units_of(self, size: int | Fraction) -> WrittenNumber:
        """Return the number times the size of a unit."""
        return WrittenNumber(self.value * size, self.place * size, self.digits)


class DecimalStyle(Enum):
    """The meaning of a comma and a point in a sheet."""

    POINT = "point"
    COMMA = "comma"
    OPEN = "open"
    """The sheet does not tell: `23,296` may be either."""


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
    """Return the text with ASCII spaces and signs, without a leading `~`, `≈` or `=`."""
    return text.translate(_SPACES).translate(_SIGNS).strip().lstrip("~≈=").strip()


def read_number(text: str, style: DecimalStyle = DecimalStyle.POINT) -> tuple[WrittenNumber, str]:
    """Read the number that a text begins with, and return it with the rest, its unit.

        number   = [SIGN] mantissa [exponent] [unit]
        mantissa = DIGITS [mark DIGITS] | mark DIGITS
        exponent = ("e" | "E") [SIGN] DIGITS | times "10" (("^" | "**") [SIGN] DIGITS | SUPERSCRIPTS)
        times    = "x" | "×" | "*" | "·"

    DIGITS before the mark may be in groups of three, with spaces, `'`, `_`, `,` or `.` between them. The mark is a
    point or a comma. The unit is any text.

    Raises `Unreadable` for anything else, and for a comma or point that can mean two things.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long: a number has at most {MOST_CHARACTERS} characters")
    if text.lstrip()[:1] in ("=", "@"):
        raise Unreadable(f"{quote(text)} is a spreadsheet formula; write its value")
    match = _NUMBER.fullmatch(tidy(text))
    if match is None:
        raise Unreadable(f"cannot read {quote(text)} as a number")
    whole, decimals = _parts(match["mantissa"].strip(), style)
    exponent = int(match["exponent"] or match["power"] or (match["raised"] or "0").translate(_SUPERSCRIPTS))
    if abs(exponent) > MOST_EXPONENT:
        raise Unreadable(f"{quote(text)} is out of range: exponents go from -{MOST_EXPONENT} to {MOST_EXPONENT}")
    place = Fraction(10) ** (exponent - len(decimals))
    digits = (whole + decimals).lstrip("0")
    value = int(digits or "0") * place
    return WrittenNumber(-value if match["sign"] == "-" else value, place, digits), match["unit"].strip()


def _parts(mantissa: str, style: DecimalStyle) -> tuple[str, str]:
    """Return the digits before and after the decimal mark."""
    if _may_be_either(mantissa):
        if style is DecimalStyle.OPEN:
            plain = mantissa.replace(",", "").replace(".", "")
            raise Unreadable(
                f"'{mantissa}' may mean {plain} or {mantissa.replace(',', '.')}; write it without thousands separators"
            )
        mark = "." if style is DecimalStyle.POINT else ","
    else:
        mark = _mark(mantissa)
    whole, _, decimals = mantissa.partition(mark) if mark else (mantissa, "", "")
    if not whole.isdigit() and whole:
        if not _GROUPED.fullmatch(whole):
            raise Unreadable(f"'{mantissa}' has thousands separators in the wrong places; write it without them")
        whole = re.sub(r"\D", "", whole)
    if decimals and not decimals.isdigit():
        raise Unreadable(f"'{mantissa}' has two decimal points; write it with one")
    return whole, decimals


def _may_be_either(mantissa: str) -> bool:
    """True if one mark is before exactly three digits, as in `23,296`."""
    return re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", mantissa, re.ASCII) is not None


def _mark(mantissa: str) -> str:
    """Return the decimal mark of an unambiguous number; empty if it has none."""
    points, commas = mantissa.count("."), mantissa.count(",")
    if points and commas:
        return max(".,", key=mantissa.rfind)
    if points + commas == 1:
        return "." if points else ","
    return ""


def style_of(texts: Iterable[str], suspicious: bool) -> DecimalStyle:
    """Return what comma and point mean in a sheet, from the unambiguous numbers in it.

    ``suspicious`` is True for files with semicolons between cells, as countries with decimal commas write them: then a
    point is not assumed. If both styles occur, the result is OPEN.
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
        elif points or commas:  # several of one kind separate thousands
            found.add(DecimalStyle.COMMA if points else DecimalStyle.POINT)
    if len(found) == 1:
        return found.pop()
    return DecimalStyle.OPEN if found or suspicious else DecimalStyle.POINT


@dataclass(frozen=True)
class AnswerTolerance:
    """The rule by which a number is right."""

    rule: str = "digits"
    """`digits`: the true number rounds to it. `cut`: or is truncated to it. `exact`: they are equal. `percent`: they
    differ by at most ``share`` of the true number."""
    share: Fraction = Fraction(0)

    @classmethod
    def parse(cls, text: str) -> AnswerTolerance:
        """Read a tolerance; raises `UserError` for anything else.

        tolerance = "digits" | "cut" | "exact" | NUMBER "%"
        """
        if text in ("digits", "cut", "exact"):
            return cls(text)
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", text.strip(), re.ASCII)
        if match is None:
            raise UserError(f"--tolerance takes digits, cut, exact, or a percentage such as 2%, got {quote(text)}")
        return cls("percent", Fraction(match[1]) / 100)

    def accepts(self, number: WrittenNumber, truth: int | Fraction, coarsest: int = 1) -> bool:
        """Return True if the number is right for ``truth``.

        A rounded 0 is right only in units up to ``coarsest``: 419,904 is 0 M in the lecture's unit, but in a coarser
        one (`0 T`) every value would be 0.
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
    """Return True if ``truth``, rounded to the digits written, is the number."""
    return 2 * abs(number.value - truth) <= number.place


def is_cut(truth: int | Fraction, number: WrittenNumber) -> bool:
    """Return True if ``truth``, truncated to the digits written, is the number."""
    return 0 <= truth - number.value < number.place
