"""Units of counts and of memory, as students write them in a heading or beside a number."""

from __future__ import annotations

import re
from fractions import Fraction

from archcalc.homework.answers.spelling import tidy
from archcalc.structs import Struct


class UnitOf(Struct):
    """A unit that a student wrote."""

    symbol: str
    size: int | Fraction
    """Elements or bytes in one of it."""
    power: int = 0
    """The power of 1000 or 1024 that it is."""


NO_UNIT = UnitOf("", 1)

_POWERS = {
    **dict.fromkeys(("", "single"), 0),
    **dict.fromkeys(("k", "kilo", "thousand", "thousands", "tsd", "th"), 1),
    **dict.fromkeys(("m", "mega", "million", "millions", "mio", "mill", "mn"), 2),
    **dict.fromkeys(("g", "giga", "billion", "billions", "bn", "mrd", "milliard", "milliards"), 3),
    **dict.fromkeys(("t", "tera", "trillion", "trillions"), 4),
}
_BINARY = {"kibi": 1, "mebi": 2, "gibi": 3, "tebi": 4}
_PREFIX = "|".join(sorted(filter(None, _POWERS), key=len, reverse=True))
NOUNS = (
    r"(?:mult(?:iply)?[- ]?add(?:s|itions?)?|madds?|multiply[- ]accumulates?|macs?|flops?|ops?|operations?|"
    r"mac operations?|multiplications?|mults?|additions?|adds?|connections?|"
    r"(?:learnable |trainable )?param(?:eter)?s?|weights?|bias(?:es)?|"
    r"elements?|neurons?|units?|activations?|values?|numbers?|floats?|filters?|channels?)"
)
"""What is counted; these words change no number."""
_COUNT = re.compile(rf"(?P<prefix>{_PREFIX}|)[.\s-]*(?:of\s+)?{NOUNS}?", re.IGNORECASE)
_ELEMENTS = r"(?:elements?|values?|numbers?|floats?|float32s?|activations?|units?|neurons?|entries|scalars?)"
_ELEMENT = re.compile(rf"(?P<prefix>{_PREFIX}|)[.\s-]*{_ELEMENTS}", re.IGNORECASE)
_BYTE = re.compile(
    rf"(?P<prefix>{'|'.join(_BINARY)}|{_PREFIX}|)(?P<binary>(?<=[kmgtKMGT])i)?[\s-]*(?P<noun>bits?|bytes?|b|)",
    re.IGNORECASE,
)
_TIMES = re.compile(r"(?:in\s+)?(?:[x×*·]\s*)?(?:10\s*\^\s*\(?(\d{1,2})\)?|1e\+?(\d{1,2})|1((?:[ ,.']?000){1,4})s?)")


def count_unit(text: str) -> UnitOf | None:
    """Return a unit of counts: `M`, `mega`, `MFLOPs`, `10^6`, `x1000`, `k parameters`; None if the text is not one."""
    bare = _bare(text)
    times = _multiple(bare)
    if times is not None:
        return times
    match = _COUNT.fullmatch(bare)
    if match is None:
        return None
    power = _POWERS[match["prefix"].lower()]
    return UnitOf(text, 1000**power, power)


def byte_unit(text: str, itemsize: int, binary: bool, kilo_is_decimal: bool = False) -> UnitOf | None:
    """Return a unit of memory: `KB`, `MiB`, `kilobytes`, `Mbit`, `elements`; None if the text is not one.

    Args:
        text: the unit as written.
        itemsize: bytes of an element.
        binary: True if KB is 1024 bytes, as in the lecture.
        kilo_is_decimal: True if `kB` is 1000 bytes nevertheless, because the sheet writes KiB too.
    """
    bare = _bare(text)
    element = _ELEMENT.fullmatch(bare)
    if element is not None:
        return UnitOf(text, itemsize * 1000 ** _POWERS[element["prefix"].lower()])
    match = _BYTE.fullmatch(bare)
    if match is None:
        return None
    prefix = match["prefix"].lower()
    power = _BINARY.get(prefix, _POWERS.get(prefix, 0))
    is_binary = prefix in _BINARY or bool(match["binary"])
    base = 1024 if is_binary or (binary and not (kilo_is_decimal and bare.startswith("kB"))) else 1000
    bits = match["noun"].lower().startswith("bit")
    return UnitOf(text, Fraction(base**power, 8) if bits else base**power, power)


def _bare(text: str) -> str:
    """Return a unit without brackets and what leads to it."""
    return re.sub(r"^(?:in|unit|units)\b[\s:]*(?=\S)", "", tidy(text).strip("()[] ").rstrip("."), flags=re.IGNORECASE)


def _multiple(bare: str) -> UnitOf | None:
    match = _TIMES.fullmatch(bare)
    if match is None:
        return None
    power = int(match[1] or match[2] or 3 * match[3].count("000"))
    return UnitOf(bare, 10**power, power // 3)
