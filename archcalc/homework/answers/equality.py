"""The comparison of two formulas: equal by proof, different by numbers, or undecided.

Two formulas are equal only by proof, for all integers above 0 that fulfil the guards. The proof treats them as
quotients of polynomials, with a variable for each floor; or, if floors divide by numbers, it takes each class of
remainders, in which no floor is left. They differ only if numbers show it. Anything else is undecided, and left to a
person.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice, product
from math import gcd, lcm, prod
from typing import NamedTuple

from archcalc.symbolic.formulas import holds
from archcalc.symbolic.polynomials import ONE, ZERO, Atom, Function, Monomial, Polynomial, Symbol, at_least, joined
from archcalc.symbolic.traced import Guard

MOST_PRODUCTS = 300_000
"""The limit on products of two terms in one proof: about two seconds."""
MOST_EXPANDED = 100_000
"""The limit on terms in all classes of remainders of one proof."""
SMALL = 400
"""Places with small numbers from 1 on."""
NEAR = 800
"""Places around the constants."""
DRAWN = 100
"""Places with numbers of any size."""
MOST_DIGITS = 40


def equal(formula: Polynomial, other: Polynomial, guards: tuple[Guard, ...], numbers: Iterable[int]) -> bool | None:
    """Return True if two formulas are equal wherever the guards hold; None if that is undecided.

    ``numbers`` are those in the text of a formula: its polynomial need not have them any more.
    """
    if formula == other:
        return True
    if _refuted(formula, other, guards, _places(formula, other, guards, numbers)):
        return False
    try:
        work = _Work()
        return _same(formula, other, work) or _same_in_classes(formula, other, guards, work)
    except (_TooLarge, ZeroDivisionError):
        return None


def every(answers: Iterable[bool | None]) -> bool | None:
    """Return True if all are true, False if one is false, else None."""
    found = set(answers)
    return False if False in found else None if None in found else True


def some(answers: Iterable[bool | None]) -> bool | None:
    """Return True if one is true, False if all are false, else None."""
    found = set(answers)
    return True if True in found else None if None in found else False


# -- refuted


def _refuted(
    formula: Polynomial, other: Polynomial, guards: tuple[Guard, ...], places: Iterable[Mapping[Symbol, int]]
) -> bool:
    for place in places:
        try:
            if all(holds(guard, place) for guard in guards) and formula.evaluate(place) != other.evaluate(place):
                return True
        except ZeroDivisionError:  # a point at which a formula divides by 0 decides nothing
            continue
    return False


def _places(
    formula: Polynomial, other: Polynomial, guards: tuple[Guard, ...], numbers: Iterable[int]
) -> Iterator[dict[Symbol, int]]:
    """Yield points to evaluate at: small integers from 1, those around every constant in both formulas, huge ones."""
    symbols = (formula.symbols | other.symbols).union(*(guard.difference.symbols for guard in guards))
    names = sorted(symbols, key=lambda symbol: symbol.key)
    drawn = random.Random(formula.order + other.order)
    near = _around({*numbers, *_constants(formula), *_constants(other)})
    side = max(round(SMALL ** (1 / max(len(names), 1))), 1)

    def any_size() -> int:
        return drawn.randrange(1, 10 ** drawn.randrange(1, MOST_DIGITS))

    grid = product(range(1, side + 1), repeat=len(names))
    pools = near, [drawn.choice(near) for _ in near], range(1, side + 2)
    constants = ([drawn.choice(drawn.choice(pools)) for _ in names] for _ in range(NEAR if len(names) > 1 else 0))
    alone = ([value] * len(names) for value in near)
    huge = ([any_size() for _ in names] for _ in range(DRAWN))
    whole = lcm(*(divisor for guard in guards for divisor in _divisors(guard.difference).values()))
    for values in (*islice(grid, SMALL), *constants, *alone, *huge):
        for step in {1, whole}:
            yield {name: step * value for name, value in zip(names, values, strict=True)}


def _constants(formula: Polynomial) -> Iterator[int]:
    """Yield the integers in a formula, in its functions too."""
    for monomial, factor in formula.terms.items():
        yield from (abs(factor.numerator), factor.denominator)
        for atom, _ in monomial:
            for argument in atom.arguments if isinstance(atom, Function) else ():
                yield from _constants(argument)


def _around(numbers: set[int]) -> list[int]:
    """Return numbers near the constants, their roots, and the sums, differences, products, quotients of two."""
    given = sorted(numbers - {0})
    given = given[:20] + given[20:][-10:]
    pairs = {value for a, b in product(given, repeat=2) for value in (a + b, a - b, a * b, a // b)}
    roots = {round(a ** (1 / power)) for a in given if a < 10**MOST_DIGITS for power in (2, 3, 4)}
    wide = [a + step for a in given for step in range(-3, 4)]
    near = {a + step for a in {*pairs, *roots} for step in (-1, 0, 1)}
    few = sorted(near - set(wide))
    return sorted({value for value in (1, *wide, *few[:: len(few) // NEAR + 1]) if value > 0})


# -- proved by algebra


class _TooLarge(ArithmeticError):
    """A proof that would take too long."""


class _Work:
    """The remaining budget of a proof."""

    def __init__(self) -> None:
        self.left = MOST_PRODUCTS

    def times(self, left: Polynomial, right: Polynomial) -> Polynomial:
        """Return a product.

        Raises `_TooLarge` if the budget is used up.
        """
        self.left -= len(left.terms) * len(right.terms)
        if self.left < 0:
            raise _TooLarge
        return left * right


class _Quotient(NamedTuple):
    """A quotient of polynomials without functions, with whole factors that have no common divisor."""

    top: Polynomial
    bottom: Polynomial


class _Algebra:
    """Quotients, with a variable in place of every function that is not known to be something else."""

    def __init__(self, work: _Work) -> None:
        self.times = work.times
        self.floors: list[tuple[_Quotient, Symbol]] = []
        self.others: list[tuple[str, list[_Quotient], Symbol]] = []

    def product(self, left: _Quotient, right: _Quotient) -> _Quotient:
        return _reduced(self.times(left.top, right.top), self.times(left.bottom, right.bottom))

    def sum(self, left: _Quotient, right: _Quotient) -> _Quotient:
        if left.bottom == right.bottom:
            return _reduced(left.top + right.top, left.bottom)
        top = self.times(left.top, right.bottom) + self.times(right.top, left.bottom)
        return _reduced(top, self.times(left.bottom, right.bottom))

    def difference(self, left: _Quotient, right: _Quotient) -> _Quotient:
        return self.sum(left, _Quotient(-right.top, right.bottom))

    def of(self, formula: Polynomial) -> _Quotient:
        """Return a formula as a quotient.

        Raises `ZeroDivisionError` if it divides by 0.
        """
        total = _whole(ZERO)
        for monomial, factor in formula.terms.items():
            term = _whole(Polynomial.of(factor))
            for atom, power in monomial:
                inner = self.atom(atom)
                inner = inner if power > 0 else _inverse(inner)
                for _ in range(abs(power)):
                    term = self.product(term, inner)
            total = self.sum(total, term)
        return total

    def atom(self, atom: Atom) -> _Quotient:
        if isinstance(atom, Symbol):
            return _whole(Polynomial.of(atom))
        arguments = [self.of(argument) for argument in atom.arguments]
        if atom.name == "inverse":
            return _inverse(arguments[0])
        if atom.name == "floor":
            return self.floor(self.product(arguments[0], _inverse(arguments[1])))
        return self.other(atom.name, arguments, atom.whole)

    def floor(self, inside: _Quotient) -> _Quotient:
        """Return ⌊inside⌋: its exact value, a known floor and an integer, or a variable."""
        exact = self.divided(inside)
        if exact is not None and exact.whole:
            return _whole(exact)
        inside = self.unnested(inside)
        for known, symbol in self.floors:
            beyond = self.divided(self.difference(inside, known))
            if beyond is not None and beyond.whole:
                return _whole(Polynomial.of(symbol) + beyond)
        if inside.top.whole and self.is_positive(inside.bottom):
            # ⌊a/b⌋ = −⌊(−a − 1)/b⌋ − 1 for whole numbers: a ceiling is a floor too
            turned = _Quotient(-inside.top - ONE, inside.bottom)
            for known, symbol in self.floors:
                beyond = self.divided(self.difference(turned, known))
                if beyond is not None and beyond.whole:
                    return _whole(-Polynomial.of(symbol) - beyond - ONE)
        symbol = self.variable(whole=True)
        self.floors.append((inside, symbol))
        return _whole(Polynomial.of(symbol))

    def unnested(self, inside: _Quotient) -> _Quotient:
        """Return ⌊(⌊q⌋ + a)/b⌋ as ⌊(q + a)/b⌋, for an integer a and an integer b above 0."""
        if inside.top.whole and self.is_positive(inside.bottom):
            for known, symbol in self.floors:
                rest = inside.top - Polynomial.of(symbol)
                if symbol in inside.top.symbols and symbol not in rest.symbols:
                    top = self.sum(known, _whole(rest))
                    return self.unnested(_reduced(top.top, self.times(top.bottom, inside.bottom)))
        return inside

    def other(self, name: str, arguments: list[_Quotient], whole: bool) -> _Quotient:
        """Return a `min`, `max` or `gcd`: the argument that it always equals, a known one, or a variable."""
        for first, two in (arguments, arguments[::-1]):
            gap = self.divided(self.difference(first, two))
            least = at_least(gap) if gap is not None and self.is_known(gap) else None
            if name != "gcd" and least is not None and least >= 0:
                return two if name == "min" else first
        for known, others, symbol in self.others:
            for order in (others, others[::-1]):
                pairs = zip(arguments, order, strict=True)
                if known == name and not any(self.difference(first, two).top.terms for first, two in pairs):
                    return _whole(Polynomial.of(symbol))
        symbol = self.variable(whole)
        self.others.append((name, arguments, symbol))
        return _whole(Polynomial.of(symbol))

    def variable(self, whole: bool) -> Symbol:
        return Symbol(f"{len(self.floors)}·{len(self.others)}", whole=whole, place=-1)

    def is_known(self, formula: Polynomial) -> bool:
        """Return True if it has only the symbols of the network: nothing is known of how small a variable is."""
        return all(symbol.place >= 0 for symbol in formula.symbols)

    def is_positive(self, formula: Polynomial) -> bool:
        return formula.whole and self.is_known(formula) and (at_least(formula) or 0) > 0

    def divided(self, quotient: _Quotient) -> Polynomial | None:
        """Return the polynomial that a quotient equals; None if there is none."""
        symbols = tuple(quotient.top.symbols | quotient.bottom.symbols)
        below = _first(quotient.bottom, symbols)
        left, result = quotient.top, ZERO
        while left.terms:
            first = _first(left, symbols)
            shared = joined(first, tuple((atom, -power) for atom, power in below))
            if any(power < 0 for _, power in shared):
                return None
            step = Polynomial({shared: Fraction(left.terms[first]) / quotient.bottom.terms[below]})
            result = result + step
            left = left - self.times(step, quotient.bottom)
        return result


def _first(formula: Polynomial, symbols: tuple[Symbol, ...]) -> Monomial:
    """Return the first monomial in an order that products keep: by the power of the first symbol, then of the next."""

    def powers(monomial: Monomial) -> list[int]:
        of = dict(monomial)
        return [of.get(symbol, 0) for symbol in symbols]

    return max(formula.terms, key=powers)


def _whole(polynomial: Polynomial) -> _Quotient:
    return _reduced(polynomial, ONE)


def _inverse(quotient: _Quotient) -> _Quotient:
    if not quotient.top.terms:
        raise ZeroDivisionError
    return _reduced(quotient.bottom, quotient.top)


def _reduced(top: Polynomial, bottom: Polynomial) -> _Quotient:
    """Return a quotient without common powers and numbers."""
    scale = lcm(top.scale, bottom.scale)
    factors = [Fraction(factor) * scale for factor in (*bottom.terms.values(), *top.terms.values())]
    sign = 1 if bottom.terms[_first(bottom, tuple(sorted(bottom.symbols, key=lambda symbol: symbol.key)))] > 0 else -1
    powers = [dict(monomial) for monomial in (*bottom.terms, *top.terms)]
    common = {atom: min(power.get(atom, 0) for power in powers) for atom in powers[0]}
    away = Polynomial(
        {
            tuple((atom, -power) for atom, power in common.items() if power): Fraction(
                sign * scale, gcd(*(factor.numerator for factor in factors))
            )
        }
    )
    return _Quotient(top * away, bottom * away)


def _same(formula: Polynomial, other: Polynomial, work: _Work) -> bool | None:
    """Return True if algebra shows it, else None."""
    algebra = _Algebra(work)
    return not algebra.difference(algebra.of(formula), algebra.of(other)).top.terms or None


# -- proved for each remainder


def _divisors(formula: Polynomial) -> dict[Symbol, int]:
    """Return the divisors of the floors around each symbol: ⌊(⌊H/2⌋ + W)/3⌋ has 6 for H and 3 for W."""
    found: dict[Symbol, int] = {}
    for monomial in formula.terms:
        for atom, _ in monomial:
            if isinstance(atom, Function):
                divisor = atom.arguments[1].constant if atom.name == "floor" else 1
                for argument in atom.arguments if divisor else ():
                    inside = _divisors(argument)
                    for symbol in argument.symbols:
                        step = inside.get(symbol, 1) * argument.scale * Fraction(divisor or 1).numerator
                        found[symbol] = lcm(found.get(symbol, 1), step)
    return {symbol: divisor for symbol, divisor in found.items() if divisor > 1}


def _same_in_classes(formula: Polynomial, other: Polynomial, guards: tuple[Guard, ...], work: _Work) -> bool | None:
    """Return the result for every class of remainders of the symbols in which the guards can hold."""
    steps: dict[Symbol, int] = {}
    for side in (formula, other, *(guard.difference for guard in guards if guard.relation == "==")):
        for symbol, divisor in _divisors(side).items():
            steps[symbol] = lcm(steps.get(symbol, 1), divisor)
    terms = (_expanded(formula, steps) + _expanded(other, steps)) * prod(steps.values())
    if not steps or terms > MOST_EXPANDED:
        return None
    is_somewhere = False
    for remainders in product(*(range(step) for step in steps.values())):
        turned = {
            symbol: Polynomial.of(Symbol(f"{symbol.name}/{step}", least=0, place=symbol.place)).times(step)
            + Polynomial.of(remainder)
            for (symbol, step), remainder in zip(steps.items(), remainders, strict=True)
        }
        if any(_fails(guard, turned) for guard in guards):
            continue
        if not _same(formula.replaced(turned), other.replaced(turned), work):
            return None
        is_somewhere = True
    return is_somewhere or None


def _expanded(formula: Polynomial, steps: Mapping[Symbol, int]) -> int:
    """Return about how many terms a formula has when each of its symbols is written as a sum of two."""
    total = 0
    for monomial in formula.terms:
        terms = 1
        for atom, power in monomial:
            if isinstance(atom, Function):
                terms *= sum(_expanded(argument, steps) for argument in atom.arguments)
            elif atom in steps:
                terms *= abs(power) + 1
        total += terms
    return total


def _fails(guard: Guard, turned: Mapping[Symbol, Polynomial]) -> bool:
    """Return True if a guard holds nowhere in a class of remainders."""
    value = guard.difference.replaced(turned).constant if guard.relation == "==" else None
    return value is not None and value != 0
