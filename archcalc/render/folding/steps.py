"""Steps of a spec that is being written: heads, arguments, names and inputs, before they become lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import Any

from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.ops import registry

TAKEN = frozenset((*registry(), *MODIFIERS, *SPECIAL_HEADS, "numbered"))
"""Keys with a meaning of their own: a group of such a name is written with `name` and `layers`."""
GROUP, SIDE, SHARE, TOGETHER = "group", "side", "share", "layers"
"""Heads that are not operators or blocks: a named group, a side output, shared weights, a loop over steps."""


class Naming(Enum):
    """How a step gets its name."""

    GIVEN = "written"
    COUNTED = "by its operator and a count"
    NUMBERED = "by its position"


@dataclass
class Slot:
    """A place for a value that differs between steps that are otherwise the same; None where the step is missing."""

    values: list[Any]
    argument: str
    step: str
    """Path of the step in its block or loop."""
    label: str = ""
    """What the argument is called in the step, a block's parameter perhaps."""
    inner: bool = False
    """True if it is inside a loop of its own, which has another `i`."""
    same: bool = False
    """True if it is the same wherever the step is there: perhaps by chance."""
    text: Any = None
    """What is written there."""


@dataclass
class First:
    """A value in a loop whose first turn has another."""

    first: Any
    rest: Any


@dataclass
class WrittenStep:
    """A step with all that is written of it."""

    head: str
    name: str = ""
    naming: Naming = Naming.GIVEN
    principal: str | None = None
    """The argument that is written as the value of the head."""
    args: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    """Values of arguments that are not written, where these are numbers."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Parameters of its block and variables of its loop to the arguments that they are in the end."""
    sources: tuple[str, ...] = ()
    ties: tuple[tuple[str, str], ...] = ()
    train: bool = False
    frozen: bool = False
    dtype: str = ""
    body: list[WrittenStep] = field(default_factory=list)
    branches: list[list[WrittenStep]] | None = None
    numbered: bool = False
    count: Any = None
    """Turns of its loop: a number, or what a block or a loop around it gives; None without a loop."""
    walked: dict[str, Any] = field(default_factory=dict)
    """Variables of its `for` with their lists."""
    when: Any = None
    """Its condition, True or False while that differs between steps; None if it is always there."""
    in_parts: bool = False
    """True for a group in several parts."""

    def value_of(self, argument: str) -> Any:
        """Return the value of an argument, or its default."""
        return self.args.get(argument, self.defaults.get(argument))

    @property
    def loops(self) -> bool:
        return self.count is not None or bool(self.walked)

    def with_inner(self, change: Callable[[list[WrittenStep]], list[WrittenStep]], **values: Any) -> WrittenStep:
        """Return a copy with each list of steps in it changed, and with other values of its fields."""
        branches = None if self.branches is None else list(map(change, self.branches))
        return replace(self, body=change(self.body), branches=branches, **values)

    def inner(self) -> Iterator[list[WrittenStep]]:
        if self.body:
            yield self.body
        yield from self.branches or ()


def is_number(value: Any) -> bool:
    """True for a value that an expression can give: a number, true or false, or a list of these."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, (bool, int, float, Fraction, Slot, First))


def comparable(value: Any) -> Any:
    """Return a value that can be compared: 1, 1.0 and True are three."""
    if isinstance(value, (list, tuple)):
        return ("list", *map(comparable, value))
    if isinstance(value, dict):
        return ("names", *((name, comparable(item)) for name, item in value.items()))
    if isinstance(value, First):
        return ("first", comparable(value.first), comparable(value.rest))
    return type(value).__name__, value


def key_of(step: WrittenStep) -> tuple[Any, ...]:
    """Return what two steps must have in common to be one: all but numbers."""
    fixed = tuple(
        (name, _without_numbers(value))
        for name, value in sorted(step.args.items())
        if not is_number(value) or name not in step.defaults
    )
    name = step.naming.name, step.name if step.naming is Naming.GIVEN else ""
    branches = None if step.branches is None else tuple(map(keys_of, step.branches))
    return (*head_key(step), name, step.sources, fixed, keys_of(step.body), branches)


def _without_numbers(value: Any) -> Any:
    """Return what is left of a value that may differ in numbers; of shapes by names, the names."""
    if isinstance(value, dict):
        return ("names", *((name, _without_numbers(item)) for name, item in value.items()))
    return None if is_number(value) else comparable(value)


def head_key(step: WrittenStep) -> tuple[Any, ...]:
    """Return the part of the key that names and numbers have no part in."""
    when = None if step.when is None else str(step.when)
    loop = step.count is not None, tuple(step.walked)
    return step.head, step.ties, step.train, step.frozen, step.dtype, step.numbered, when, loop, step.in_parts


def keys_of(steps: Sequence[WrittenStep]) -> tuple[Any, ...]:
    """Return the keys of steps."""
    return tuple(map(key_of, steps))


def lines_in(steps: Sequence[WrittenStep]) -> int:
    """Return how many lines steps need."""
    return sum(1 + sum(lines_in(inner) for inner in step.inner()) for step in steps)
