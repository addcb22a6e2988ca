"""Formulas as people write them on a board: trees, made of polynomials, that are worked out step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Union

from archcalc.analysis.algebra import EXACT, Atom, Exact, Function, Monomial, Polynomial, Symbol, plain


@dataclass(frozen=True)
class Number:
    """A number."""

    value: Exact


@dataclass(frozen=True)
class Name:
    """A symbol."""

    name: str


@dataclass(frozen=True)
class Sum:
    """Terms that are added, or taken off where the sign is −1."""

    terms: tuple[tuple[int, Term], ...]


@dataclass(frozen=True)
class Product:
    """Factors."""

    factors: tuple[Term, ...]


@dataclass(frozen=True)
class Power:
    """A base with a whole exponent."""

    base: Term
    exponent: int


@dataclass(frozen=True)
class Quotient:
    """A division without rounding."""

    top: Term
    bottom: Term


@dataclass(frozen=True)
class Call:
    """A function: `floor`, `ceil` (of one argument), `min`, `max`, `gcd`."""

    name: str
    arguments: tuple[Term, ...]


Term = Union[Number, Name, Sum, Product, Power, Quotient, Call]  # noqa: UP007 (it is defined by itself)
IN_THE_HEAD = 1000
"""A product that is not above this needs no step of its own."""


class Writer:
    """Writes polynomials as terms. With ``values`` given, a rounding is shown only where it rounds."""

    def __init__(self, values: Mapping[Symbol, Exact] | None = None) -> None:
        self.values = values

    def write(self, polynomial: Polynomial) -> Term:
        """The polynomial, with `m·a − m` as `m·(a − 1)` and a rounding around all that it can hold."""
        floored = self._around(polynomial)
        if floored is not None:
            return floored
        return _sum([self._monomial(monomial, factor) for monomial, factor in self._collected(polynomial)])

    def _around(self, polynomial: Polynomial) -> Term | None:
        """``⌊a/b⌋ + 1`` as ``⌊a/b + 1⌋``, as lecturers write it, or without a rounding where b divides a."""
        rounded = [
            (monomial, factor)
            for monomial, factor in polynomial.terms.items()
            if any(isinstance(atom, Function) and atom.name == "floor" for atom, _ in monomial)
        ]
        if len(rounded) != 1 or not set(polynomial.terms) <= {rounded[0][0], ()}:
            return None
        monomial, factor = rounded[0]
        constant = polynomial.terms.get((), 0)
        if len(monomial) != 1 or monomial[0][1] != 1 or factor not in (1, -1):
            return None
        function = monomial[0][0]
        assert isinstance(function, Function)
        top, bottom = function.arguments
        if factor == -1:
            top = -top
        inside = _sum([(1, Quotient(self.write(top), self.write(bottom))), *([_signed(constant)] if constant else [])])
        if self._divides(function):
            return inside
        return Call("floor" if factor == 1 else "ceil", (inside,))

    def _divides(self, function: Function) -> bool:
        if self.values is None:
            return False
        top, bottom = (one.evaluate(self.values) for one in function.arguments)
        return bool(top % bottom == 0)

    def _collected(self, polynomial: Polynomial) -> Iterator[tuple[Monomial | tuple[Monomial, Atom], Exact]]:
        """Monomials in the order of writing; a pair `m·a − m` is one, with the atom that 1 is taken from."""
        terms = dict(polynomial.terms)
        for monomial, factor in list(terms.items()):
            if not monomial or monomial not in terms:
                continue
            for atom, power in monomial:
                rest = tuple((one, p) for one, p in monomial if one != atom)
                if rest and terms.get(rest) == -factor and power > 0:
                    del terms[rest], terms[monomial]
                    terms[(rest, (atom, power))] = factor  # type: ignore[index]
                    break
        yield from sorted(terms.items(), key=lambda item: _order(item[0]))

    def _monomial(self, monomial: Monomial | tuple[Monomial, Atom], factor: Exact) -> tuple[int, Term]:
        sign = -1 if factor < 0 else 1
        factor = abs(factor)
        top: list[Term] = []
        bottom: list[Term] = []
        extra: Term | None = None
        atoms = monomial
        if monomial and isinstance(monomial[0], tuple) and monomial[0] and isinstance(monomial[0][0], tuple):
            atoms, (atom, power) = monomial  # type: ignore[misc, assignment]
            extra = Sum(((1, self._power(atom, power)), (-1, Number(1))))  # type: ignore[has-type]
        for atom, power in atoms:  # type: ignore[misc]
            (top if power > 0 else bottom).append(self._power(atom, abs(power)))  # type: ignore[has-type]
        if Fraction(factor).numerator != 1 or not (top or extra):
            top.insert(0, Number(Fraction(factor).numerator))
        if Fraction(factor).denominator != 1:
            bottom.insert(0, Number(Fraction(factor).denominator))
        if extra is not None:
            top.append(extra)
        whole = _product(top)
        return sign, Quotient(whole, _product(bottom)) if bottom else whole

    def _power(self, atom: Atom, power: int) -> Term:
        if isinstance(atom, Symbol):
            base: Term = Name(atom.name)
        elif atom.name == "floor":
            base = self.write(Polynomial.of(atom))
        elif atom.name == "inverse":
            base = Quotient(Number(1), self.write(atom.arguments[0]))
        else:
            base = Call(atom.name, tuple(self.write(one) for one in atom.arguments))
        return base if power == 1 else Power(base, power)


def _order(monomial: Monomial | tuple[Monomial, Atom]) -> tuple[bool, str]:
    if not monomial:
        return (True, "")
    if isinstance(monomial[0], tuple) and monomial[0] and isinstance(monomial[0][0], tuple):
        monomial = (*monomial[0], monomial[1])  # type: ignore[assignment]
    return (False, str([(atom.key[0] + 1000, -power, atom.key[1]) for atom, power in monomial]))  # type: ignore[misc, has-type]


def _signed(value: Exact) -> tuple[int, Term]:
    return (1 if value >= 0 else -1, Number(abs(value)))


def _sum(terms: list[tuple[int, Term]]) -> Term:
    if not terms:
        return Number(0)
    first_plus = next((at for at, (sign, _) in enumerate(terms) if sign > 0), 0)
    if terms[0][0] < 0 and first_plus:
        terms = [terms[first_plus], *terms[:first_plus], *terms[first_plus + 1 :]]
    return terms[0][1] if len(terms) == 1 and terms[0][0] > 0 else Sum(tuple(terms))


def _product(factors: list[Term]) -> Term:
    if not factors:
        return Number(1)
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


# -- working out


def with_numbers(term: Term, values: Mapping[str, Exact]) -> Term:
    """The term with numbers for its names."""
    if isinstance(term, Name):
        return Number(values[term.name])
    return _mapped(term, lambda inner: with_numbers(inner, values))


def value(term: Term) -> Exact:
    """The value of a term of numbers."""
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Name):
        raise ValueError(f"{term.name} has no value")
    if isinstance(term, Sum):
        return plain(sum((sign * value(one) for sign, one in term.terms), 0))
    if isinstance(term, Product):
        result: Exact = 1
        for factor in term.factors:
            result = result * value(factor)
        return plain(result)
    if isinstance(term, Power):
        return plain(Fraction(value(term.base)) ** term.exponent)
    if isinstance(term, Quotient):
        return plain(Fraction(value(term.top)) / Fraction(value(term.bottom)))
    values = [value(one) for one in term.arguments]
    if term.name in ("floor", "ceil"):
        return values[0] // 1 if term.name == "floor" else -(-values[0] // 1)
    return plain(EXACT[term.name](*values))


def steps(term: Term) -> Iterator[Term]:
    """The term, worked out step by step as on a board, to its value."""
    yield term
    while not isinstance(term, Number):
        term = _step(term)
        yield term


def _step(term: Term) -> Term:
    """One step: everything that stands innermost is worked out."""
    if isinstance(term, Number) or _is_simple(term):
        return Number(value(term))
    if isinstance(term, Sum) and all(_is_simple(one) for _, one in term.terms):
        if all(isinstance(one, Number) or abs(value(one)) < IN_THE_HEAD for _, one in term.terms):
            return Number(value(term))
        return Sum(tuple((sign, Number(value(one))) for sign, one in term.terms))
    if isinstance(term, Call):
        if all(isinstance(one, Number) for one in term.arguments):
            return Number(value(term))
        return Call(term.name, tuple(map(_step, term.arguments)))
    return _mapped(term, lambda inner: inner if isinstance(inner, Number) or _is_simple(inner) else _step(inner))


def _is_simple(term: Term) -> bool:
    """Whether it is a product, power or quotient of numbers: worked out at once."""
    if isinstance(term, Number):
        return True
    if isinstance(term, Product):
        return all(_is_simple(one) for one in term.factors)
    if isinstance(term, Power):
        return _is_simple(term.base)
    return isinstance(term, Quotient) and _is_simple(term.top) and _is_simple(term.bottom)


def _mapped(term: Term, change: object) -> Term:
    """The term with a change to each part."""
    assert callable(change)
    if isinstance(term, Sum):
        return Sum(tuple((sign, change(one)) for sign, one in term.terms))
    if isinstance(term, Product):
        return Product(tuple(change(one) for one in term.factors))
    if isinstance(term, Power):
        return Power(change(term.base), term.exponent)
    if isinstance(term, Quotient):
        return Quotient(change(term.top), change(term.bottom))
    if isinstance(term, Call):
        return Call(term.name, tuple(change(one) for one in term.arguments))
    return term
