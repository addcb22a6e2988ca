"""The operators. Every module of this package is discovered; none is listed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from archcalc.discovery import module_names
from archcalc.ops.operator import Operator


@cache
def words() -> Mapping[str, str]:
    """Return the words of expressions whose value is the word itself.

    They are the names of operators, and the words that arguments allow (`same`, `bilinear`).
    """
    arguments = [argument for operator in registry().values() for argument in operator.arguments.values()]
    return {word: word for word in (*registry(), *(word for argument in arguments for word in argument.words))}


@cache
def registry() -> dict[str, type[Operator]]:
    """Return every operator by its kind, in the order of files and classes.

    A class without a kind of its own is a base of several. Raises `TypeError` if two classes have the same kind.
    """
    found: dict[str, type[Operator]] = {}
    for name in module_names(__path__):
        module = import_module(f"{__name__}.{name}")
        for cls in vars(module).values():
            kind = cls.__dict__.get("kind") if isinstance(cls, type) and Operator in cls.__mro__ else None
            if kind is None:
                continue
            if found.get(kind, cls) is not cls:
                raise TypeError(f"{cls.__module__} and {found[kind].__module__} both define the operator {kind}")
            if cls.__module__ == module.__name__:
                found[kind] = cls
    return found
