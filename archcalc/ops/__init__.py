"""The operators. Every module of this package is discovered; none is listed."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

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
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    pending = list(Operator.__subclasses__())
    while pending:
        cls = pending.pop(0)
        pending.extend(cls.__subclasses__())
        kind = cls.__dict__.get("kind")
        if kind is not None:
            if found.get(kind, cls) is not cls:
                raise TypeError(f"{cls.__module__} and {found[kind].__module__} both define the operator {kind}")
            found[kind] = cls
    return found
