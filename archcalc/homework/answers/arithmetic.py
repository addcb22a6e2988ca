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

from archcalc.homework.answers.numbers import DecimalStyle, Unreadable, WrittenNumber, plain_value
from archcalc.homework.answers.units import NOUNS
from archcalc.words import quote

MOST_CHARACTERS = 200
MOST_DEPTH = 20
MOST_BITS = 400
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
    reader = _Reader(text, tokens, style)
    value = reader.sum(0)
    if reader.index != len(tokens):
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


class _Reader:
    """A recursive-descent parser with bounded numbers."""

    def __init__(self, text: str, tokens: list[str], style: DecimalStyle) -> None:
        self.text = text
        self.tokens = tokens
        self.style = style
        self.index = 0

    def next(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def take(self) -> str:
        token = self.next()
        self.index += 1
        return token

    def bounded(self, value: Fraction) -> Fraction:
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
            raise Unreadable(f"{quote(self.text)} has too many digits")
        return value

    def sum(self, depth: int) -> Fraction:
        if depth > MOST_DEPTH:
            raise Unreadable(f"{quote(self.text)} has too many brackets")
        total = self.product(depth)
        while self.next() in ("+", "-"):
            negative = self.take() == "-"
            term = self.product(depth)
            total = self.bounded(total - term if negative else total + term)
        return total

    def product(self, depth: int) -> Fraction:
        result = self.power(depth)
        while self.next() in ("*", "/", "("):
            divides = self.next() == "/"
            if self.next() != "(":
                self.take()
            factor = self.power(depth)
            if divides and not factor:
                raise Unreadable(f"{quote(self.text)} divides by 0")
            result = self.bounded(result / factor if divides else result * factor)
        return result

    def power(self, depth: int) -> Fraction:
        base = self.atom(depth)
        if self.next() != "^":
            return base
        self.take()
        exponent = self.take()
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if not exponent.isdigit() or len(exponent) > 2 or bits * int(exponent) > MOST_BITS:
            raise Unreadable(f"{quote(self.text)} has a power that is too large, or not an integer")
        return Fraction(base ** int(exponent))

    def atom(self, depth: int) -> Fraction:
        token = self.take()
        if token == "-":
            if depth > MOST_DEPTH:
                raise Unreadable(f"{quote(self.text)} has too many signs")
            return -self.atom(depth + 1)
        if token == "(":
            inside = self.sum(depth + 1)
            if self.take() != ")":
                raise Unreadable(f"{quote(self.text)}: a closing bracket is missing")
            return inside
        if not token[:1].isdigit():
            raise Unreadable(f"cannot read {quote(self.text)} as a number")
        return self.bounded(plain_value(token, self.style))
