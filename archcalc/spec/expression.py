"""The arithmetic allowed where a number is expected: parsed by Python's own grammar, evaluated by us.

Numbers are exact: whole numbers and fractions (`0.35` is 35/100), never floats, but for irrational square roots and
logarithms. What a value is, is never asked: symbols pass through.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from archcalc.arithmetic import Shape, ceil_div, maximum, minimum, ratio
from archcalc.spec.errors import did_you_mean, quote
from archcalc.spec.limits import exceeded, limit

MAX_LENGTH = 1000
MAX_LIST = 1000


class ExpressionError(ValueError):
    """An expression that cannot be parsed or evaluated; ``offset`` and ``length`` point into its text."""

    def __init__(self, message: str, offset: int = 0, length: int = 1) -> None:
        super().__init__(message)
        self.offset = offset
        self.length = length


class Unknown(Exception):
    """The expression asks for a shape that an earlier mistake leaves unknown."""


class ShapeValue:
    """`input` in an expression: the shape that a step is given."""

    __slots__ = ("shape",)

    def __init__(self, shape: Shape | None) -> None:
        self.shape = shape

    def known(self) -> Shape:
        if self.shape is None:
            raise Unknown
        return self.shape

    def attribute(self, name: str) -> Any:
        """A part of the shape by name; `KeyError` if there is no such name."""
        return _PARTS[name](self.known())


def _size(shape: Shape) -> int:
    size = 1
    for dimension in shape:
        size = size * dimension
    return size


_PARTS: dict[str, Callable[[Shape], Any]] = {
    "channels": lambda shape: shape[0],
    "depth": lambda shape: shape[-3],
    "height": lambda shape: shape[-2],
    "width": lambda shape: shape[-1],
    "length": lambda shape: shape[-1],
    "features": lambda shape: shape[-1],
    "size": _size,
    "shape": list,
}

Variables = Mapping[str, Any]
Code = Callable[[Variables], Any]


class Expression:
    """A parsed expression. ``weight`` bounds the cost of one evaluation."""

    __slots__ = ("_code", "text", "weight")

    def __init__(self, text: str, code: Code, weight: int) -> None:
        self.text = text
        self._code = code
        self.weight = weight

    def evaluate(self, variables: Variables) -> Any:
        """The value; `ExpressionError` says what is wrong, `Unknown` that a shape it asks for is not known."""
        try:
            return self._code(variables)
        except RecursionError:
            raise ExpressionError("this expression is nested too deep") from None


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """The expression in ``text``; `ExpressionError` if it is none."""
    if text.isascii() and text.isdigit() and len(text) <= 18 and (text[0] != "0" or len(text) == 1):
        value = int(text)
        return Expression(text, lambda variables: value, 1)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, and this has {len(text):,}")
    if not text.strip():
        raise ExpressionError("a value is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        at = min(max((error.offset or 1) - 1, 0), len(text) - 1)
        raise ExpressionError(f"{quote(text)} is no expression: {error.msg}{_cut(text)}", at) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{quote(text)} is no expression") from None
    compiler = _Compiler(text.strip())
    try:
        code = compiler.compile(tree.body)
    except RecursionError:
        raise ExpressionError("this expression is nested too deep") from None
    return Expression(text, code, compiler.weight)


def _cut(text: str) -> str:
    opened = sum(text.count(one) for one in "([{")
    if opened > sum(text.count(one) for one in ")]}"):
        return "; inside {…} a comma ends a value: put the whole expression in quotes"
    return ""


class _Compiler:
    """Turns a syntax tree into a function; every kind of node that has no method here is refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.weight = 0

    def compile(self, node: ast.AST) -> Code:
        self.weight += 1
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.error(node, f"{quote(self.source(node))} is not allowed in an expression")
        code: Code = method(node)
        return code

    def source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or self.text

    def error(self, node: Any, message: str) -> ExpressionError:
        offset = len(self.text.encode()[: node.col_offset].decode(errors="ignore"))
        return ExpressionError(message, offset, len(self.source(node)))

    def guarded(self, node: ast.AST, compute: Callable[[Variables], Any]) -> Code:
        """Wrap a computation so that what can go wrong in it is said with its place."""

        def code(variables: Variables) -> Any:
            try:
                return _checked(compute(variables))
            except ExpressionError as error:
                if error.length == 0:  # raised below, where no place is known
                    raise self.error(node, str(error)) from None
                raise
            except ZeroDivisionError:
                raise self.error(node, f"division by zero in {quote(self.source(node))}") from None
            except (TypeError, ValueError, OverflowError, IndexError, AttributeError):
                raise self.error(node, f"{quote(self.source(node))} cannot be computed") from None

        return code

    def _constant(self, node: ast.Constant) -> Code:
        value: Any = node.value
        if isinstance(value, float):
            value = self._decimal(node, value)
        elif not isinstance(value, (bool, int, str, type(None))):
            raise self.error(node, f"{quote(self.source(node))} is not allowed in an expression")
        else:
            value = _located(self, node, lambda: _checked(value))
        return lambda variables: value

    def _decimal(self, node: ast.Constant, value: float) -> Any:
        from fractions import Fraction

        text = self.source(node).replace("_", "")
        size = abs(value)
        if len(text) > 60 or (size and not 1e-60 < size < 1e60):
            raise self.error(node, exceeded("digits", f"{quote(text)} is out of range"))
        exact = Fraction(text) if size else Fraction(0)
        return exact.numerator if exact.denominator == 1 else exact

    def _name(self, node: ast.Name) -> Code:
        name = node.id
        if name in _CONSTANTS:
            value = _CONSTANTS[name]
            return lambda variables: value

        def code(variables: Variables) -> Any:
            try:
                return variables[name]
            except KeyError:
                if name in _FUNCTIONS:
                    raise self.error(node, f"{name} is a function: write {name}(…)") from None
                known = [str(one) for one in variables] + list(_FUNCTIONS)
                raise self.error(node, f"there is no {quote(name)} here{did_you_mean(name, known)}") from None

        return code

    def _attribute(self, node: ast.Attribute) -> Code:
        owner, name = self.compile(node.value), node.attr

        def code(variables: Variables) -> Any:
            value = owner(variables)
            if not isinstance(value, ShapeValue):
                raise self.error(node, f"{quote(self.source(node.value))} is no shape, and has no {name}")
            try:
                return value.attribute(name)
            except KeyError:
                raise self.error(node, f"a shape has no {quote(name)}{did_you_mean(name, _PARTS)}") from None
            except IndexError:
                shape = list(value.known())
                raise self.error(node, f"the shape {shape} has no {name}") from None

        return code

    def _subscript(self, node: ast.Subscript) -> Code:
        if isinstance(node.slice, ast.Slice):
            return self.part(node, node.slice)
        owner, index = self.compile(node.value), self.compile(node.slice)

        def code(variables: Variables) -> Any:
            value, at = owner(variables), index(variables)
            if isinstance(value, ShapeValue):
                value = value.known()
            if not isinstance(value, (list, tuple)) or not isinstance(at, int):
                raise self.error(node, f"{quote(self.source(node))} takes a list and a whole number")
            if not -len(value) <= at < len(value):
                raise self.error(node, f"{quote(self.source(node.value))} has {len(value)} values, and no number {at}")
            return value[at]

        return code

    def part(self, node: ast.Subscript, bounds: ast.Slice) -> Code:
        """Part of a list: `depths[:stage]`."""
        owner = self.compile(node.value)
        ends = [self.compile(end) if end is not None else None for end in (bounds.lower, bounds.upper, bounds.step)]

        def compute(variables: Variables) -> Any:
            value = owner(variables)
            if isinstance(value, ShapeValue):
                value = value.known()
            if not isinstance(value, (list, tuple)):
                raise TypeError
            return list(value[slice(*(end(variables) if end is not None else None for end in ends))])

        return self.guarded(node, compute)

    def _list(self, node: ast.List) -> Code:
        items = [self.compile(item) for item in node.elts]
        return lambda variables: [item(variables) for item in items]

    def _binop(self, node: ast.BinOp) -> Code:
        operator = _BINARY.get(type(node.op))
        if operator is None:
            raise self.error(node, f"{quote(self.source(node))} is not allowed in an expression")
        left, right = self.compile(node.left), self.compile(node.right)
        return self.guarded(node, lambda variables: operator(left(variables), right(variables)))

    def _unaryop(self, node: ast.UnaryOp) -> Code:
        operand = self.compile(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda variables: not self.truth(node.operand, operand(variables))
        if isinstance(node.op, ast.USub):
            return self.guarded(node, lambda variables: -_number(operand(variables)))
        if isinstance(node.op, ast.UAdd):
            return self.guarded(node, lambda variables: _number(operand(variables)))
        raise self.error(node, f"{quote(self.source(node))} is not allowed in an expression")

    def _boolop(self, node: ast.BoolOp) -> Code:
        values = [(value, self.compile(value)) for value in node.values]
        stop_at = isinstance(node.op, ast.Or)

        def code(variables: Variables) -> Any:
            for part, value in values:
                if self.truth(part, value(variables)) is stop_at:
                    return stop_at
            return not stop_at

        return code

    def _ifexp(self, node: ast.IfExp) -> Code:
        test, then, other = self.compile(node.test), self.compile(node.body), self.compile(node.orelse)
        return lambda variables: (then if self.truth(node.test, test(variables)) else other)(variables)

    def _compare(self, node: ast.Compare) -> Code:
        operands = [self.compile(one) for one in (node.left, *node.comparators)]
        operators = [_COMPARE[type(one)] for one in node.ops if type(one) in _COMPARE]
        if len(operators) < len(node.ops):
            raise self.error(node, f"{quote(self.source(node))} is not allowed in an expression")

        def compute(variables: Variables) -> Any:
            values = [one(variables) for one in operands]
            return all(self.truth(node, operator(values[at], values[at + 1])) for at, operator in enumerate(operators))

        return self.guarded(node, compute)

    def _call(self, node: ast.Call) -> Code:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = _FUNCTIONS.get(name)
        if function is None:
            written = self.source(node.func)
            raise self.error(node.func, f"there is no function {quote(written)}{did_you_mean(written, _FUNCTIONS)}")
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise self.error(node, f"{name} takes plain arguments only")
        arguments = [self.compile(one) for one in node.args]
        self.weight += 50 if name == "range" else 5
        return self.guarded(node, lambda variables: function(*[one(variables) for one in arguments]))

    def truth(self, node: ast.AST, value: Any) -> bool:
        try:
            return bool(value)
        except (TypeError, ValueError):
            raise self.error(node, f"{quote(self.source(node))} cannot be decided: it depends on symbols") from None


def _located(compiler: _Compiler, node: ast.AST, compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except ExpressionError as error:
        raise compiler.error(node, str(error)) from None


def _checked(value: Any) -> Any:
    """The value, a whole fraction as an int; too many digits are an error."""
    kind = type(value)
    if kind is int:
        if value.bit_length() > 64 and value.bit_length() > limit("digits") * 3.33:
            raise ExpressionError(exceeded("digits", "this number is too large"), 0, 0)
    elif kind.__name__ == "Fraction":
        if value.denominator == 1:
            return _checked(value.numerator)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > limit("digits") * 3.33:
            raise ExpressionError(exceeded("digits", "this fraction is too long"), 0, 0)
    elif kind is float and not math.isfinite(value):
        raise ExpressionError("the result is not a finite number", 0, 0)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, (str, list, tuple, ShapeValue, type(None))):
        raise TypeError
    return value


def _power(base: Any, exponent: Any) -> Any:
    _number(base), _number(exponent)
    if isinstance(exponent, int) and hasattr(base, "numerator"):
        bits = max(int(base.numerator).bit_length(), int(getattr(base, "denominator", 1)).bit_length())
        if bits * abs(exponent) > limit("digits") * 4:
            raise ExpressionError(exceeded("digits", "this power is too large"), 0, 0)
        return base**exponent if exponent >= 0 else ratio(1, base**-exponent)
    return base**exponent


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        if len(left) + len(right) > MAX_LIST:
            raise ExpressionError(f"a list has at most {MAX_LIST} values", 0, 0)
        return left + right
    return _number(left) + _number(right)


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, int):
        if len(left) * right > MAX_LIST:
            raise ExpressionError(f"a list has at most {MAX_LIST} values", 0, 0)
        return left * right
    return _number(left) * _number(right)


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _plus,
    ast.Sub: lambda left, right: _number(left) - _number(right),
    ast.Mult: _times,
    ast.Div: lambda left, right: ratio(_number(left), _number(right)),
    ast.FloorDiv: lambda left, right: _number(left) // _number(right),
    ast.Mod: lambda left, right: _number(left) % _number(right),
    ast.Pow: _power,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}

