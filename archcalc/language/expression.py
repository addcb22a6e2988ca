"""Expressions: parsed by Python's own grammar, compiled to closures, never run by Python.

Grammar, with the precedence of Python::

    expression = comparison { ("and" | "or") comparison } | "not" expression
               | expression "if" expression "else" expression
    comparison = sum { ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in") sum }
    sum        = product { ("+" | "-") product }
    product    = power { ("*" | "/" | "//" | "%") power }
    power      = ["+" | "-"] atom ["**" power]
    atom       = number | string | name | "true" | "false" | "null" | list | "(" expression ")"
               | atom "." name | step "." name | atom "[" expression "]" | atom "[" [expression] ":" [expression] "]"
               | function "(" expression { "," expression } ")"
    step       = name { "." name | "[" expression "]" }
    list       = "[" [expression { "," expression }] "]"

A `step` that no variable hides is an earlier step of the network: `stage.conv[0].height` is the height of what the
step `stage.conv.0` gives.

Numbers are exact: integers and fractions (`0.35` is 35/100). Only irrational square roots and logarithms are floats.
Evaluation never inspects the type of a value, so symbols work as well as numbers.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from keyword import iskeyword
from typing import Any, NamedTuple

from archcalc.arithmetic import as_index
from archcalc.language.limits import exceeded
from archcalc.language.values import (
    BINARY,
    COMPARE,
    CONSTANTS,
    FUNCTIONS,
    INTEGER,
    OVER_LISTS,
    PARTS,
    EarlierSteps,
    ExpressionError,
    Record,
    ShapeValue,
    checked,
    number,
)
from archcalc.words import did_you_mean, help_line, is_digits, quote

MAX_LENGTH = 1000
MAX_DEPTH = 100
"""Largest nesting of operations."""
LIST_WEIGHT, JOIN_WEIGHT = 100, 5
"""Weights of operations over lists: of functions and `in`, and of `+`, which may concatenate two."""

STEP_WEIGHT = 10
"""Weight of looking up a step."""
STEPS = "."
"""The key of the earlier steps (`EarlierSteps`) among variables; no variable can have this name."""

Variables = Mapping[str, Any]
Code = Callable[[Variables], Any]


class Expression(NamedTuple):
    """A parsed expression."""

    text: str
    evaluate: Code
    """Computes the value; raises `ExpressionError`, or `UnknownShape` if it needs a shape that is not known."""
    weight: int
    """A bound of the cost of one evaluation, in operations."""
    names: Sequence[str]
    """The variables in it, in order."""
    constant: Any = None
    """The value of a number or a constant; None for all others."""
    steps: Collection[str] = ()
    """Those of the names that may be steps."""


_EQUALS = re.compile(r"(?<![<>=!])=(?!=)")
_WITH_UNIT = re.compile(r"\b(\d[\d.]{0,20}) {0,9}([kMGT]i?B?)\b")


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Parse an expression; raise `ExpressionError` if it is invalid."""
    if is_digits(text, 18) and (text[0] != "0" or len(text) == 1):
        value = int(text)
        return Expression(text, lambda variables: value, 1, (), value)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, got {len(text):,}")
    if not text.strip():
        raise ExpressionError("missing value")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        offset = min(max((error.offset or 1) - 1, 0), len(text) - 1)
        raise ExpressionError(f"invalid expression {quote(text)}: {error.msg}{_fix(text)}", offset) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"invalid expression {quote(text)}") from None
    compiler = _Compiler(text.strip())
    code = compiler.compile(tree.body)
    constant = code({}) if isinstance(tree.body, ast.Constant) or text.strip() in CONSTANTS else None
    return Expression(text, code, compiler.weight, tuple(compiler.names), constant, tuple(compiler.steps))


