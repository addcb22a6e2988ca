"""Amounts in a cell: a number or arithmetic, a unit, and remarks in brackets.

amount = {working "="} number [unit] ["(" remark ")"]

The number after the last `=` counts. A remark may be the unit, or the same number again. Two numbers that differ are
ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from archcalc.homework.answers.arithmetic import MOST_CHARACTERS, read_arithmetic
from archcalc.homework.answers.numbers import DecimalStyle, Unreadable, WrittenNumber, read_number, rounds_to
from archcalc.homework.answers.spelling import tidy
from archcalc.homework.answers.units import UnitOf
from archcalc.structs import Struct, replace
from archcalc.words import quote

Units = Callable[[str], UnitOf | None]
"""Return the unit that a text names; None if it names none."""
MOST_PARTS = 8
MILLIONS = 2
"""The power of the smallest unit beside which thousands are rarely separated."""
_REMARK = re.compile(r"[(\[]([^()\[\]]*)[)\]]$")
_NOTHING = re.compile(
    r"[-–—/]+|none|nothing|nil|null|no|not applicable|n\.?/?a\.?|"
    r"no (?:learnable |trainable )?(?:param(?:eter)?s?|weights?|bias(?:es)?|memory|flops?|macs?|operations?)",
    re.IGNORECASE,
)


class WrittenAmount(Struct):
    """A number in elements or bytes."""

    number: WrittenNumber
    unit: UnitOf
    product: Fraction | None = None
    """The value of the arithmetic before the last `=`, where it is another number."""
    other: WrittenNumber | None = None
    """The number if its separator of thousands is a decimal mark, where that may be meant; else None."""


def says_nothing(text: str) -> bool:
    """Return True for words that mean that there is nothing to count: `-`, `none`, `n/a`, `no params`."""
    return _NOTHING.fullmatch(text.strip().strip("()[]").strip()) is not None


def read_amount(text: str, style: DecimalStyle, units: Units, heading: UnitOf) -> WrittenAmount:
    """Read an amount; a number without a unit has that of the heading.

    Thousands of millions are rarely written so: in `1.108 Mbyte` the point may be a decimal mark though the sheet has
    decimal commas. Such a number has its other meaning too.

    Raises `Unreadable`, which says why.
    """
    try:
        amount = _read(text, style, units, heading)
    except Unreadable:
        if style is not DecimalStyle.OPEN:
            raise
        amount = _read(text, DecimalStyle.POINT, units, heading)
        if amount.unit.power < MILLIONS:
            raise
    if amount.unit.power < MILLIONS:
        return amount
    numbers = [_read(text, other, units, heading).number for other in (DecimalStyle.POINT, DecimalStyle.COMMA)]
    low, high = sorted(numbers, key=lambda number: number.value)
    means_both = low.value < high.value and (style is DecimalStyle.OPEN or amount.number.value == high.value)
    return replace(amount, number=high, other=low) if means_both else amount


def _read(text: str, style: DecimalStyle, units: Units, heading: UnitOf) -> WrittenAmount:
    if text.lstrip()[:1] in ("=", "@"):
        raise Unreadable(f"{quote(text)} is a spreadsheet formula; write its value")
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long: an answer has at most {MOST_CHARACTERS} characters")
    *working, last = [part.strip() for part in tidy(text).split("=")][-MOST_PARTS:]
    amount = _with_remark(last, text, style, units, heading)
    for part in working:
        try:
            value, unit = _number(part, style, units)
        except Unreadable:
            continue
        if not any(_agree(value.in_units_of(size), amount.number) for size in {unit.size, heading.size}):
            return WrittenAmount(amount.number, amount.unit, value.value)
    return amount


def _with_remark(last: str, text: str, style: DecimalStyle, units: Units, heading: UnitOf) -> WrittenAmount:
    """Read the number after the last `=`, and what is in brackets after it."""
    match = _REMARK.search(last)
    before = last[: match.start()].rstrip() if match else ""
    if match is None or not before or before[-1] in "+-*/·×^(xX":
        number, unit = _number(last, style, units)
        return _amount(number, unit, heading)
    number, unit = _number(before, style, units)
    remark = match[1].strip()
    if not unit.symbol and remark and not remark[0].isdigit() and (named := units(remark)) and named.size != 1:
        return _amount(number, named, heading)
    amount = _amount(number, unit, heading)
    try:
        again, again_unit = _number(tidy(remark), style, units)
    except Unreadable:
        return amount
    if not any(_agree(again.in_units_of(size), amount.number) for size in {again_unit.size, heading.size}):
        raise Unreadable(f"{quote(text)} gives two numbers; write one of them")
    return amount


def _amount(number: WrittenNumber, unit: UnitOf, heading: UnitOf) -> WrittenAmount:
    unit = unit if unit.symbol else heading
    return WrittenAmount(number.in_units_of(unit.size), unit)


def _number(text: str, style: DecimalStyle, units: Units) -> tuple[WrittenNumber, UnitOf]:
    """Read a number or arithmetic, and its unit."""
    if text.lower() in ("zero", "nought"):
        text = "0"
    try:
        number, rest = read_number(text, style)
    except Unreadable as error:
        problem, rest = error, ""
    else:
        unit = units(rest)
        if unit is not None:
            return number, unit
        problem = Unreadable(f"{quote(rest)} is not a unit here")
    worked = read_arithmetic(text, style, lambda word: units(word) is not None)
    if worked is None:
        raise problem
    unit = units(worked[1])
    assert unit is not None
    return worked[0], unit


def _agree(number: WrittenNumber, other: WrittenNumber) -> bool:
    """Return True if one of two numbers rounds to the other."""
    return rounds_to(number.value, other) or rounds_to(other.value, number)
