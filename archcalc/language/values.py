"""Values in expressions and functions over them: exact, bounded, and over any number system."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, Protocol

from archcalc.arithmetic import Shape, as_index, ceil_div, is_fraction, maximum, minimum, ratio
from archcalc.errors import UserError
from archcalc.language.limits import exceeded, limit
from archcalc.words import did_you_mean, quote

MAX_LIST = 1000


class ExpressionError(UserError):
    """An invalid expression. ``offset`` and ``length`` point into its text; a length of 0 is an unknown place."""

    code = "A204"

    def __init__(self, message: str, offset: int = 0, length: int = 1) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length


class UnknownShape(Exception):
    """The expression needs a shape that is unknown after an earlier error."""


class ShapeValue:
    """`input` in an expression: the shape of the step's input, per sample."""

    __slots__ = ("shape",)

    def __init__(self, shape: Shape | None) -> None:
        self.shape = shape

    def known(self) -> Shape:
        """Return the shape; raise `UnknownShape` after an earlier error."""
        if self.shape is None:
            raise UnknownShape
        return self.shape

    def attribute(self, name: str) -> Any:
        """Return a part of the shape, such as `channels`; raise `KeyError` for an unknown part."""
        return PARTS[name](self.known())

    def __eq__(self, other: object) -> bool:
        """True for the same shape, also as a list: `input == [3, 32, 32]`."""
        if isinstance(other, ShapeValue):
            other = other.known()
        return isinstance(other, (list, tuple)) and list(self.known()) == list(other)

    def __hash__(self) -> int:
        return hash(self.shape)


class EarlierSteps(Protocol):
    """The steps that an expression can name."""

    def shape(self, path: str) -> ShapeValue | None:
        """Return the shape that a step gives; None if there is no such step."""

    def unknown(self, path: str, variables: Iterable[str]) -> str:
        """Return the message for a name that is neither a step nor a variable."""


class Record:
    """Named values in an expression, such as those of a layer: `layer['conv1'].params`.

    ``what`` is its name in messages.
    """

    __slots__ = ("values", "what")

    def __init__(self, what: str, values: Mapping[str, Any]) -> None:
        self.what = what
        self.values = values

    def get(self, name: str) -> Any:
        """Return the value of a name; raise `ExpressionError` with the nearest name if there is none."""
        try:
            return self.values[name]
        except KeyError:
            raise ExpressionError(f"{self.what} has no {quote(name)}{did_you_mean(name, self.values)}", 0, 0) from None


def _size(shape: Shape) -> int:
    size = 1
    for dimension in shape:
        size = size * dimension
    return size


PARTS: dict[str, Callable[[Shape], Any]] = {
    "channels": lambda shape: shape[0],
    "depth": lambda shape: shape[-3],
    "height": lambda shape: shape[-2],
    "width": lambda shape: shape[-1],
    "length": lambda shape: shape[-1],
    "features": lambda shape: shape[-1],
    "size": _size,
    "shape": list,
}


def checked(value: Any) -> Any:
    """Return the value, an integral fraction as an int; raise for too many digits or too long a list."""
    kind = type(value)
    if kind is int:
        if value.bit_length() > 64 and value.bit_length() > limit("digits") * 3.33:
            raise ExpressionError(exceeded("digits", "this number is too large"), 0, 0)
    elif is_fraction(value):
        if value.denominator == 1:
            return checked(value.numerator)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > limit("digits") * 3.33:
            raise ExpressionError(exceeded("digits", "this fraction is too long"), 0, 0)
    elif (kind is float and not math.isfinite(value)) or kind is complex:
        raise ExpressionError("the result is not a finite real number", 0, 0)
    elif kind is list and _length(value) > MAX_LIST:
        raise ExpressionError(f"a list has at most {MAX_LIST} values, including those of nested lists", 0, 0)
    return value


def _length(values: list[Any]) -> int:
    """Return the number of values, with those of nested lists; counting stops above the limit."""
    length = len(values)
    if length <= MAX_LIST and list in map(type, values):
        for value in values:
            if length > MAX_LIST:
                break
            length += _length(value) if isinstance(value, list) else 0
    return length


