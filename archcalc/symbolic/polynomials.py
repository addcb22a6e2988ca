"""Polynomials over symbols, floors and the few other functions that rules use.

Polynomials have a normal form, so equal sizes that were computed in two ways compare equal: a floor keeps only the
terms that do not divide, and nested floors are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from typing import Any

from archcalc.structs import Struct

Exact = int | Fraction
Monomial = tuple[tuple["Atom", int], ...]
"""Atoms with their powers, sorted; a negative power divides."""


class Symbol(Struct):
    """A variable with values of at least ``least``, and only integers if ``whole``."""

    name: str
    least: int = 1
    whole: bool = True
    place: int = 0
    """Position in a written term: the input before the kernel, the kernel before the padding."""

    @cached_property
    def key(self) -> tuple[int, str]:
        """Sort key among atoms."""
        return (self.place, self.name)

    @property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset([self])


class Function(Struct):
    """A function of polynomials: ``floor(a, b)`` is ⌊a/b⌋; the others are `min`, `max`, `gcd` and `inverse`."""

    name: str
    arguments: tuple[Polynomial, ...]

    @property
    def whole(self) -> bool:
        """True if it is always an integer."""
        return self.name == "floor" or (self.name != "inverse" and all(argument.whole for argument in self.arguments))

    @cached_property
    def key(self) -> tuple[int, str]:
        """Sort key among atoms: that of its first symbol."""
        places = [symbol.place for symbol in self.symbols]
        divisor = str(self.arguments[-1].constant or "").zfill(12)  # ⌊H/2⌋ before ⌊H/16⌋
        return (min(places, default=0), f"~{self.name}{divisor}{[argument.order for argument in self.arguments]}")

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset().union(*(argument.symbols for argument in self.arguments))

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.arguments))

    def __hash__(self) -> int:
        return self._hash


Atom = Symbol | Function


def plain(value: Exact) -> Exact:
    """Return the number; an integral fraction as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


