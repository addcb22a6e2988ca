"""Formulas as students write them: `25*C^2`, `36HWC²`, `2(H - 1)/3`. A closed grammar; nothing is ever evaluated.

sum     = ["-"] product {("+" | "-") product}
product = power {["*" | "·" | "×" | "/"] power}      a product may have no sign: 36HWC
power   = atom [("^" | "**") whole number | superscript]
atom    = number | symbol | "(" sum ")" | "⌊" sum "⌋" | "⌈" sum "⌉" | ("floor" | "ceil") "(" sum ")"
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction

from archcalc.homework.answers.equality import equal
from archcalc.homework.answers.numbers import Unreadable
from archcalc.structs import Struct, replace
from archcalc.symbolic.polynomials import ONE, Atom, Exact, Function, Polynomial, Symbol, floor_quotient, inverse
from archcalc.symbolic.traced import Guard
from archcalc.words import quote

MOST_CHARACTERS = 300
MOST_POWER = 12
MOST_TERMS = 400
MOST_DEGREE = 40
MOST_DEPTH = 30
MOST_BITS = 300
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_']+\d*)|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|"
    r"(?P<sign>\*\*|[-+*/^()·×⌊⌋⌈⌉−]))"
)
_BRACKETS = {"(": ")", "⌊": "⌋", "⌈": "⌉"}
_TIMES = ("*", "·", "×")


class StudentFormula(Struct):
    """A formula that a student wrote."""

    polynomial: Polynomial
    guards: tuple[Guard, ...] = ()
    """Conditions on the symbols: 4 divides C, if a layer has C/4 channels."""
    numbers: frozenset[int] = frozenset()
    """The integers in its text."""

    def times(self, number: Exact) -> StudentFormula:
        return replace(self, polynomial=self.polynomial.times(number))

    def equals(self, other: Polynomial) -> bool | None:
        """Return whether it equals another wherever the guards hold; None if undecided."""
        return equal(self.polynomial, other, self.guards, self.numbers)


def read_formula(text: str, symbols: Mapping[str, Symbol], guards: tuple[Guard, ...] = ()) -> StudentFormula:
    """Read a formula; raises `Unreadable`, which says what cannot be read.

    A run of letters is split into symbols, the longest first: `HWC` is `H·W·C`.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long: a formula has at most {MOST_CHARACTERS} characters")
    reader = FormulaReader(text, _tokens(text, symbols), symbols)
    numbers = frozenset(int(token) for token in reader.tokens if token.isdigit())
    polynomial = reader.sum()
    if reader.tokens:
        raise Unreadable(f"{quote(text)}: '{reader.tokens[0]}' is unexpected there")
    return StudentFormula(polynomial, guards, numbers)


def _tokens(text: str, symbols: Collection[str]) -> list[str]:
    tokens: list[str] = []
    index, text = 0, text.strip()
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise Unreadable(f"{quote(text)}: unexpected '{text[index]}' in a formula")
        index = match.end()
        if match["name"]:
            tokens += _split(match["name"], text, symbols)
        elif match["raised"]:
            tokens += ["^", match["raised"].translate(_SUPERSCRIPTS)]
        else:
            tokens.append((match["number"] or match["sign"]).replace("−", "-").replace("**", "^"))
    if not tokens:
        raise Unreadable("the formula is empty")
    return tokens


def _split(word: str, text: str, symbols: Collection[str]) -> list[str]:
    """Return the symbols in a run of letters."""
    if word in ("floor", "ceil"):
        return [word]
    known = sorted(symbols, key=len, reverse=True)
    parts, rest = [], word
    while rest:
        name = next((candidate for candidate in known if rest.startswith(candidate)), None)
        if name is None:
            raise Unreadable(f"{quote(text)}: unknown symbol {quote(rest)}; the symbols are {', '.join(known)}")
        parts.append(name)
        rest = rest[len(name) :]
    return parts


class FormulaReader:
    """A recursive-descent parser whose results are bounded in size."""

    most_power = MOST_POWER
    most_depth = MOST_DEPTH

    def __init__(self, text: str, tokens: list[str], symbols: Mapping[str, Symbol]) -> None:
        self.text = text
        self.tokens = tokens
        self.symbols = symbols
        self.depth = 0

    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, wanted: str = "") -> str:
        token = self.next()
        if not token or (wanted and token != wanted):
            raise Unreadable(f"{quote(self.text)}: {f'{wanted!r} is missing' if wanted else 'it ends too early'}")
        return self.tokens.pop(0)

    def bounded(self, formula: Polynomial) -> Polynomial:
        if any(_bits(factor) > MOST_BITS for factor in formula.terms.values()):
            raise Unreadable(f"{quote(self.text)} has too many digits")
        degrees = (sum(abs(power) for _, power in monomial) for monomial in formula.terms)
        if len(formula.terms) > MOST_TERMS or any(degree > MOST_DEGREE for degree in degrees):
            raise Unreadable(f"{quote(self.text)} has too many terms when expanded")
        return formula

    def sum(self) -> Polynomial:
        self.depth += 1
        if self.depth > self.most_depth:
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
        while self.goes_on():
            divides = self.next() == "/"
            if divides or self.next() in _TIMES:
                self.take()
            factor = self.power()
            if divides and not factor.terms:
                raise Unreadable(f"{quote(self.text)} divides by 0")
            result = self.times(result, inverse(factor) if divides else factor)
        return result

    def goes_on(self) -> bool:
        """Return True if another factor follows, with a sign or without."""
        return bool(self.next()) and self.next() not in ("+", "-", *_BRACKETS.values())

    def times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        if len(left.terms) * len(right.terms) > MOST_TERMS:
            raise Unreadable(f"{quote(self.text)} has too many terms when expanded")
        return self.bounded(left * right)

    def power(self) -> Polynomial:
        base = self.atom()
        if self.next() != "^":
            return base
        self.take()
        exponent = self.take()
        if not exponent.isdigit() or len(exponent) > 3 or int(exponent) > self.most_power:
            raise Unreadable(f"{quote(self.text)}: a power is an integer up to {self.most_power}")
        result = ONE
        for _ in range(int(exponent)):
            result = self.times(result, base)
        return result

    def atom(self) -> Polynomial:
        token = self.take()
        if token in self.symbols:
            return Polynomial.of(self.symbols[token])
        if token[0].isdigit():
            return self.bounded(Polynomial.of(self.number(token)))
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
        raise Unreadable(f"{quote(self.text)}: {quote(token)} is unexpected there")

    def number(self, token: str) -> Fraction:
        """Return the value of a number."""
        if len(token) > 40:
            raise Unreadable(f"{quote(self.text)}: {quote(token)} has too many digits")
        return Fraction(token)

    def rounded(self, bracket: str, end: str) -> Polynomial:
        inside = self.sum()
        self.take(end)
        return floor_quotient(inside, ONE) if bracket == "⌊" else -floor_quotient(-inside, ONE)


def _bits(factor: int | Fraction) -> int:
    return max(abs(factor.numerator).bit_length(), factor.denominator.bit_length())


def without_floors(formula: Polynomial, guards: Iterable[Guard]) -> Polynomial:
    """Return a formula with quotients in place of floors that a guard makes exact: C²/4 for C·⌊C/4⌋."""
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