def leaves(value: Any) -> Iterator[Any]:
    """Yield the values of a list and of nested lists, or of named sizes."""
    if not isinstance(value, (list, tuple, dict)):
        yield value
        return
    for item in value.values() if isinstance(value, dict) else value:
        yield from leaves(item)


def is_plain(value: Any) -> bool:
    """True for a number, a string, a shape, or a list of these; False for a traced number."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return isinstance(value, (int, str, float, type(None))) or is_fraction(value)


def number(value: Any) -> Any:
    """Return the value; raise `TypeError` if it is not a number."""
    if isinstance(value, (str, list, tuple, ShapeValue, type(None))):
        raise TypeError
    return value


def _power(base: Any, exponent: Any) -> Any:
    number(base), number(exponent)
    if isinstance(exponent, int) and hasattr(base, "numerator"):
        bits = max(int(base.numerator).bit_length(), int(getattr(base, "denominator", 1)).bit_length())
        if bits * abs(exponent) > limit("digits") * 4:
            raise ExpressionError(exceeded("digits", "this power is too large"), 0, 0)
        return base**exponent if exponent >= 0 else ratio(1, base**-exponent)
    return base**exponent


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    return number(left) + number(right)


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, list) and (times := as_index(right)) is not None:
        if len(left) * times > MAX_LIST:
            raise ExpressionError(f"a list has at most {MAX_LIST} values", 0, 0)
        return left * times
    return number(left) * number(right)


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _plus,
    ast.Sub: lambda left, right: number(left) - number(right),
    ast.Mult: _times,
    ast.Div: lambda left, right: ratio(number(left), number(right)),
    ast.FloorDiv: lambda left, right: number(left) // number(right),
    ast.Mod: lambda left, right: number(left) % number(right),
    ast.Pow: _power,
}

INTEGER: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
"""The same operations on two integers, which need no checks before."""

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}

CONSTANTS = {"true": True, "false": False, "null": None}


def _values(arguments: tuple[Any, ...]) -> list[Any]:
    values = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (list, tuple)) else arguments
    if not values:
        raise TypeError
    return [number(value) for value in values]


def _floor(value: Any) -> Any:
    return math.floor(value) if isinstance(value, float) else number(value) // 1


def _ceil(value: Any) -> Any:
    return math.ceil(value) if isinstance(value, float) else ceil_div(number(value), 1)


def _log2(value: Any) -> Any:
    if isinstance(value, int) and value > 0 and value & (value - 1) == 0:
        return value.bit_length() - 1
    return math.log2(number(value))


def _sqrt(value: Any) -> Any:
    if isinstance(value, int) and value >= 0 and math.isqrt(value) ** 2 == value:
        return math.isqrt(value)
    return math.sqrt(number(value))


def _range(*arguments: int) -> list[int]:
    values = range(*arguments)
    if len(values) > MAX_LIST:
        raise ExpressionError(f"a list has at most {MAX_LIST} values, got {len(values):,}", 0, 0)
    return list(values)


def _sum(values: Any) -> Any:
    return sum(map(number, values.known() if isinstance(values, ShapeValue) else values))


def _len(values: Any) -> int:
    return len(values.known() if isinstance(values, ShapeValue) else values)


def round_to(value: Any, divisor: Any) -> Any:
    """Return the nearest multiple of ``divisor`` that is at least ``divisor`` and at least 0.9 times ``value``.

    This is how MobileNets round their channels (`_make_divisible` in torchvision/models/_utils.py).
    """
    rounded = maximum(divisor, (number(value) + ratio(divisor, 2)) // divisor * divisor)
    return rounded + divisor if rounded * 10 < value * 9 else rounded


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *arguments: reduce(minimum, _values(arguments)),
    "max": lambda *arguments: reduce(maximum, _values(arguments)),
    "round": lambda value: round(number(value)),  # a half to the even integer
    "ceil": _ceil,
    "floor": _floor,
    "log2": _log2,
    "sqrt": _sqrt,
    "abs": lambda value: abs(number(value)),
    "len": _len,
    "range": _range,
    "sum": _sum,
    "round_to": round_to,
}

OVER_LISTS = ("min", "max", "range", "sum")
"""Functions whose work grows with a list."""
