"""The few operations that rules need beyond `+ - * // %`, over any number system.

A rule is handed ``int``, ``Fraction``, SymPy expressions, NumPy arrays or traced terms and must not care which. Floor
division is the `//` operator of every one of them; what has no operator stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from archcalc.errors import UserError

# Rules are annotated as if they were over integers: whatever behaves like one may be handed in.
Dim = int
Shape = tuple[int, ...]


class ShapeError(UserError):
    """A condition of a rule does not hold; the message says which, in words."""


def require(condition: Any, message: Callable[[], str]) -> None:
    """Raise `ShapeError` if ``condition`` is false; do nothing where it cannot be decided (symbols, arrays)."""
    if condition is not True and decided(condition) is False:
        raise ShapeError(message())


def decided(condition: Any) -> bool | None:
    """Whether a condition holds; None where that cannot be decided."""
    try:
        return bool(condition)
    except (TypeError, ValueError):
        return None


def counted(number: Any) -> int | None:
    """The number as an int that can count turns or name a place in a list; None if it is none, or a symbol."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        return None
    try:
        return int(number.__index__())
    except TypeError:
        return None


def product(numbers: Iterable[Any]) -> Any:
    """The product of ``numbers``; 1 if there are none."""
    result: Any = 1
    for number in numbers:
        result = result * number
    return result


def ceil_div(numerator: Any, denominator: Any) -> Any:
    """``numerator / denominator`` rounded up, by the floor division that every number system has."""
    return -(-numerator // denominator)


def maximum(left: Any, right: Any) -> Any:
    """The larger of two numbers; of two arrays, element by element."""
    return _choose(left, right, "maximum", "Max")


def minimum(left: Any, right: Any) -> Any:
    """The smaller of two numbers; of two arrays, element by element."""
    return _choose(left, right, "minimum", "Min")


def _choose(left: Any, right: Any, numpy_name: str, sympy_name: str) -> Any:
    plain = isinstance(left, int) and isinstance(right, int)
    for number, other in () if plain else ((left, right), (right, left)):
        if hasattr(number, numpy_name):
            return getattr(number, numpy_name)(other)
        if hasattr(number, "free_symbols"):
            import sympy

            return getattr(sympy, sympy_name)(left, right)
        if hasattr(number, "__array_ufunc__"):
            import numpy

            return getattr(numpy, numpy_name)(left, right)
    return max(left, right) if sympy_name == "Max" else min(left, right)


def ratio(numerator: Any, denominator: Any) -> Any:
    """The exact quotient: an int where whole, else a Fraction; for other number systems their own division."""
    if isinstance(numerator, int) and isinstance(denominator, int):
        if numerator % denominator == 0:
            return numerator // denominator
        from fractions import Fraction

        return Fraction(numerator, denominator)
    return numerator / denominator


def common_divisor(left: Any, right: Any) -> Any:
    """The greatest common divisor; of symbols, an unevaluated `gcd`."""
    if isinstance(left, int) and isinstance(right, int):
        import math

        return math.gcd(left, right)
    for number, other in ((left, right), (right, left)):
        if hasattr(number, "common_divisor"):
            return number.common_divisor(other)
    if hasattr(left, "__array_ufunc__") or hasattr(right, "__array_ufunc__"):
        import numpy

        return numpy.gcd(left, right)
    import sympy

    if left % right == 0:
        return right
    return sympy.Function("gcd", integer=True, positive=True)(left, right)
