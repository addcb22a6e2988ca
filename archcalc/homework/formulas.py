"""Formulas as students write them: `25*C^2`, `36HWC²`, `2(H - 1)/3`. A closed grammar; nothing is ever evaluated.

sum     = ["-"] product {("+" | "-") product}
product = power {["*" | "·" | "×" | "/"] power}      a product may have no sign: 36HWC
power   = atom [("^" | "**") whole number | superscript]
atom    = number | symbol | "(" sum ")" | "⌊" sum "⌋" | "⌈" sum "⌉" | ("floor" | "ceil") "(" sum ")"
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from archcalc.analysis.algebra import ONE, Atom, Exact, Function, Polynomial, Symbol, floor_quotient, inverse
from archcalc.analysis.formula import holds
from archcalc.analysis.traced import Guard
from archcalc.homework.numbers import Unreadable
from archcalc.spec.errors import quote

MOST_CHARACTERS = 300
MOST_POWER = 12
MOST_TERMS = 400
MOST_DEGREE = 40
MOST_DEPTH = 30
MOST_BITS = 300
POINTS = 50
DIVIDED = 5040
"""Multiples of this are tried where few numbers fulfil the guards: many numbers divide it."""
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_']+\d*)|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|"
    r"(?P<sign>\*\*|[-+*/^()·×⌊⌋⌈⌉−]))"
)
_BRACKETS = {"(": ")", "⌊": "⌋", "⌈": "⌉"}
_TIMES = ("*", "·", "×")


@dataclass(frozen=True)
class Formula:
    """A formula that was written."""

    polynomial: Polynomial
    guards: tuple[Guard, ...] = ()
    """What holds of the symbols: that 4 divides C, where a layer has C/4 channels."""

    def times(self, number: Exact) -> Formula:
        """The formula times a number."""
        return Formula(self.polynomial.times(number), self.guards)

    def equals(self, other: Polynomial) -> bool:
        """Whether it is algebraically equal to another.

        The normal form decides for polynomials. What it keeps as it is, quotients by sums and floors, is compared by
        exact values at places drawn once from a fixed seed, where the guards hold: two different rational functions of
        a bounded degree agree at all of them by a chance below 10⁻¹⁰⁰ (Schwartz and Zippel).
        """
        one = self.polynomial
        if one == other:
            return True
        if not (_has_function(one) or _has_function(other)):
            return False
        places = list(islice(self._places(one.symbols | other.symbols), POINTS))
        return bool(places) and all(_value(one, place) == _value(other, place) for place in places)

    def _places(self, symbols: frozenset[Symbol]) -> Iterator[dict[Symbol, int]]:
        drawn = random.Random(1979)
        symbols = symbols.union(*(guard.difference.symbols for guard in self.guards))
        names = sorted(symbols, key=lambda symbol: symbol.key)
        for step in (*[1] * 4 * POINTS, *[DIVIDED] * 4 * POINTS):
            place = {symbol: step * drawn.randrange(10**3, 10**6) for symbol in names}
            if all(holds(guard, place) for guard in self.guards):
                yield place


def read_formula(text: str, symbols: Mapping[str, Symbol]) -> Polynomial:
    """The polynomial that a formula is; `Unreadable` says what cannot be read.

    A run of letters is split into the symbols: `HWC` is `H·W·C`, the longest name first.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long for a formula")
    reader = _Reader(text, symbols)
    formula = reader.sum()
    if reader.tokens:
        raise Unreadable(f"{quote(text)}: '{reader.tokens[0]}' is not expected there")
    return formula


