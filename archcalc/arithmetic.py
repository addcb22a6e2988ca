"""Operations on numbers beyond `+ - * // %`, over any number system.

A rule works on ``int``, ``Fraction`` and traced numbers, and never tests which it got. Operations without a Python
operator are functions here. A traced number has its own as a method of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import gcd
from typing import TYPE_CHECKING, Any, TypeGuard

from archcalc.errors import UserError

if TYPE_CHECKING:
    from fractions import Fraction

# Rules are annotated for integers; anything that behaves like one works too.
Dim = int
Shape = tuple[int, ...]


class ShapeError(UserError):
    """An input shape or an argument does not fit an operator; the message says why."""

    code = "A003"


def require(condition: Any, message: Callable[[], str]) -> None:
    """Raise `ShapeError` if ``condition`` is False; do nothing if it cannot be decided."""
    if condition is not True and decided(condition) is False:
        raise ShapeError(message())


def decided(condition: Any) -> bool | None:
    """Return the truth of a condition; None if it cannot be decided."""
    try:
        return bool(condition)
    except (TypeError, ValueError):
        return None


def as_index(number: Any) -> int | None:
    """Return a number as an int for counting or indexing; None if it is not an integer, or is a symbol."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        return None
    try:
        return int(number.__index__())
    except TypeError:
        return None


def as_python(value: Any) -> Any:
    """Return the numbers and arrays of NumPy in a value as those of Python; NumPy's integers overflow."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {as_python(key): as_python(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_python(item) for item in value]
    return value


def product(numbers: Iterable[Any]) -> Dim:
    """Return the product of ``numbers``; 1 if there are none."""
    result: Dim = 1
    for number in numbers:
        result = result * number
    return result


def ceil_div(numerator: Dim, denominator: Dim) -> Dim:
    """Return ``numerator / denominator`` rounded up, by the floor division that every number system has."""
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
    """Apply a symmetric function: a method of either number, else the function for plain numbers."""
    if hasattr(left, name):
        return getattr(left, name)(right)
    return getattr(right, name)(left) if hasattr(right, name) else plain(left, right)


def is_fraction(value: Any) -> TypeGuard[Fraction]:
    """Return True for a `Fraction`; by its name, because most networks have none and need not import the module."""
    return type(value).__name__ == "Fraction"


def ratio(numerator: Any, denominator: Any) -> Any:
    """Return the exact quotient: an int or a Fraction for integers, else the result of `/`."""
    if isinstance(numerator, int) and isinstance(denominator, int):
        if numerator % denominator == 0:
            return numerator // denominator
        from fractions import Fraction

        return Fraction(numerator, denominator)
    return numerator / denominator