class Polynomial:
    """A sum of monomials with exact coefficients, none of them 0."""

    def __init__(self, terms: Mapping[Monomial, Exact]) -> None:
        self.terms = {monomial: plain(factor) for monomial, factor in terms.items() if factor}

    @classmethod
    def of(cls, value: Exact | Atom | Polynomial) -> Polynomial:
        """Return a number or an atom as a polynomial."""
        if isinstance(value, Polynomial):
            return value
        if isinstance(value, (Symbol, Function)):
            return cls({((value, 1),): 1})
        return cls({(): value})

    @property
    def constant(self) -> Exact | None:
        """Its value if it has no symbols; else None."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    @cached_property
    def whole(self) -> bool:
        """True if it is an integer for all values of its symbols."""
        return all(isinstance(factor, int) and whole_monomial(monomial) for monomial, factor in self.terms.items())

    @cached_property
    def scale(self) -> int:
        """The least positive integer by which all coefficients become integers."""
        return lcm(1, *(Fraction(factor).denominator for factor in self.terms.values()))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset().union(*(atom.symbols for monomial in self.terms for atom, _ in monomial))

    @cached_property
    def order(self) -> str:
        """A text that is the same for equal polynomials in every process."""
        parts = [
            (tuple((atom.key, power) for atom, power in monomial), str(factor))
            for monomial, factor in self.terms.items()
        ]
        return str(sorted(parts))

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __repr__(self) -> str:
        return f"Polynomial({self.order})"

    # -- arithmetic

    def __add__(self, other: Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for monomial, factor in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + factor
        return Polynomial(terms)

    def __neg__(self) -> Polynomial:
        return self.times(-1)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def times(self, number: Exact) -> Polynomial:
        return Polynomial({monomial: factor * number for monomial, factor in self.terms.items()})

    def __mul__(self, other: Polynomial) -> Polynomial:
        terms: dict[Monomial, Exact] = {}
        for mine, left in self.terms.items():
            for theirs, right in other.terms.items():
                monomial = joined(mine, theirs)
                terms[monomial] = terms.get(monomial, 0) + left * right
        return Polynomial(terms)

    def __pow__(self, power: int) -> Polynomial:
        if power < 0:
            return inverse(self) ** -power
        result = ONE
        for _ in range(power):
            result = result * self
        return result

    # -- values

    def evaluate(self, values: Mapping[Symbol, Any]) -> Any:
        """Return the exact value for values of its symbols."""
        total: Any = 0
        for monomial, factor in self.terms.items():
            product: Any = factor
            for atom, power in monomial:
                product = (
                    product * value_of(atom, values) ** power
                    if power > 0
                    else (product * Fraction(1, value_of(atom, values)) ** -power)
                )
            total = total + product
        return plain(total)

    def replaced(self, replacements: Mapping[Symbol, Polynomial]) -> Polynomial:
        """Return the polynomial with symbols replaced, in normal form."""
        total = ZERO
        for monomial, factor in self.terms.items():
            product = Polynomial.of(factor)
            for atom, power in monomial:
                if isinstance(atom, Symbol):
                    base = replacements.get(atom, Polynomial.of(atom))
                else:
                    base = apply(atom.name, *(argument.replaced(replacements) for argument in atom.arguments))
                product = product * base**power
            total = total + product
        return total


ZERO = Polynomial({})
ONE = Polynomial({(): 1})


def whole_monomial(monomial: Monomial) -> bool:
    """True if the product of its atoms is always an integer."""
    return all(power > 0 and atom.whole for atom, power in monomial)


def joined(left: Monomial, right: Monomial) -> Monomial:
    """Return the product of two monomials."""
    if not left or not right:
        return left or right
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(((atom, power) for atom, power in powers.items() if power), key=_place))


def _place(factor: tuple[Atom, int]) -> tuple[int, str]:
    return factor[0].key


def value_of(atom: Atom, values: Mapping[Symbol, Any]) -> Any:
    """Return the exact value of an atom."""
    if isinstance(atom, Symbol):
        return values[atom]
    return EXACT[atom.name](*(argument.evaluate(values) for argument in atom.arguments))


EXACT: dict[str, Callable[..., Any]] = {
    "floor": lambda numerator, denominator: numerator // denominator,
    "min": min,
    "max": max,
    "gcd": gcd,
    "inverse": lambda number: Fraction(1) / number,
}
"""Functions over exact numbers."""


# -- functions in normal form


def apply(name: str, *arguments: Polynomial) -> Polynomial:
    """Return a function of polynomials in normal form."""
    constants = [argument.constant for argument in arguments]
    if None not in constants:
        return Polynomial.of(EXACT[name](*constants))
    if name == "floor":
        return floor_quotient(*arguments)
    if name == "inverse":
        return inverse(*arguments)
    if arguments[0] == arguments[1]:
        return arguments[0]
    # In normal form the arguments have integer coefficients: min(a/2, b/3) is min(3·a, 2·b)/6.
    scale = lcm(*(argument.scale for argument in arguments))
    scaled = sorted((argument.times(scale) for argument in arguments), key=lambda argument: argument.order)
    return Polynomial.of(Function(name, tuple(scaled))).times(Fraction(1, scale))


def inverse(denominator: Polynomial) -> Polynomial:
    """Return ``1 / denominator``; for a monomial, with negative powers."""
    if len(denominator.terms) == 1:
        ((monomial, factor),) = denominator.terms.items()
        return Polynomial({tuple((atom, -power) for atom, power in monomial): Fraction(1) / factor})
    return Polynomial.of(Function("inverse", (denominator,)))


def floor_quotient(numerator: Polynomial, denominator: Polynomial) -> Polynomial:
    """Return ``⌊numerator / denominator⌋``: terms that divide are outside the floor, the others inside."""
    if denominator.constant is None:
        exact = numerator * inverse(denominator)
        if exact.whole:
            return exact
        scale = lcm(numerator.scale, denominator.scale)
        return Polynomial.of(Function("floor", (numerator.times(scale), denominator.times(scale))))
    quotient = numerator.times(Fraction(1) / denominator.constant)
    outside: dict[Monomial, Exact] = {}
    inside: dict[Monomial, Exact] = {}
    for monomial, factor in quotient.terms.items():
        if not monomial:
            outside[()] = factor // 1
            inside[()] = factor % 1
        elif isinstance(factor, int) and whole_monomial(monomial):
            outside[monomial] = factor
        else:
            inside[monomial] = factor
    return Polynomial(outside) + _floor_of(Polynomial(inside))


def _floor_of(rest: Polynomial) -> Polynomial:
    """Return the floor of a polynomial whose terms do not divide."""
    if rest.constant is not None:
        return ZERO
    scale = rest.scale
    top = rest.times(scale)
    for monomial, factor in top.terms.items():
        # ⌊(⌊x/a⌋ + b)/s⌋ = ⌊(x + a·b)/(a·s)⌋ for an integer b and a number a > 0
        if factor == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], Function):
            function = monomial[0][0]
            others = top - Polynomial({monomial: 1})
            step = function.arguments[1].constant if function.name == "floor" else None
            if step is not None and step > 0 and others.whole:
                return floor_quotient(function.arguments[0] + others.times(step), Polynomial.of(step * scale))
    return Polynomial.of(Function("floor", (top, Polynomial.of(scale))))


# -- lower bounds


def at_least(polynomial: Polynomial) -> Exact | None:
    """Return a lower bound of the polynomial for all values of its symbols; None if none is found."""
    # Each atom is written as its least value plus a number of at least 0. If no coefficient is negative then, the
    # constant is a bound.
    shifts: dict[Atom, Symbol] = {}
    total = ZERO
    for monomial, factor in polynomial.terms.items():
        product = Polynomial.of(factor)
        for atom, power in monomial:
            least = _least(atom)
            if least is None or power < 0:
                return None
            beyond = shifts.setdefault(atom, Symbol(f"+{len(shifts)}", least=0))
            product = product * (Polynomial.of(least) + Polynomial.of(beyond)) ** power
        total = total + product
    constant = total.terms.get((), 0)
    if all(factor >= 0 for monomial, factor in total.terms.items() if monomial):
        return constant
    return None


def _least(atom: Atom) -> Exact | None:
    if isinstance(atom, Symbol):
        return atom.least
    bounds = [at_least(argument) for argument in atom.arguments]
    if atom.name == "floor" and bounds[0] is not None and atom.arguments[1].constant is not None:
        return plain(bounds[0] // atom.arguments[1].constant)
    if atom.name == "floor" and bounds[0] is not None and bounds[0] >= 0 and (bounds[1] or 0) > 0:
        return 0
    if atom.name in ("min", "max") and None not in bounds:
        return min(bounds) if atom.name == "min" else max(bounds)  # type: ignore[type-var]
    return 1 if atom.name == "gcd" else None