_CONSTANTS = {"true": True, "false": False, "null": None}


def _values(arguments: tuple[Any, ...]) -> list[Any]:
    values = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (list, tuple)) else arguments
    if not values:
        raise TypeError
    return [_number(value) for value in values]


def _least(*arguments: Any) -> Any:
    first, *rest = _values(arguments)
    for value in rest:
        first = minimum(first, value)
    return first


def _largest(*arguments: Any) -> Any:
    first, *rest = _values(arguments)
    for value in rest:
        first = maximum(first, value)
    return first


def _floor(value: Any) -> Any:
    return math.floor(value) if isinstance(value, float) else _number(value) // 1


def _ceil(value: Any) -> Any:
    return math.ceil(value) if isinstance(value, float) else ceil_div(_number(value), 1)


def _round(value: Any) -> Any:
    """To the nearest whole number, a half to the even one, as Python does."""
    return _floor(value + ratio(1, 2)) if hasattr(value, "free_symbols") else round(_number(value))


def _log2(value: Any) -> Any:
    if isinstance(value, int) and value > 0 and value & (value - 1) == 0:
        return value.bit_length() - 1
    if hasattr(value, "free_symbols"):
        import sympy

        return sympy.log(value, 2)
    return math.log2(_number(value))


def _sqrt(value: Any) -> Any:
    if isinstance(value, int) and value >= 0 and math.isqrt(value) ** 2 == value:
        return math.isqrt(value)
    if hasattr(value, "free_symbols"):
        return value ** ratio(1, 2)
    return math.sqrt(_number(value))


