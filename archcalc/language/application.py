"""Operators applied to shapes, each equal application once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.ops.operator import Operator


def applied(
    world: object, kind: type[Operator], shapes: tuple[Shape, ...], names: tuple[str, ...], values: list[Any]
) -> Operator:
    """The operator bound to its shapes. Operators never change, so equal applications are one object.

    ``world`` keeps apart what only looks equal: None for plain numbers, an object of its own for each set of symbols.
    """
    try:
        return _applied(world, kind, shapes, names, *values)
    except TypeError:  # an argument that is a list has no hash
        return _applied(world, kind, shapes, names, *map(_Hashed.of, values))


class _Hashed(list[Any]):
    """A list as an argument of a cached call; alike is what is written alike, so that 1 is not True."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """The value, hashable."""
        return cls(value) if isinstance(value, list) else value

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and repr(self) == repr(other)


@lru_cache(maxsize=8192, typed=True)
def _applied(
    world: object, kind: type[Operator], shapes: tuple[Shape, ...], names: tuple[str, ...], *values: Any
) -> Operator:
    return kind(shapes, **dict(zip(names, values, strict=True)))
