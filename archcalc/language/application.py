"""Operator calls, cached: equal calls give one object."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.ops.operator import Operator


def applied(
    world: object, kind: type[Operator], shapes: tuple[Shape, ...], names: tuple[str, ...], values: list[Any]
) -> Operator:
    """Return the operator bound to its shapes. Operators never change, so equal calls share one object.

    ``world`` separates calls that only look equal: None for plain numbers, a new object for each run with symbols.
    """
    try:
        return _applied(world, kind, shapes, names, *values)
    except TypeError:  # a list has no hash
        return _applied(world, kind, shapes, names, *map(_Hashed.of, values))


class _HashedNames(dict[str, Any]):
    """Named sizes as an argument of a cached call, compared as `_Hashed` is."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and repr(self) == repr(other)


class _Hashed(list[Any]):
    """A list as an argument of a cached call; compared by its text, so 1 differs from True."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return the value, hashable."""
        if isinstance(value, dict):
            return _HashedNames(value)
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
