"""Numbers as students write them, with the digits that they kept, and when such a number is right.

A number is right if the true one rounds to the digits written: 72.9 M, 73 M and 72,855,552 are all right for
72,855,552. A tie may go either way, because spreadsheets and Python differ. Truncation is allowed by `--tolerance cut`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from fractions import Fraction

from archcalc.errors import UserError
from archcalc.homework.answers.spelling import tidy
from archcalc.structs import Struct
from archcalc.words import quote

MOST_CHARACTERS = 60
MOST_EXPONENT = 60


class Unreadable(UserError):
    """A cell that cannot be read as an answer; the message tells the student why."""


class WrittenNumber(Struct):
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


_NUMBER = re.compile(
    r"""(?P<sign>[+-]?)\s*
    (?P<mantissa>\d(?:[\d.,'_]|[ ](?=\d{3}(?!\d)))*|[.,]\d+)
    (?:[eE](?P<exponent>[+-]?\d{1,4}) |
       \s*[x×*·]\s*10(?:\^|\*\*)\s*\(?(?P<power>[+-]?\d{1,4})\)?)?
    \s*(?P<unit>.*)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_LONE_MARK = re.compile(r"[1-9]\d{0,2}([.,])\d{3}", re.ASCII)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:([ '_.,])\d{3})(?:\1\d{3})*", re.ASCII)


def read_number(text: str, style: DecimalStyle = DecimalStyle.POINT) -> tuple[WrittenNumber, str]:
    """Read the number that a text begins with, and return it with the rest, its unit.

        number   = [SIGN] mantissa [exponent] [unit]
        mantissa = DIGITS [mark DIGITS] | mark DIGITS
        exponent = ("e" | "E") [SIGN] DIGITS | times "10" ("^" | "**") [SIGN] DIGITS
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
    exponent = int(match["exponent"] or match["power"] or "0")
    scientific = match["exponent"] or match["power"]
    whole, decimals = _parts(match["mantissa"].strip(), style, is_mantissa=bool(scientific))
    if abs(exponent) > MOST_EXPONENT:
        raise Unreadable(f"{quote(text)} is out of range: exponents go from -{MOST_EXPONENT} to {MOST_EXPONENT}")
    place = Fraction(10) ** (exponent - len(decimals))
    digits = (whole + decimals).lstrip("0")
    value = int(digits or "0") * place
    return WrittenNumber(-value if match["sign"] == "-" else value, place, digits), match["unit"].strip()


def plain_value(text: str, style: DecimalStyle) -> Fraction:
    """Return the value of a number without a unit; raises `Unreadable` for anything else."""
    number, rest = read_number(text, style)
    if rest:
        raise Unreadable(f"cannot read {quote(text)} as a number")
    return number.value


def _parts(mantissa: str, style: DecimalStyle, is_mantissa: bool = False) -> tuple[str, str]:
    """Return the digits before and after the decimal mark; a mantissa before a power of ten has no thousands."""
    if _may_be_either(mantissa) and not is_mantissa:
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
    return _LONE_MARK.fullmatch(mantissa) is not None


def _mark(mantissa: str) -> str:
    """Return the decimal mark of an unambiguous number; empty if it has none."""
    points, commas = mantissa.count("."), mantissa.count(",")
    if points and commas:
        return max(".,", key=mantissa.rfind)
    if points + commas == 1:
        return "." if points else ","
    return ""


def style_of(texts: Iterable[str], suspicious: bool, whole: Iterable[str] = ()) -> DecimalStyle:
    """Return what comma and point mean in a sheet, from the unambiguous numbers in it.

    Args:
        texts: the numbers.
        suspicious: True for files with semicolons between cells, as countries with decimal commas write them. Then a
            point is not assumed.
        whole: numbers without a unit that count something. If nothing else tells, their marks separate thousands.

    If both styles occur, the result is OPEN.
    """
    found: set[DecimalStyle] = set()
    for text in texts:
        match = _NUMBER.fullmatch(tidy(text)) if len(text) <= MOST_CHARACTERS else None
        mantissa = match["mantissa"].strip() if match and not (match["exponent"] or match["power"]) else ""
        if not mantissa[-1:].isdigit() or _may_be_either(mantissa):
            continue
        points, commas = mantissa.count("."), mantissa.count(",")
        mark = _mark(mantissa)
        if mark:
            found.add(DecimalStyle.POINT if mark == "." else DecimalStyle.COMMA)
        elif points or commas:  # several of one kind separate thousands
            found.add(DecimalStyle.COMMA if points else DecimalStyle.POINT)
    if suspicious and not found:
        marks = {match[1] for text in whole if (match := _LONE_MARK.fullmatch(tidy(text[:MOST_CHARACTERS])))}
        found = {DecimalStyle.POINT if mark == "," else DecimalStyle.COMMA for mark in marks}
    if len(found) == 1:
        return found.pop()
    return DecimalStyle.OPEN if found or suspicious else DecimalStyle.POINT


class AnswerTolerance(Struct):
    """The rule by which a number is right."""

    rule: str = "digits"
    """`digits`: the true number rounds to it. `cut`: or is truncated to it. `exact`: they are equal. `percent`: the
    true number rounds to it, or they differ by at most ``share`` of the true number."""
    share: Fraction = Fraction(0)
    least: int = 1
    """The number of digits that a rounded number has at least."""

    @classmethod
    def parse(cls, text: str, least: int = 1) -> AnswerTolerance:
        """Read a tolerance; raises `UserError` for anything else.

        tolerance = "digits" | "cut" | "exact" | NUMBER "%"
        """
        if text in ("digits", "cut", "exact"):
            return cls(text, least=least)
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", text.strip(), re.ASCII)
        if match is None:
            raise UserError(f"--tolerance takes digits, cut, exact, or a percentage such as 2%, got {quote(text)}")
        return cls("percent", Fraction(match[1]) / 100, least)

    def accepts(self, number: WrittenNumber, truth: int | Fraction, coarsest: int = 1) -> bool:
        """Return True if the number is right for ``truth``.

        A rounded 0 is right only in units up to ``coarsest``: 419,904 is 0 M in the lecture's unit, but in a coarser
        one (`0 T`) every value would be 0.
        """
        if number.value == truth:
            return True
        if self.rule == "exact" or max(len(number.digits), 1) < self.least:
            return False
        if self.rule == "percent" and abs(number.value - truth) <= self.share * abs(Fraction(truth)):
            return True
        if number.value == 0 and number.place > coarsest:
            return False
        return rounds_to(truth, number) or (self.rule == "cut" and is_cut(truth, number))

    def is_too_short(self, number: WrittenNumber, truth: int | Fraction) -> bool:
        """Return True if a number would be right, had it more digits."""
        return len(number.digits) < self.least and number.value != 0 and rounds_to(truth, number)


DIGITS = AnswerTolerance()
"""A number is right if the true one rounds to its digits."""


def rounds_to(truth: int | Fraction, number: WrittenNumber) -> bool:
    """Return True if ``truth``, rounded to the digits written, is the number."""
    return 2 * abs(number.value - truth) <= number.place


def is_cut(truth: int | Fraction, number: WrittenNumber) -> bool:
    """Return True if ``truth``, truncated to the digits written, is the number."""
    return 0 <= truth - number.value < number.place