def _range(*arguments: int) -> list[int]:
    values = range(*arguments)
    if len(values) > MAX_LIST:
        raise ExpressionError(f"a list has at most {MAX_LIST} values, and this would have {len(values):,}", 0, 0)
    return list(values)


def _sum(values: Any) -> Any:
    total: Any = 0
    for value in values.known() if isinstance(values, ShapeValue) else values:
        total = total + _number(value)
    return total


def _len(values: Any) -> int:
    return len(values.known() if isinstance(values, ShapeValue) else values)


def round_to(value: Any, divisor: Any) -> Any:
    """The nearest multiple of ``divisor``, not below it, and never under nine tenths of ``value``.

    The rule by which MobileNet and its kin round their channels (`_make_divisible`).
    """
    rounded = maximum(divisor, (_number(value) + ratio(divisor, 2)) // divisor * divisor)
    if hasattr(rounded, "free_symbols"):
        return rounded
    return rounded + divisor if rounded * 10 < value * 9 else rounded


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _least,
    "max": _largest,
    "round": _round,
    "ceil": _ceil,
    "floor": _floor,
    "log2": _log2,
    "sqrt": _sqrt,
    "abs": lambda value: abs(_number(value)),
    "len": _len,
    "range": _range,
    "sum": _sum,
    "round_to": round_to,
}
