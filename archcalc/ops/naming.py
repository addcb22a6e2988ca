"""Names of axes: what each axis of a tensor is, and what it becomes where axes are merged, split or moved.

A name is one of `LETTERS`; an empty name is an axis of which nothing is known. Positions of a map have channels, tokens
of a sequence have features: where a map becomes a sequence, its channels become features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

from archcalc.ops.vocabulary import same_axes

AxisNames = tuple[str, ...]
"""A name for each axis of a tensor, the batch not counted."""

LETTERS = {
    "channels": "C",
    "depth": "D",
    "height": "H",
    "width": "W",
    "length": "L",
    "tokens": "L",
    "features": "d",
    "heads": "h",
    "windows": "w",
    "groups": "g",
}
"""Every name, with its letter in formulas."""
SIDES = ("depth", "height", "width")
"""The axes of a map."""
LINES = ("length", "tokens")
"""The axes of a sequence."""
POSITIONS = (*SIDES, *LINES)
"""Axes along which neighbors are near."""
CHANNELS = ("groups", "channels")
_USUAL: dict[int, AxisNames] = {
    0: (),
    1: ("features",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}
VECTOR: AxisNames = ("features",)
SEQUENCE: AxisNames = ("tokens", "features")
HEADED: AxisNames = ("heads", "tokens", "features")


def usual_names(count: int) -> AxisNames:
    """Return the names of a tensor's axes where nothing says what they are."""
    return _USUAL.get(count) or ("",) * count


class NamedSizes(tuple[Any, ...]):
    """Sizes whose axes have names: a tuple like any other."""

    names: AxisNames = ()

    @classmethod
    def of(cls, sizes: Iterable[Any], names: AxisNames) -> NamedSizes:
        """Return the sizes with the names of their axes."""
        made = cls(sizes)
        made.names = names
        return made


def names_of(sizes: tuple[Any, ...]) -> AxisNames:
    """Return the names that sizes give their axes; empty if they give none."""
    return getattr(sizes, "names", ())


@lru_cache(maxsize=1024)
def places(names: AxisNames, wanted: tuple[str, ...]) -> tuple[int, ...]:
    """Return the axes that have one of the wanted names.

    The features of a vector are its channels, as in the lectures: a linear layer is a convolution over one position.
    """
    if names == VECTOR:
        names = ("channels",)
    return tuple(axis for axis, name in enumerate(names) if name in wanted)


@lru_cache(maxsize=1024)
def beside(names: AxisNames) -> AxisNames:
    """Return the names, an empty one as that of the next axis that has one, else of the last; without any, channels."""
    named = [name for name in names if name]
    name = named[-1] if named else "channels"
    found = []
    for own in reversed(names):
        name = own or name
        found.append(name)
    return tuple(reversed(found))


def letters_of(names: AxisNames) -> tuple[str, ...]:
    """Return a letter for each axis, all different; the features of a vector are `C`, as in the lectures."""
    if names == VECTOR:
        return (LETTERS["channels"],)
    letters = [LETTERS.get(name) or f"N{axis}" for axis, name in enumerate(names)]
    return tuple(
        letter if letters.count(letter) == 1 else f"{letter}_{letters[: axis + 1].count(letter)}"
        for axis, letter in enumerate(letters)
    )


def map_names(names: AxisNames) -> AxisNames:
    """Return the names of what a window over positions makes: channels first, and the positions of the input."""
    if names and names[0] == "channels" and all(name in POSITIONS for name in names[1:]):
        return names
    usual = usual_names(len(names))
    pairs = zip(names[1:], usual[1:], strict=True)
    return ("channels", *(name if name in POSITIONS else other for name, other in pairs))


def sequence_names(names: AxisNames) -> AxisNames:
    """Return the names of a sequence with features, `[tokens, features]`; other positions keep their name."""
    return (names[0] if names[0] in POSITIONS else "tokens", "features")


