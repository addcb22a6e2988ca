"""Polynomials over symbols, floors and the few other functions that rules use: how a traced number was computed.

A polynomial is kept in one normal form, so equal sizes that were computed in two ways are one object's worth of
terms: a floor keeps only what does not divide, and floors of floors become one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

Exact = int | Fraction
Monomial = tuple[tuple["Atom", int], ...]
"""Atoms with their powers, in order; a negative power divides."""


@dataclass(frozen=True)
class Symbol:
    """A variable. It is never below ``least``; ``whole`` says whether it takes whole numbers only."""

    name: str
    least: int = 1
    whole: bool = True
    place: int = 0
    """Where people write it among others: the input before the kernel, the kernel before the padding."""

    @cached_property
    def key(self) -> tuple[int, str]:
        """Order among atoms."""
        return (self.place, self.name)

    @property
    def symbols(self) -> frozenset[Symbol]:
        """The symbols in it."""
        return frozenset([self])


@dataclass(frozen=True)
class Function:
    """A function of polynomials: ``floor(a, b)`` is ⌊a/b⌋; the others are `min`, `max`, `gcd` and `inverse`."""

    name: str
    arguments: tuple[Polynomial, ...]

    @property
    def whole(self) -> bool:
        """Whether it is always a whole number."""
        return self.name == "floor" or (self.name != "inverse" and all(one.whole for one in self.arguments))

    @cached_property
    def key(self) -> tuple[int, str]:
        """Order among atoms: that of the first symbol in it."""
        places = [symbol.place for symbol in self.symbols]
        divisor = str(self.arguments[-1].constant or "").zfill(12)  # ⌊H/2⌋ before ⌊H/16⌋
        return (min(places, default=0), f"~{self.name}{divisor}{[one.order for one in self.arguments]}")

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        """The symbols in it."""
        return frozenset().union(*(one.symbols for one in self.arguments))

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.arguments))

    def __hash__(self) -> int:
        return self._hash


Atom = Symbol | Function


def plain(value: Exact) -> Exact:
    """A whole fraction as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


class Polynomial:
    """A sum of monomials with exact coefficients, none of them 0."""

    def __init__(self, terms: Mapping[Monomial, Exact]) -> None:
        self.terms = {monomial: plain(factor) for monomial, factor in terms.items() if factor}

    @classmethod
    def of(cls, value: Exact | Atom | Polynomial) -> Polynomial:
        """The polynomial that a number or an atom is."""
        if isinstance(value, Polynomial):
            return value
        if isinstance(value, (Symbol, Function)):
            return cls({((value, 1),): 1})
        return cls({(): value})

    @property
    def constant(self) -> Exact | None:
        """Its value, if it is a number."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    @cached_property
    def whole(self) -> bool:
        """Whether it is a whole number wherever its symbols are."""
        return all(isinstance(factor, int) and whole_monomial(monomial) for monomial, factor in self.terms.items())

    @cached_property
    def scale(self) -> int:
        """The least number that makes all its factors whole."""
        return lcm(1, *(Fraction(factor).denominator for factor in self.terms.values()))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        """The symbols in it."""
        return frozenset().union(*(atom.symbols for monomial in self.terms for atom, _ in monomial))

    @cached_property
    def order(self) -> str:
        """A text that is the same for equal polynomials, in every process."""
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
        """The polynomial times a number."""
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
        """The value for given values of its symbols, exactly."""
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
        """The polynomial with symbols replaced, in normal form again."""
        total = ZERO
        for monomial, factor in self.terms.items():
            product = Polynomial.of(factor)
            for atom, power in monomial:
                if isinstance(atom, Symbol):
                    one = replacements.get(atom, Polynomial.of(atom))
                else:
                    one = apply(atom.name, *(argument.replaced(replacements) for argument in atom.arguments))
                product = product * one**power
            total = total + product
        return total


ZERO = Polynomial({})
ONE = Polynomial({(): 1})


def whole_monomial(monomial: Monomial) -> bool:
    """Whether the product of its atoms is always a whole number."""
    return all(power > 0 and atom.whole for atom, power in monomial)


def joined(one: Monomial, other: Monomial) -> Monomial:
    """The product of two monomials."""
    if not one or not other:
        return one or other
    powers = dict(one)
    for atom, power in other:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(((atom, power) for atom, power in powers.items() if power), key=_place))


def _place(factor: tuple[Atom, int]) -> tuple[int, str]:
    return factor[0].key


def value_of(atom: Atom, values: Mapping[Symbol, Any]) -> Any:
    """The exact value of an atom."""
    if isinstance(atom, Symbol):
        return values[atom]
    return EXACT[atom.name](*(argument.evaluate(values) for argument in atom.arguments))


def _gcd(left: int, right: int) -> int:
    import math

    return math.gcd(left, right)


EXACT: dict[str, Callable[..., Any]] = {
    "floor": lambda numerator, denominator: numerator // denominator,
    "min": min,
    "max": max,
    "gcd": _gcd,
    "inverse": lambda number: Fraction(1) / number,
}
"""What a function is over exact numbers."""


# -- functions in normal form


def apply(name: str, *arguments: Polynomial) -> Polynomial:
    """A function of polynomials, simplified."""
    constants = [one.constant for one in arguments]
    if all(one is not None for one in constants):
        return Polynomial.of(EXACT[name](*constants))
    if name == "floor":
        return floor_quotient(*arguments)
    if name == "inverse":
        return inverse(*arguments)
    if arguments[0] == arguments[1]:
        return arguments[0]
    # The arguments have whole factors: min(a/2, b/3) is min(3·a, 2·b)/6.
    scale = lcm(*(one.scale for one in arguments))
    scaled = sorted((one.times(scale) for one in arguments), key=lambda one: one.order)
    return Polynomial.of(Function(name, tuple(scaled))).times(Fraction(1, scale))


def inverse(denominator: Polynomial) -> Polynomial:
    """``1 / denominator``; of a monomial by negative powers."""
    if len(denominator.terms) == 1:
        ((monomial, factor),) = denominator.terms.items()
        return Polynomial({tuple((atom, -power) for atom, power in monomial): Fraction(1) / factor})
    return Polynomial.of(Function("inverse", (denominator,)))


def floor_quotient(numerator: Polynomial, denominator: Polynomial) -> Polynomial:
    """``⌊numerator / denominator⌋``: exact where every term divides, otherwise with a floor around the rest."""
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
    """The floor of a polynomial that has no whole part."""
    if rest.constant is not None:
        return ZERO
    scale = rest.scale
    top = rest.times(scale)
    for monomial, factor in top.terms.items():
        # ⌊(⌊x/a⌋ + b)/s⌋ = ⌊(x + a·b)/(a·s)⌋ for whole b and a number a above 0
        if factor == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], Function):
            function = monomial[0][0]
            others = top - Polynomial({monomial: 1})
            step = function.arguments[1].constant if function.name == "floor" else None
            if step is not None and step > 0 and others.whole:
                return floor_quotient(function.arguments[0] + others.times(step), Polynomial.of(step * scale))
    return Polynomial.of(Function("floor", (top, Polynomial.of(scale))))


# -- what always holds


def at_least(polynomial: Polynomial) -> Exact | None:
    """A number that the polynomial is never below; None where none is found."""
    # Each atom is its least value and something not below 0 beside it: what then has no negative term grows.
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
