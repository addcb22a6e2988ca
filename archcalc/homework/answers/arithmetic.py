"""Arithmetic in a cell: `(3*11*11+1)*96`, `9075/8`, `23232 weights + 64 biases`. Exact and bounded.

sum     = product {("+" | "-") product}
product = power {["*" | "·" | "×" | "x" | "/"] power}       without a sign only before a bracket
power   = atom ["^" INTEGER]
atom    = NUMBER | "(" sum ")" | "[" sum "]" | "-" atom

Nouns after numbers are ignored. The words at the end are the unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from archcalc.homework.answers.formulas import FormulaReader
from archcalc.homework.answers.numbers import DecimalStyle, WrittenNumber, plain_value
from archcalc.homework.answers.units import NOUNS
from archcalc.symbolic.polynomials import Polynomial

MOST_CHARACTERS = 200
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d.,'_]*(?:[eE][+-]?\d{1,3})?(?![\d]))|(?P<times>[xX](?![A-Za-z]))"
    r"|(?P<sign>\*\*|[-+*·×/^()\[\]])|(?P<word>[A-Za-z]+\.?))"
)
_NOUN = re.compile(NOUNS, re.IGNORECASE)
_SIGNS = {"**": "^", "·": "*", "×": "*", "[": "(", "]": ")"}


def read_arithmetic(text: str, style: DecimalStyle, is_unit: Callable[[str], bool]) -> tuple[WrittenNumber, str] | None:
    """Return the value of an expression, and the unit after it; None if the text is not an expression.

    Raises `Unreadable` for an expression that has no value, and for numbers that can mean two things.
    """
    found = _tokens(text, is_unit) if len(text) <= MOST_CHARACTERS else None
    if found is None:
        return None
    tokens, unit = found
    if not any(token in "+-*/^(" for token in tokens[1:]):
        return None
    reader = _ArithmeticReader(text, tokens, style)
    value = Fraction(reader.sum().constant or 0)
    if reader.tokens:
        return None
    digits = str(abs(value.numerator)) if value.denominator == 1 else ""
    return WrittenNumber(value, Fraction(0), digits), unit


def _tokens(text: str, is_unit: Callable[[str], bool]) -> tuple[list[str], str] | None:
    """Return the tokens without nouns, and the unit at the end; None if there is anything else."""
    tokens: list[str] = []
    text = text.rstrip()
    index = 0
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            return None
        if match["word"]:
            rest = text[index:].strip()
            if not any(sign in rest for sign in "+*/=×·") and is_unit(rest):
                return tokens, rest
            if not _NOUN.fullmatch(match["word"].rstrip(".")):
                return None
        else:
            token = match["number"] or ("*" if match["times"] else match["sign"])
            tokens.append(_SIGNS.get(token, token))
        index = match.end()
    return tokens, ""


class _ArithmeticReader(FormulaReader):
    """Reads formulas without symbols, whose numbers are in the style of a sheet."""

    most_power = 99
    most_depth = 20

    def __init__(self, text: str, tokens: list[str], style: DecimalStyle) -> None:
        super().__init__(text, tokens, {})
        self.style = style

    def goes_on(self) -> bool:
        """Return True if another factor follows; without a sign only a bracket."""
        return self.next() in ("*", "/", "(")

    def atom(self) -> Polynomial:
        if self.next() == "-":
            self.take()
            return -self.atom()
        return super().atom()

    def number(self, token: str) -> Fraction:
        return plain_value(token, self.style)