class _Reader:
    """Reads by recursive descent, every result bounded."""

    def __init__(self, text: str, symbols: Mapping[str, Symbol]) -> None:
        self.text = text
        self.symbols = symbols
        self.depth = 0
        self.tokens: list[str] = []
        at, text = 0, text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Unreadable(f"{quote(text)}: '{text[at]}' has no meaning in a formula")
            at = match.end()
            if match["name"]:
                self.tokens += self.split(match["name"])
            elif match["raised"]:
                self.tokens += ["^", match["raised"].translate(_SUPERSCRIPTS)]
            else:
                self.tokens.append((match["number"] or match["sign"]).replace("−", "-").replace("**", "^"))
        if not self.tokens:
            raise Unreadable("a formula is missing")

    def split(self, word: str) -> list[str]:
        """The symbols in a run of letters."""
        if word in ("floor", "ceil"):
            return [word]
        known = sorted(self.symbols, key=len, reverse=True)
        parts, rest = [], word
        while rest:
            name = next((one for one in known if rest.startswith(one)), None)
            if name is None:
                raise Unreadable(f"{quote(self.text)}: there is no {quote(rest)} here; known are {', '.join(known)}")
            parts.append(name)
            rest = rest[len(name) :]
        return parts

    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        token = self.next()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"{quote(self.text)}: {f'{wanted!r} is missing' if wanted else 'it ends too early'}")
        return self.tokens.pop(0)

    def bounded(self, formula: Polynomial) -> Polynomial:
        if (
            len(formula.terms) > MOST_TERMS
            or any(_bits(factor) > MOST_BITS for factor in formula.terms.values())
            or any(sum(abs(power) for _, power in monomial) > MOST_DEGREE for monomial in formula.terms)
        ):
            raise Unreadable(f"{quote(self.text)} is too large when written out")
        return formula

    def sum(self) -> Polynomial:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise Unreadable(f"{quote(self.text)} has too many brackets")
        negative = self.next() == "-" and bool(self.take())
        total = -self.product() if negative else self.product()
        while self.next() in ("+", "-"):
            negative = self.take() == "-"
            term = self.product()
            total = self.bounded(total - term if negative else total + term)
        self.depth -= 1
        return total

    def product(self) -> Polynomial:
        result = self.power()
        while self.next() and self.next() not in ("+", "-", *_BRACKETS.values()):
            divides = self.next() == "/"
            if divides or self.next() in _TIMES:
                self.take()
            factor = self.power()
            if divides and not factor.terms:
                raise Unreadable(f"{quote(self.text)} divides by 0")
            result = self.times(result, inverse(factor) if divides else factor)
        return result

    def times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if len(left.terms) * len(right.terms) > MOST_TERMS:
            raise Unreadable(f"{quote(self.text)} is too large when written out")
        return self.bounded(left * right)

    def power(self) -> Polynomial:
        base = self.atom()
        if self.next() != "^":
            return base
        self.take()
        exponent = self.take()
        if not exponent.isdigit() or len(exponent) > 3 or int(exponent) > MOST_POWER:
            raise Unreadable(f"{quote(self.text)}: a power is a whole number up to {MOST_POWER}")
        result = ONE
        for _ in range(int(exponent)):
            result = self.times(result, base)
        return result

    def atom(self) -> Polynomial:
        token = self.take()
        if token in self.symbols:
            return Polynomial.of(self.symbols[token])
        if token[0].isdigit():
            if len(token) > 40:
                raise Unreadable(f"{quote(self.text)}: {quote(token)} has too many digits")
            return Polynomial.of(Fraction(token))
        if token in ("floor", "ceil") and self.next() == "(":
            token = {"floor": "⌊", "ceil": "⌈"}[token]
            self.tokens[0] = token
            return self.rounded(self.take(), ")")
        if token in ("⌊", "⌈"):
            return self.rounded(token, _BRACKETS[token])
        if token == "(":
            inside = self.sum()
            self.take(")")
            return inside
        raise Unreadable(f"{quote(self.text)}: {quote(token)} is not expected there")

    def rounded(self, bracket: str, end: str) -> Polynomial:
        inside = self.sum()
        self.take(end)
        return floor_quotient(inside, ONE) if bracket == "⌊" else -floor_quotient(-inside, ONE)


def _bits(factor: int | Fraction) -> int:
    return max(abs(factor.numerator).bit_length(), factor.denominator.bit_length())


def without_floors(formula: Polynomial, guards: Iterable[Guard]) -> Polynomial:
    """A formula with the quotients that are whole by a guard in place of their floors: C²/4 for C·⌊C/4⌋."""
    exact: dict[Atom, Polynomial] = {}
    for guard in guards:
        for monomial, factor in guard.difference.terms.items() if guard.relation == "==" else ():
            if len(monomial) == 1 and isinstance(monomial[0][0], Function) and monomial[0][1] == 1:
                rest = guard.difference - Polynomial({monomial: factor})
                exact[monomial[0][0]] = rest.times(Fraction(-1) / factor)
    total = Polynomial({})
    for monomial, factor in formula.terms.items():
        term = Polynomial.of(factor)
        for atom, power in monomial:
            term = term * exact.get(atom, Polynomial.of(atom)) ** power
        total = total + term
    return total


def _value(formula: Polynomial, place: Mapping[Symbol, int]) -> Exact | None:
    try:
        value: Exact = formula.evaluate(place)
    except ZeroDivisionError:
        return None
    return value


def _has_function(formula: Polynomial) -> bool:
    return any(isinstance(atom, Function) for monomial in formula.terms for atom, _ in monomial)