def in_harmony(names: AxisNames) -> AxisNames:
    """Return the names with features beside tokens, and channels beside the sides of a map."""
    sides = any(name in SIDES for name in names)
    if "tokens" in names and not sides:
        return tuple("features" if name == "channels" else name for name in names)
    if sides and "tokens" not in names and "channels" not in names:
        return tuple("channels" if name == "features" else name for name in names)
    return names


def common_names(inputs: Sequence[AxisNames], usable: Sequence[Sequence[bool]]) -> AxisNames:
    """Return for each axis the name that the first usable input has for it."""
    first = inputs[0]
    if all(usable[0]) and all(first):
        return first
    return tuple(
        next((names[axis] for names, use in zip(inputs, usable, strict=True) if use[axis] and names[axis]), "")
        for axis in range(len(first))
    )


def merged(names: Sequence[str]) -> str:
    """Return the name of the axis that several axes become.

    Sides become tokens; what holds channels or features beside other axes becomes features. Windows of a side are that
    side again, heads of features are features.
    """
    kinds = {name for name in names if name}
    if len(kinds) > 1:
        kinds -= {"windows", "groups"}
    if len(kinds) == 1:
        return kinds.pop()
    if kinds & {"channels", "features"}:
        return "features"
    return "tokens" if kinds and kinds <= set(POSITIONS) else ""


def followed(names: AxisNames, axes: Sequence[Sequence[int]]) -> AxisNames:
    """Return the names of axes that are each made of some of the axes with these names."""
    if axes is same_axes(len(names)):
        return names
    return tuple(names[made[0]] if len(made) == 1 else merged([names[axis] for axis in made]) for made in axes)


def split(name: str, count: int) -> AxisNames:
    """Return the names of the axes that one axis becomes."""
    front = ("",) * (count - 2)
    if name == "features":
        return (*front, "heads", "features")
    if name == "tokens":
        return SIDES[-count:] if count <= len(SIDES) else ("",) * count
    parts = {"channels": "groups", "heads": "groups"}
    return (*front, parts.get(name, "windows"), name) if name else ("",) * count


def _shuffled(new: Sequence[int], axes: list[int], names: AxisNames) -> list[int]:
    """Return the axes that channels become in a pixel shuffle, `[C, r, r]` before two sides; empty if it is none."""
    sides = sum(name in SIDES for name in names)
    if len(axes) == sides and axes[0] > 0 and new[axes[0] - 1] == 1:
        axes = [axes[0] - 1, *axes]
    equal = len(axes) == 1 + sides and len({new[axis] for axis in axes[1:]}) == 1
    return axes if equal and sides > 1 else []


def reshaped(old: Sequence[int], names: AxisNames, new: Sequence[int]) -> AxisNames:
    """Return the names of the axes after the same elements got another shape.

    Axes that become each other are those with the same product. An axis of size 1 that comes or goes has no name.
    """
    if names == VECTOR and len(new) > 1:
        return usual_names(len(new))  # what a generator makes of its features
    kept = [axis for axis, size in enumerate(old) if size != 1 or new.count(1) == old.count(1)]
    made = [axis for axis, size in enumerate(new) if size != 1 or new.count(1) == old.count(1)]
    found = [""] * len(new)
    while kept and made:
        before, after = [kept.pop(0)], [made.pop(0)]
        while (left := prod(old[axis] for axis in before)) != (right := prod(new[axis] for axis in after)):
            if left < right:
                before.append(kept.pop(0))
            else:
                after.append(made.pop(0))
        whole = merged([names[axis] for axis in before]) if len(after) == 1 or len(before) > 1 else names[before[0]]
        parts = (whole,) if len(after) == 1 else split(whole, len(after))
        if whole == "channels" and (block := _shuffled(new, after, names)):
            after = block
            parts = ("channels", *("",) * (len(after) - 1))
        elif len(before) == len(after):
            parts = tuple(names[axis] for axis in before)
        for axis, name in zip(after, parts, strict=True):
            found[axis] = name
    return in_harmony(tuple(found))
