"""Random choices, and arguments that are drawn from their own declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from archcalc.arithmetic import Shape, ShapeError, product
from archcalc.language.expression import parse_expression
from archcalc.ops import registry
from archcalc.ops.arguments import (
    Choice,
    Flag,
    Integer,
    ListOf,
    OperatorCall,
    Or,
    PerDimension,
    Real,
    ShapeList,
    Sides,
    TensorShapes,
    Text,
)
from archcalc.ops.naming import LETTERS
from archcalc.ops.operator import Operator

Draw = Callable[[st.SearchStrategy[Any]], Any]
Step = dict[str, Any]

MOST_ELEMENTS = 6_000
MOST_WEIGHTS = 30_000
MOST_MACS = 2_000_000
ATTEMPTS = 8
"""How often arguments are drawn for an operator before another is taken."""
NUMBERS = ("1/3", "0.5", "2", "0.125", "-0.25", "0.001", "1", "3/2", "0")
SMALL = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)


def is_small(op: Operator) -> bool:
    """Whether PyTorch runs it in no time."""
    weights = sum(product(shape) for shape in (*op.weights().values(), *op.buffers().values()))
    macs = op.work().get("mac", 0) + op.work().get("matmul", 0)
    return op.elements <= MOST_ELEMENTS and weights <= MOST_WEIGHTS and macs <= MOST_MACS


def written(value: Any) -> Any:
    """A value of an example as YAML has it: with lists for tuples."""
    if isinstance(value, dict):
        return {key: written(one) for key, one in value.items()}
    return [written(one) for one in value] if isinstance(value, (list, tuple)) else value


def plain(value: Any) -> Any:
    """A drawn value as the operator gets it: texts that are numbers are numbers."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return parse_expression(value).evaluate({}) if value in NUMBERS else value


class Drawing:
    """Draws names, numbers, arguments and applications of operators."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.operators = registry()
        self.count = 0

    def chance(self, one_in: int) -> bool:
        """True once in so many times; false is the simpler one."""
        return bool(self.draw(st.integers(0, one_in - 1)) == one_in - 1)

    def pick(self, options: Any) -> Any:
        """One of them."""
        return self.draw(st.sampled_from(list(options)))

    def number(self, least: int, most: int) -> int:
        """A whole number."""
        return int(self.draw(st.integers(least, most)))

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        self.count += 1
        return f"{prefix}{self.count}"

    # -- arguments, as they are declared

    def value(self, type_: Any, shape: Shape) -> Any:
        """A value that an argument of this type may take, often one that fits the input's shape."""
        rank = len(shape) - 1
        if isinstance(type_, Choice):
            return self.pick(type_.options)
        if isinstance(type_, Flag):
            return self.draw(st.booleans())
        if isinstance(type_, Integer) and type_.least is not None:
            sizes = [size for size in (*shape, *(n // 2 for n in shape)) if type_.least <= size <= 24]
            return self.pick([type_.least, *SMALL, *sizes])
        if isinstance(type_, Integer):
            return self.pick([0, 1, -1, 2, -2, 3, *range(-len(shape), len(shape)), *shape[-1:]])
        if isinstance(type_, Real):
            low, high = (-10 if type_.least is None else type_.least), (10 if type_.most is None else type_.most)
            return self.pick([text for text in NUMBERS if low <= eval(text) <= high])  # our own constants
        if isinstance(type_, PerDimension):
            if rank < 1 or not self.chance(3):
                return self.value(type_.item, shape)
            return [self.value(type_.item, shape) for _ in range(rank)]
        if isinstance(type_, Sides):
            if not self.chance(3):
                return self.value(type_.item, shape)
            return [self.value(type_.item, shape), self.value(type_.item, shape)]
        if isinstance(type_, Text):
            return self.pick(("cumsum", "aten.one_hot", "two words", "ab,cb->ac", "abc,dbc->adb", "abc,abd->acd"))
        if isinstance(type_, TensorShapes):
            return {self.name("t"): [self.pick(SMALL) for _ in range(2)] for _ in range(self.number(0, 2))}
        if isinstance(type_, OperatorCall):
            inner = ("conv", "max_pool", "batch_norm", "linear", "gru")
            kind = self.operators[self.pick([name for name in inner if name in self.operators])]
            return {kind.kind: None, **self.arguments(kind, shape[1:])}
        if isinstance(type_, Or):
            return type_.word if self.chance(3) else self.value(type_.other, shape)
        if isinstance(type_, ShapeList) and self.chance(4):
            sizes = self.factors(product(shape))
            return dict(zip(self.draw(st.permutations(list(LETTERS))), sizes, strict=False))
        assert isinstance(type_, ListOf), f"the fuzzer knows no {type_}"
        kind = self.number(0, 2)
        if kind == 0:
            return list(self.draw(st.permutations(range(len(shape)))))
        if kind == 1:
            return self.factors(product(shape))
        return [self.value(type_.item, shape) for _ in range(self.number(1, 2))]

    def factors(self, total: int) -> list[int]:
        """Sizes whose product is ``total``; one may be -1."""
        sizes = []
        for _ in range(self.number(0, 2)):
            divisors = [n for n in range(1, min(total, 64) + 1) if total % n == 0]
            sizes.append(self.pick(divisors))
            total //= sizes[-1]
        sizes.append(-1 if self.chance(3) else total)
        return sizes

    def arguments(self, kind: type[Operator], shape: Shape) -> dict[str, Any]:
        """Arguments for an operator: those of an example or what it must have, and some of what it may have."""
        given = written(self.pick(kind.examples).arguments) if self.chance(3) else {}
        for name, argument in kind.arguments.items():
            if (argument.required and name not in given) or self.chance(3):
                given[name] = self.value(argument.type, shape)
        return given

    def application(self, shapes: list[Shape], kinds: list[str], keep: bool) -> tuple[Step, Operator] | None:
        """An operator of ``kinds`` at these inputs, with arguments that fit; ``keep``: one that keeps the shape."""
        kind = self.operators[self.pick(kinds)]
        for _ in range(ATTEMPTS):
            given = self.arguments(kind, shapes[0])
            try:
                op = kind(shapes, **{name: plain(value) for name, value in given.items()})
            except ShapeError:
                continue
            if is_small(op) and (not keep or op.output == shapes[0]):
                return self.step(kind, given), op
        return None

    def exemplary(self, kind: type[Operator]) -> tuple[Step, tuple[Shape, ...]]:
        """An operator as one of its examples has it, and the shapes of the inputs there."""
        found = [one for one in kind.examples if self.fits(kind(one.inputs, **one.arguments))]
        example = self.pick(found)
        return self.step(kind, written(example.arguments)), example.inputs

    @staticmethod
    def fits(op: Operator) -> bool:
        """Whether it is small, and a spec can declare its inputs."""
        return is_small(op) and all(1 <= len(shape) <= 4 and product(shape) <= MOST_ELEMENTS for shape in op.inputs)

    def step(self, kind: type[Operator], given: dict[str, Any]) -> Step:
        """The operator as a step: its first argument beside its name or under its own."""
        given = dict(given)
        principal = kind.principal()
        head = None
        if principal in given and given[principal] is not None and not kind.joins and not self.chance(6):
            head = given.pop(principal)
        return {kind.kind: head, **given}
