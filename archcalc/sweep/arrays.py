"""Polynomials over NumPy arrays: exact, whole, and never wrapped around.

Each axis of a grid is an array of its own that broadcasts. A polynomial is added up so that as few operations as
possible run over the whole grid. Where a result, or anything on the way to it, could leave 64 bits, Python's own whole
numbers are used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import gcd
from typing import Any

import numpy

from archcalc.errors import UserError
from archcalc.symbolic.polynomials import Atom, Function, Monomial, Polynomial, Symbol
from archcalc.symbolic.traced import RELATIONS, Guard

Array = Any  # an int64 array, or one of Python's ints
SAFE = 2**62


class SymbolValues:
    """Values of the symbols: integers in arrays that broadcast to one shape."""

    def __init__(self, values: Mapping[Symbol, Array], shape: tuple[int, ...]) -> None:
        self.values = values
        self.shape = shape
        self.largest = {symbol: int(numpy.abs(array).max(initial=0)) for symbol, array in values.items()}
        self.machine = _Sums(values, len(shape), numpy.int64, numpy.gcd)

    @cached_property
    def exact(self) -> _Sums:
        """Sums in Python's whole numbers."""
        values = {symbol: array.astype(object) for symbol, array in self.values.items()}
        return _Sums(values, len(self.shape), object, numpy.frompyfunc(gcd, 2, 1))

    def evaluate(self, polynomial: Polynomial, where: Array = True) -> Array:
        """Return the polynomial's exact values as an array that broadcasts to the block.

        What stands outside of ``where`` means nothing. Raises `UserError` where a value is not whole.
        """
        scale = polynomial.scale
        sums = self.machine if self._bound(polynomial) < SAFE else self.exact
        total = sums.value(polynomial.times(scale))
        if scale == 1:
            return total
        if numpy.any((total % scale != 0) & where):
            raise UserError("this quantity is not an integer at every point of the sweep")
        return total // scale

    def holds(self, guard: Guard) -> Array:
        """Return the points at which a condition holds."""
        difference = self.evaluate(guard.difference.times(guard.difference.scale))
        return RELATIONS[guard.relation](difference, 0)

    def _bound(self, polynomial: Polynomial) -> int:
        """Return an upper bound of every magnitude in the computation."""
        scale = polynomial.scale
        total = inner = 0
        for monomial, factor in polynomial.terms.items():
            size = abs(int(factor * scale))
            for atom, power in monomial:
                magnitude = self._magnitude(atom)
                inner = max(inner, magnitude)
                size *= max(magnitude, 1) ** abs(power)
            total += size
        return max(total, inner)

    def _magnitude(self, atom: Atom) -> int:
        if isinstance(atom, Symbol):
            return self.largest[atom]
        return max(map(self._bound, atom.arguments)) + 1


class _Sums:
    """Sums over arrays of one type: that of the machine, or Python's whole numbers."""

    def __init__(self, values: Mapping[Symbol, Array], axes: int, dtype: type, gcd: Callable[..., Array]) -> None:
        self.values = values
        self.axes = axes
        self.dtype = dtype
        self.functions: dict[str, Callable[..., Array]] = {"min": numpy.minimum, "max": numpy.maximum, "gcd": gcd}
        self._atoms: dict[Atom, Array] = {}

    def value(self, polynomial: Polynomial) -> Array:
        """Return the values of a polynomial whose coefficients are integers, as they are inside functions."""
        return self._sum([(monomial, int(factor)) for monomial, factor in polynomial.terms.items()])

    def _sum(self, terms: list[tuple[Monomial, int]]) -> Array:
        """Return the sum, grouped by the axis with the fewest different factors, which are multiplied last."""
        groups = self._grouped(terms)
        if groups is None:
            return self._plain_sum(terms)
        total: Array = None
        for outer, inner in groups.items():
            part = self._sum(inner)
            if outer:
                part = part * self._monomial(outer)
            total = part if total is None else _added(total, part)
        return total

    def _grouped(self, terms: list[tuple[Monomial, int]]) -> dict[Monomial, list[tuple[Monomial, int]]] | None:
        """Return terms by their part along one axis; None if there is one axis only."""
        axes = {self._axes(atom) for monomial, _ in terms for atom, _ in monomial} - {frozenset()}
        best = None
        if len(axes) > 1:
            for axis in axes:
                groups: dict[Monomial, list[tuple[Monomial, int]]] = {}
                for monomial, factor in terms:
                    outer = tuple(power for power in monomial if self._axes(power[0]) == axis)
                    inner = tuple(power for power in monomial if self._axes(power[0]) != axis)
                    groups.setdefault(outer, []).append((inner, factor))
                if best is None or len(groups) < len(best):
                    best = groups
        return best

    def _axes(self, atom: Atom) -> frozenset[int]:
        """Return the axes of the block along which an atom changes."""
        return frozenset(
            axis for symbol in atom.symbols for axis, size in enumerate(self.values[symbol].shape) if size > 1
        )

    def _plain_sum(self, terms: list[tuple[Monomial, int]]) -> Array:
        total: Array = numpy.zeros((1,) * self.axes, self.dtype)
        for monomial, factor in terms:
            total = _added(total, self._monomial(monomial) * factor if monomial else factor)
        return total

    def _monomial(self, monomial: Monomial) -> Array:
        result: Array = None
        for atom, power in monomial:
            if power < 0:
                raise UserError("a quantity is a quotient that may not be an integer")
            value = self._atom(atom)
            for _ in range(power):
                result = value if result is None else result * value
        return result

    def _atom(self, atom: Atom) -> Array:
        if atom not in self._atoms:
            self._atoms[atom] = self._atom_value(atom)
        return self._atoms[atom]

    def _atom_value(self, atom: Symbol | Function) -> Array:
        if isinstance(atom, Symbol):
            return self.values[atom]
        arguments = [self.value(argument) for argument in atom.arguments]
        if atom.name == "floor":
            # A network whose divisor is 0 cannot be built: the point is left out, so its value does not matter.
            return arguments[0] // numpy.where(arguments[1] == 0, 1, arguments[1])
        if atom.name not in self.functions:
            raise UserError("a quantity is a quotient that may not be an integer")
        return self.functions[atom.name](*arguments)


def _added(total: Array, part: Array) -> Array:
    """Return the sum; computed in place if the result has the shape of the first array."""
    if not isinstance(part, int) and total.shape != numpy.broadcast_shapes(total.shape, part.shape):
        return total + part
    total = total if total.flags.owndata and total.flags.writeable else total.copy()
    total += part
    return total