def _fix(text: str) -> str:
    """Return a help line for an expression that YAML cut at a comma inside brackets, for `a = 3`, `lambda` or `5M`."""
    opened, closed = (sum(map(text.count, brackets)) for brackets in ("([{", ")]}"))
    if opened > closed:
        return help_line("quote the expression: inside {…}, YAML ends a value at a comma")
    if _EQUALS.search(text):
        return help_line("compare with ==")
    if iskeyword(text.strip()):
        return help_line(f"{quote(text.strip())} is a word of Python; choose another name")
    amount = _WITH_UNIT.search(text)
    return help_line(f"multiply by the unit: {amount[1]} * {amount[2]}") if amount is not None else ""


class _Compiler:
    """Compiles a syntax tree to a function. A kind of node without a method here is refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.weight = 0
        self.names: dict[str, None] = {}
        self.steps: dict[str, None] = {}
        self.depth = 0

    def compile(self, node: ast.AST) -> Code:
        self.weight += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"expression nested too deep: at most {MAX_DEPTH} operations inside one another")
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.refused(node)
        code: Code = method(node)
        self.depth -= 1
        return code

    def source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or self.text

    def error(self, node: Any, message: str) -> ExpressionError:
        offset = len(self.text.encode()[: node.col_offset].decode(errors="ignore"))
        return ExpressionError(message, offset, len(self.source(node)))

    def located(self, node: ast.AST, compute: Callable[[], Any]) -> Any:
        """Compute a value; give an error the place of ``node``."""
        try:
            return compute()
        except ExpressionError as error:
            raise self.error(node, str(error)) from None

    def refused(self, node: Any) -> ExpressionError:
        return self.error(node, f"{quote(self.source(node))} is not allowed in an expression")

    def guarded(self, node: ast.AST, compute: Callable[[Variables], Any]) -> Code:
        """Return a computation whose errors have the place of ``node``."""

        def code(variables: Variables) -> Any:
            try:
                return checked(compute(variables))
            except ExpressionError as error:
                if error.length == 0:  # raised by a function, which does not know its place
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
            raise self.refused(node)
        else:
            value = self.located(node, lambda: checked(value))
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
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return lambda variables: value
        self.names[name] = None

        def code(variables: Variables) -> Any:
            try:
                return variables[name]
            except KeyError:
                if name in FUNCTIONS:
                    raise self.error(node, f"{name} is a function{help_line(f'write {name}(…)')}") from None
                known = [*map(str, variables), *FUNCTIONS]
                raise self.error(node, f"unknown name {quote(name)}{did_you_mean(name, known)}") from None

        return code

    def _attribute(self, node: ast.Attribute) -> Code:
        owner, name = self._step(node.value), node.attr

        def code(variables: Variables) -> Any:
            value = owner(variables)
            if isinstance(value, Record):
                return self.located(node, lambda: value.get(name))
            if not isinstance(value, ShapeValue):
                raise self.error(node, f"{quote(self.source(node.value))} is not a shape and has no {name}")
            try:
                return value.attribute(name)
            except KeyError:
                raise self.error(node, f"a shape has no {quote(name)}{did_you_mean(name, PARTS)}") from None
            except IndexError:
                shape = list(value.known())
                raise self.error(node, f"the shape {shape} has no {name}") from None

        return code

    def _step(self, node: ast.expr) -> Code:
        """Compile what has a part: a value, or the path of a step if its first name is not a variable's."""
        value, path = self.compile(node), self._path(node)
        if path is None or path[0] == "input":
            return value
        root, *parts = path
        self.steps[root] = None
        self.weight += STEP_WEIGHT

        def code(variables: Variables) -> Any:
            steps: EarlierSteps | None = variables.get(STEPS)
            # The name of an operator or a block is a string, which has no parts, so it may be that of a step.
            if steps is None or not isinstance(variables.get(root, ""), str):
                return value(variables)
            name = root
            for part in parts:
                index = part if isinstance(part, str) else part(variables)
                if not isinstance(index, str) and as_index(index) is None:
                    raise self.error(node, f"{quote(self.source(node))} is not a step: {index} is not an integer")
                name += f".{index}"
            found = steps.shape(name)
            if found is None:
                raise self.error(node, steps.unknown(name, map(str, variables)))
            return found

        return code

    def _path(self, node: ast.expr) -> list[Any] | None:
        """Return the names in `a.b[i].c`, and code for an index; None for other expressions."""
        if isinstance(node, ast.Name):
            return None if node.id in CONSTANTS else [node.id]
        if isinstance(node, ast.Attribute):
            before = self._path(node.value)
            return None if before is None else [*before, node.attr]
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            before = self._path(node.value)
            return None if before is None else [*before, self.compile(node.slice)]
        return None

    def _subscript(self, node: ast.Subscript) -> Code:
        if isinstance(node.slice, ast.Slice):
            return self.part(node, node.slice)
        owner, index = self.compile(node.value), self.compile(node.slice)

        def code(variables: Variables) -> Any:
            value, key = owner(variables), index(variables)
            if isinstance(value, Record) and isinstance(key, str):
                return self.located(node, lambda: value.get(key))
            position = as_index(key)
            if isinstance(value, ShapeValue):
                value = value.known()
            if not isinstance(value, (list, tuple)) or position is None:
                raise self.error(node, f"{quote(self.source(node))} needs a list and an integer")
            if not -len(value) <= position < len(value):
                owned = f"{quote(self.source(node.value))} has {len(value)} values"
                raise self.error(node, f"{owned}, got the index {position}: the first is 0")
            return value[position]

        return code

    def part(self, node: ast.Subscript, bounds: ast.Slice) -> Code:
        """Compile a slice: `depths[:stage]`."""
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
        return self.guarded(node, lambda variables: [item(variables) for item in items])

    def _binop(self, node: ast.BinOp) -> Code:
        operator = BINARY.get(type(node.op))
        if operator is None:
            raise self.refused(node)
        self.weight += JOIN_WEIGHT if isinstance(node.op, ast.Add) else 0
        of_integers: Callable[[Any, Any], Any] = INTEGER.get(type(node.op), operator)
        left, right = self.compile(node.left), self.compile(node.right)

        def compute(variables: Variables) -> Any:
            first, second = left(variables), right(variables)
            if type(first) is int and type(second) is int:  # most are
                return of_integers(first, second)
            return operator(first, second)

        return self.guarded(node, compute)

    def _unaryop(self, node: ast.UnaryOp) -> Code:
        operand = self.compile(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda variables: not self.truth(node.operand, operand(variables))
        if isinstance(node.op, ast.USub):
            return self.guarded(node, lambda variables: -number(operand(variables)))
        if isinstance(node.op, ast.UAdd):
            return self.guarded(node, lambda variables: number(operand(variables)))
        raise self.refused(node)

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
        operands = [self.compile(operand) for operand in (node.left, *node.comparators)]
        operators = [COMPARE[type(op)] for op in node.ops if type(op) in COMPARE]
        self.weight += LIST_WEIGHT if any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops) else 0
        if len(operators) < len(node.ops):
            raise self.refused(node)

        def chain(variables: Variables) -> Any:
            values = [operand(variables) for operand in operands]
            return all(self.truth(node, op(*pair)) for op, pair in zip(operators, pairwise(values), strict=True))

        if len(operators) > 1:
            return self.guarded(node, chain)
        [operator], [left, right] = operators, operands
        return self.guarded(node, lambda variables: self.truth(node, operator(left(variables), right(variables))))

    def _call(self, node: ast.Call) -> Code:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None:
            written = self.source(node.func)
            raise self.error(node.func, f"unknown function {quote(written)}{did_you_mean(written, FUNCTIONS)}")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, f"{name} takes only positional arguments")
        arguments = [self.compile(argument) for argument in node.args]
        self.weight += LIST_WEIGHT if name in OVER_LISTS else 5
        return self.guarded(node, lambda variables: function(*[argument(variables) for argument in arguments]))

    def truth(self, node: ast.AST, value: Any) -> bool:
        try:
            return bool(value)
        except (TypeError, ValueError):
            raise self.error(node, f"{quote(self.source(node))} cannot be decided: it depends on symbols") from None
