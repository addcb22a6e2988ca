"""Traced numbers: each has a value, and records how it was computed and every comparison made with it.

A rule that runs over them gives the number in the table and its closed form. The comparisons of the run
(``channels % groups == 0``, ``padded >= extent``) are *guards*: where they hold, the closed form equals the table.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from operator import eq, ge, lt, ne
from typing import Any, NamedTuple

from archcalc.errors import UserError
from archcalc.symbolic.polynomials import Exact, Polynomial, Symbol, apply, at_least, inverse, plain

MOST_POWER = 50
"""Largest exponent of a symbol."""
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {"==": eq, "!=": ne, ">=": ge, "<": lt}
SWAPPED = {">": "<", "<=": ">="}
NEGATED = {"==": "!=", "!=": "==", ">=": "<", "<": ">="}


class Guard(NamedTuple):
    """``left relation right``, which held when the rule ran. The relation is one of ``== != >= <``."""

    left: Polynomial
    relation: str
    right: Polynomial

    @property
    def difference(self) -> Polynomial:
        """``left − right``, to be compared with 0."""
        return self.left - self.right

    def pins(self, symbol: Symbol) -> bool:
        """Return True if it gives a symbol one value."""
        return self.relation == "==" and self.left == Polynomial.of(symbol) and self.right.constant is not None

    @property
    def always(self) -> bool:
        """True if it holds for all values of the symbols; False if it may not, or if that is unknown."""
        least = at_least(self.difference)
        if self.relation == ">=":
            return least is not None and least >= 0
        if self.relation == "<":
            above = at_least(-self.difference)
            return above is not None and above > 0
        if self.relation == "!=":
            most = at_least(-self.difference)
            return (least is not None and least > 0) or (most is not None and most > 0)
        return False


class Trace:
    """One run over traced numbers: symbols with their values, and guards."""

    def __init__(self) -> None:
        self.values: dict[Symbol, Exact] = {}
        self.guards: dict[Guard, None] = {}

    def symbol(self, symbol: Symbol, value: Exact) -> Traced:
        self.values[symbol] = value
        return Traced(self, value, Polynomial.of(symbol))

    def number(self, polynomial: Polynomial) -> Any:
        """Return a polynomial over this run's symbols as a number."""
        constant = polynomial.constant
        return constant if constant is not None else Traced(self, polynomial.evaluate(self.values), polynomial)

    def decide(self, left: Polynomial, relation: str, right: Polynomial, holds: bool) -> Any:
        """Record a comparison and its outcome; return the outcome."""
        self.guards[Guard(left, relation if holds else NEGATED[relation], right)] = None
        return holds


class UndecidedGuard:
    """A comparison without an outcome: `bool()` of it raises `TypeError`."""

    def __bool__(self) -> bool:
        raise TypeError("a comparison of symbols cannot be decided")

    def __and__(self, other: object) -> UndecidedGuard:
        return self

    __rand__ = __or__ = __ror__ = __and__


class Undecided(Trace):
    """A run that decides no comparison, so `require` accepts everything."""

    def decide(self, left: Polynomial, relation: str, right: Polynomial, holds: bool) -> Any:
        """Return a comparison without an outcome."""
        return UndecidedGuard()


