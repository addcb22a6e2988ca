"""Formulas as trees, written as on a blackboard, and evaluated step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Union

from archcalc.arithmetic import product
from archcalc.structs import Struct
from archcalc.symbolic.polynomials import EXACT, Atom, Exact, Function, Monomial, Polynomial, Symbol, plain


class NumberTerm(Struct):
    """A number."""

    value: Exact


class SymbolTerm(Struct):
    """A symbol."""

    name: str


class TermSum(Struct):
    """Terms with their signs: +1 or −1."""

    terms: tuple[tuple[int, Term], ...]


class Product(Struct):
    """Factors."""

    factors: tuple[Term, ...]


class Power(Struct):
    """A base with an integer exponent."""

    base: Term
    exponent: int


class Quotient(Struct):
    """A division without rounding."""

    top: Term
    bottom: Term


class FunctionTerm(Struct):
    """A function call: `floor` or `ceil` of one argument, `min`, `max` or `gcd`."""

    name: str
    arguments: tuple[Term, ...]


Term = Union[NumberTerm, SymbolTerm, TermSum, Product, Power, Quotient, FunctionTerm]  # noqa: UP007 (recursive)
MENTAL = 1000
"""Numbers below this need no step of their own in a sum."""


_LAST = (10**6, 0, "")


class _Written(Struct):
    """``factor · monomial``, times ``atom^power − 1`` where ``less_one`` is (atom, power)."""

    monomial: Monomial
    factor: Exact
    less_one: tuple[Atom, int] | None = None

    @property
    def order(self) -> tuple[bool, list[tuple[int, int, str]]]:
        """Sort key: the first symbol, then its higher powers; numbers are last."""
        atoms = [*self.monomial, *([self.less_one] if self.less_one else [])]
        keys = [(atom.key[0], -power, atom.key[1]) for atom, power in atoms]
        return not atoms, [*keys, _LAST]  # `C'·C` before `C'`


class TermBuilder:
    """Converts polynomials to terms. With ``values``, a floor is left out if its quotient is an integer."""

    def __init__(self, values: Mapping[Symbol, Exact] | None = None) -> None:
        self.values = values

    def write(self, polynomial: Polynomial) -> Term:
        """Return the polynomial as a term, with `m·a − m` as `m·(a − 1)` and constants inside a floor."""
        floored = self._around(polynomial)
        if floored is not None:
            return floored
        return _sum([self._term(written) for written in self._collected(polynomial)])

    def _around(self, polynomial: Polynomial) -> Term | None:
        """Return ``⌊a/b⌋ + 1`` as ``⌊a/b + 1⌋``, or without floor if b divides a; None for other polynomials."""
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
        return FunctionTerm("floor" if factor == 1 else "ceil", (inside,))

    def _divides(self, function: Function) -> bool:
        if self.values is None:
            return False
        top, bottom = (argument.evaluate(self.values) for argument in function.arguments)
        return bool(top % bottom == 0)

    def _collected(self, polynomial: Polynomial) -> list[_Written]:
        """Return the summands in order; a pair `m·a − m` is one, with the factor from which 1 is subtracted."""
        terms = dict(polynomial.terms)
        found = []
        for monomial, factor in polynomial.terms.items():
            for position, (_, power) in enumerate(monomial):
                rest = (*monomial[:position], *monomial[position + 1 :])
                if monomial in terms and rest and power > 0 and terms.get(rest) == -factor:
                    del terms[rest], terms[monomial]
                    found.append(_Written(rest, factor, monomial[position]))
        found += [_Written(monomial, factor) for monomial, factor in terms.items()]
        return sorted(found, key=lambda written: written.order)

    def _term(self, written: _Written) -> tuple[int, Term]:
        """Return the sign and the term without it."""
        factor = abs(Fraction(written.factor))
        top = [self._power(atom, power) for atom, power in written.monomial if power > 0]
        bottom = [self._power(atom, -power) for atom, power in written.monomial if power < 0]
        if written.less_one is not None:
            top.append(TermSum(((1, self._power(*written.less_one)), (-1, NumberTerm(1)))))
        if factor.numerator != 1 or not top:
            top.insert(0, NumberTerm(factor.numerator))
        if factor.denominator != 1:
            bottom.insert(0, NumberTerm(factor.denominator))
        whole = _product(top)
        return (-1 if written.factor < 0 else 1), Quotient(whole, _product(bottom)) if bottom else whole

    def _power(self, atom: Atom, power: int) -> Term:
        if isinstance(atom, Symbol):
            base: Term = SymbolTerm(atom.name)
        elif atom.name == "floor":
            base = self.write(Polynomial.of(atom))
        elif atom.name == "inverse":
            base = Quotient(NumberTerm(1), self.write(atom.arguments[0]))
        else:
            base = FunctionTerm(atom.name, tuple(map(self.write, atom.arguments)))
        return base if power == 1 else Power(base, power)


def _signed(value: Exact) -> tuple[int, Term]:
    return (1 if value >= 0 else -1, NumberTerm(value if value >= 0 else -value))


def _sum(terms: list[tuple[int, Term]]) -> Term:
    if not terms:
        return NumberTerm(0)
    first_plus = next((position for position, (sign, _) in enumerate(terms) if sign > 0), 0)
    if terms[0][0] < 0 and first_plus:
        terms = [terms[first_plus], *terms[:first_plus], *terms[first_plus + 1 :]]
    return terms[0][1] if len(terms) == 1 and terms[0][0] > 0 else TermSum(tuple(terms))


def _product(factors: list[Term]) -> Term:
    if not factors:
        return NumberTerm(1)
    return factors[0] if len(factors) == 1 else Product(tuple(factors))


# -- evaluation


def with_numbers(term: Term, values: Mapping[str, Exact]) -> Term:
    """Return the term with numbers for its symbols."""
    if isinstance(term, SymbolTerm):
        return NumberTerm(values[term.name])
    return _mapped(term, lambda inner: with_numbers(inner, values))


def value(term: Term) -> Exact:
    """Return the value of a term without symbols."""
    result: Exact
    if isinstance(term, NumberTerm):
        return term.value
    if isinstance(term, SymbolTerm):
        raise ValueError(f"{term.name} has no value")
    if isinstance(term, TermSum):
        result = sum((sign * value(part) for sign, part in term.terms), 0)
    elif isinstance(term, Product):
        result = product(value(factor) for factor in term.factors)
    elif isinstance(term, Power):
        result = Fraction(value(term.base)) ** term.exponent
    elif isinstance(term, Quotient):
        result = Fraction(value(term.top)) / Fraction(value(term.bottom))
    else:
        result = CALLS[term.name](*map(value, term.arguments))
    return plain(result)


CALLS: dict[str, Callable[..., Exact]] = {
    **EXACT,
    "floor": lambda number: number // 1,
    "ceil": lambda number: -(-number // 1),
}
"""Functions of terms: floor and ceil take one argument."""


def steps(term: Term) -> Iterator[Term]:
    """Yield the term and each step of its evaluation, to its value."""
    yield term
    while not isinstance(term, NumberTerm):
        term = _step(term)
        yield term


def _step(term: Term) -> Term:
    """Return the term after one step: the innermost parts are evaluated."""
    if isinstance(term, NumberTerm) or _is_simple(term):
        return NumberTerm(value(term))
    if isinstance(term, TermSum) and all(_is_simple(part) for _, part in term.terms):
        if all(isinstance(part, NumberTerm) or -MENTAL < value(part) < MENTAL for _, part in term.terms):
            return NumberTerm(value(term))
        return TermSum(tuple((sign, NumberTerm(value(part))) for sign, part in term.terms))
    if isinstance(term, FunctionTerm):
        if all(isinstance(argument, NumberTerm) for argument in term.arguments):
            return NumberTerm(value(term))
        return FunctionTerm(term.name, tuple(map(_step, term.arguments)))
    return _mapped(term, lambda inner: inner if isinstance(inner, NumberTerm) or _is_simple(inner) else _step(inner))


def _is_simple(term: Term) -> bool:
    """True for a number, and for a product, power or quotient of numbers: one step evaluates it."""
    if isinstance(term, NumberTerm):
        return True
    if isinstance(term, Product):
        return all(map(_is_simple, term.factors))
    if isinstance(term, Power):
        return _is_simple(term.base)
    return isinstance(term, Quotient) and _is_simple(term.top) and _is_simple(term.bottom)


def _mapped(term: Term, change: Callable[[Term], Term]) -> Term:
    """Return the term with each part changed."""
    if isinstance(term, TermSum):
        return TermSum(tuple((sign, change(part)) for sign, part in term.terms))
    if isinstance(term, Product):
        return Product(tuple(map(change, term.factors)))
    if isinstance(term, Power):
        return Power(change(term.base), term.exponent)
    if isinstance(term, Quotient):
        return Quotient(change(term.top), change(term.bottom))
    if isinstance(term, FunctionTerm):
        return FunctionTerm(term.name, tuple(map(change, term.arguments)))
    return term


def names_in(term: Term) -> list[str]:
    """Return the names of the symbols in a term; one that occurs twice comes twice."""
    names = [term.name] if isinstance(term, SymbolTerm) else []

    def look(part: Term) -> Term:
        names.extend(names_in(part))
        return part

    _mapped(term, look)
    return names
