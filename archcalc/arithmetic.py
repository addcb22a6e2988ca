"""The operations that rules need beyond `+ - * // %`, over any number system.

A rule works on ``int``, ``Fraction`` and traced numbers alike and never asks which it got. Operations that Python has
no operator for are functions here; a traced number brings its own as a method of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import gcd
from typing import Any

from archcalc.errors import UserError

# Rules are annotated as if they were over integers: whatever behaves like one may be handed in.
Dim = int
Shape = tuple[int, ...]


class ShapeError(UserError):
    """A condition of a rule does not hold; the message says which, in words."""


def require(condition: Any, message: Callable[[], str]) -> None:
    """Raise `ShapeError` if ``condition`` is false; do nothing where it cannot be decided."""
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
    """Return the larger of two numbers."""
    return _method(left, right, "maximum", max)


def minimum(left: Any, right: Any) -> Any:
    """Return the smaller of two numbers."""
    return _method(left, right, "minimum", min)


def common_divisor(left: Any, right: Any) -> Any:
    """Return the greatest common divisor of two integers."""
    return _method(left, right, "common_divisor", gcd)


def _method(left: Any, right: Any, name: str, plain: Callable[[Any, Any], Any]) -> Any:
    """Apply a symmetric function: the method of the number that has it, else the one for plain numbers."""
    if hasattr(left, name):
        return getattr(left, name)(right)
    return getattr(right, name)(left) if hasattr(right, name) else plain(left, right)


def ratio(numerator: Any, denominator: Any) -> Any:
    """The exact quotient: an int where whole, else a Fraction; for other number systems their own division."""
    if isinstance(numerator, int) and isinstance(denominator, int):
        if numerator % denominator == 0:
            return numerator // denominator
        from fractions import Fraction

        return Fraction(numerator, denominator)
    return numerator / denominator