class Traced:
    """A number that records how it was computed.

    It compares, divides and rounds like its value; every comparison whose outcome depends on a symbol is recorded as a
    guard. Its hash is that of its polynomial, so numbers that are equal only in this run hash differently.
    """

    __slots__ = ("polynomial", "trace", "value")

    def __init__(self, trace: Trace, value: Exact, polynomial: Polynomial) -> None:
        self.trace = trace
        self.value = value
        self.polynomial = polynomial

    def _new(self, value: Any, polynomial: Polynomial) -> Any:
        constant = polynomial.constant
        return plain(constant) if constant is not None else Traced(self.trace, plain(value), polynomial)

    def __add__(self, other: Any) -> Any:
        return self._new(self.value + value_of(other), self.polynomial + polynomial_of(other))

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self._new(-self.value, -self.polynomial)

    def __sub__(self, other: Any) -> Any:
        return self._new(self.value - value_of(other), self.polynomial - polynomial_of(other))

    def __rsub__(self, other: Any) -> Any:
        return self._new(value_of(other) - self.value, polynomial_of(other) - self.polynomial)

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, (int, Fraction, Traced)):
            return NotImplemented
        return self._new(self.value * value_of(other), self.polynomial * polynomial_of(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._new(Fraction(self.value) / value_of(other), self.polynomial * inverse(polynomial_of(other)))

    def __rtruediv__(self, other: Any) -> Any:
        return self._new(Fraction(value_of(other)) / self.value, polynomial_of(other) * inverse(self.polynomial))

    def __floordiv__(self, other: Any) -> Any:
        return self._new(self.value // value_of(other), apply("floor", self.polynomial, polynomial_of(other)))

    def __rfloordiv__(self, other: Any) -> Any:
        return self._new(value_of(other) // self.value, apply("floor", polynomial_of(other), self.polynomial))

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return other - (other // self) * self

    def __pow__(self, power: Any) -> Any:
        exponent = power.__index__()
        if abs(exponent) > MOST_POWER:
            raise UserError(f"the exponent of a symbol is at most {MOST_POWER}, got {exponent}")
        return self._new(Fraction(self.value) ** exponent, self.polynomial**exponent)

    def __rpow__(self, base: Any) -> Any:
        return base ** self.__index__()

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __round__(self, digits: Any = None) -> Any:
        """Round to the nearest integer; exactly a half pins the value, because it rounds to even."""
        half = self + Fraction(1, 2)
        return round(self._pinned()) if half % 1 == 0 else half // 1

    def maximum(self, other: Any) -> Any:
        """Return the larger of the two."""
        return self._chosen("max", other)

    def minimum(self, other: Any) -> Any:
        """Return the smaller of the two."""
        return self._chosen("min", other)

    def _chosen(self, name: str, other: Any) -> Any:
        """Return the number that is always the right one of the two; if neither is, a `min` or `max` of both."""
        mine, theirs = self.polynomial, polynomial_of(other)
        value = min(self.value, value_of(other)) if name == "min" else max(self.value, value_of(other))
        for larger, smaller in ((mine, theirs), (theirs, mine)):
            if Guard(larger, ">=", smaller).always:
                return self._new(value, larger if name == "max" else smaller)
        return self._new(value, apply(name, mine, theirs))

    def common_divisor(self, other: Any) -> Any:
        """Return the greatest common divisor."""
        import math

        value = math.gcd(int(self.value), int(value_of(other)))
        return self._new(value, apply("gcd", self.polynomial, polynomial_of(other)))

    # -- decisions

    def _compare(self, other: Any, relation: str, holds: bool) -> Any:
        """Decide ``self relation other``; ``>`` and ``<=`` are recorded with the sides swapped."""
        left, right = self.polynomial, polynomial_of(other)
        if relation in SWAPPED:
            left, right, relation = right, left, SWAPPED[relation]
        return holds if (left - right).constant is not None else self.trace.decide(left, relation, right, holds)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, (int, Fraction, Traced)) or isinstance(other, bool):
            return False
        return self._compare(other, "==", self.value == value_of(other))

    def __ne__(self, other: object) -> Any:
        if not isinstance(other, (int, Fraction, Traced)) or isinstance(other, bool):
            return True
        return self._compare(other, "!=", self.value != value_of(other))

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, ">=", self.value >= value_of(other))

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "<", self.value < value_of(other))

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, ">", self.value > value_of(other))

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "<=", self.value <= value_of(other))

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __hash__(self) -> int:
        """Hash the polynomial: numbers that are equal only in this run are not taken for one another."""
        return hash(self.polynomial)

    @property
    def denominator(self) -> int:
        """1 for an integer. A guard is recorded unless the polynomial is always an integer."""
        if self.polynomial.whole or self % 1 == 0:
            return 1
        return Fraction(self.value).denominator

    def _pinned(self) -> Exact:
        """Return the value, with a guard that the number equals it."""
        self.trace.decide(self.polynomial, "==", Polynomial.of(self.value), True)
        return self.value

    def __index__(self) -> int:
        value = self._pinned()
        if not isinstance(value, int):
            raise TypeError(f"{value} is not an integer")
        return value

    def __float__(self) -> float:
        return float(self._pinned())

    def __repr__(self) -> str:
        return str(self.value)


def value_of(number: Any) -> Any:
    """Return the value of a number, traced or not."""
    return number.value if isinstance(number, Traced) else number


def polynomial_of(number: Any) -> Polynomial:
    """Return the polynomial of a number; a plain number is a constant."""
    return number.polynomial if isinstance(number, Traced) else Polynomial.of(number)
