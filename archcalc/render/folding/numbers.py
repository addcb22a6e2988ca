"""Numbers that differ between instances: by what they are called, and how one follows from another."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from string import digits
from typing import Any

from archcalc.language.language import VARIANT_KEYS
from archcalc.language.steps import MODIFIERS, SPECIAL_HEADS
from archcalc.language.values import FUNCTIONS
from archcalc.ops import registry, words
from archcalc.render.folding.steps import Slot, WrittenStep, comparable

SIZES = frozenset(("channels", "features", "groups", "entries", "size", "shape", "sizes", "start", "stop", "hidden"))
"""Arguments that count channels or positions: one may be a multiple of another."""
WIDTHS = frozenset(("channels", "features"))
_CALLED = {
    "channels": "width",
    "features": "width",
    "repeat": "depth",
    "p": "rate",
    "shape": "size",
    "sizes": "size",
    "when": "present",
}
_OTHERS = ("input", "i", "numbered", "inputs", "outputs", "params", "true", "false", "null", "required")
_RESERVED = frozenset(
    (*words(), *MODIFIERS, *SPECIAL_HEADS, *VARIANT_KEYS, *FUNCTIONS, *keyword.kwlist, *_OTHERS),
)


def kind(argument: str) -> str:
    """Return what a number is: numbers of one kind may be one parameter."""
    return "size" if argument in SIZES else argument


def agree(values: Sequence[Any], others: Sequence[Any]) -> bool:
    """True if values are the same wherever both are known."""
    pairs = [(own, other) for own, other in zip(values, others, strict=True) if own is not None and other is not None]
    return bool(pairs) and all(comparable(own) == comparable(other) for own, other in pairs)


def multiple(values: Sequence[Any], base: Sequence[Any]) -> str | None:
    """Return how integers follow from others, such as `4 * {}`; None if they do not."""
    pairs = [(own, other) for own, other in zip(values, base, strict=True) if own is not None]
    if not pairs or not all(type(own) is int and type(other) is int and own > 0 < other for own, other in pairs):
        return None
    own, other = pairs[0]
    if own % other == 0 and own > other and all(a == own // other * b for a, b in pairs):
        return f"{own // other} * {{}}"
    if other % own == 0 and other > own and all(a * (other // own) == b for a, b in pairs):
        return f"{{}} // {other // own}"
    return None


def half(values: Sequence[Any], kernels: Sequence[Any]) -> bool:
    """True if these are half of the kernels, rounded down."""
    pairs = [(own, other) for own, other in zip(values, kernels, strict=True) if own is not None]
    return bool(pairs) and all(type(own) is int and type(other) is int and own == other // 2 for own, other in pairs)


def usual_name(slot: Slot) -> str:
    """Return what a person calls such a number."""
    return _CALLED.get(slot.argument, slot.argument)


def name_of_step(slot: Slot) -> str:
    """Return a name from that of the step; empty if it has none of its own."""
    parts = [re.sub(r"\W", "_", part) for part in slot.step.split(".")]
    own = [part for part in parts if part and not part[0].isdigit() and part.rstrip(digits) not in registry()]
    return own[-1] if own else ""


def free_name(wanted: Sequence[str], taken: Collection[str]) -> str:
    """Return the first of these names that is free; else the last with a number."""
    candidates = [name for name in wanted if name.isidentifier() and name.isascii()] or ["value"]
    for name in candidates:
        if name not in taken and name not in _RESERVED:
            return name
    return numbered_name(candidates[-1], {*taken, *_RESERVED})


def numbered_name(name: str, taken: Collection[str]) -> str:
    """Return the first of `name2`, `name3`, … that is free."""
    return next(free for number in count(2) if (free := f"{name}{number}") not in taken)


def variables_in(steps: Sequence[WrittenStep]) -> Iterator[str]:
    """Yield the variables of the loops in steps."""
    for step in steps:
        yield from step.walked
        for inner in step.inner():
            yield from variables_in(inner)
