"""The arguments that a class of operators declares, read from its annotations."""

from __future__ import annotations

import sys
from functools import cached_property
from types import SimpleNamespace
from typing import Any, get_type_hints

from archcalc.ops.arguments import REQUIRED, Choice, Declared, OperatorCall, Or, ShapeList, TensorShapes, Text
from archcalc.structs import Struct


class Argument(Struct):
    """One declared argument of an operator."""

    name: str
    type: Any
    default: Any
    doc: str

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def takes_names(self) -> bool:
        """True if a mapping of names to values may be its value."""
        return isinstance(self.type, (ShapeList, TensorShapes, OperatorCall))

    @property
    def is_text(self) -> bool:
        """True if its value, where it is no mapping, is a text and not an expression."""
        return isinstance(self.type, (Text, OperatorCall))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words that the argument allows (`same`, `bilinear`); they are not names of variables."""
        return _words(self.type)


def _words(type_: Any) -> tuple[str, ...]:
    if isinstance(type_, Choice):
        return type_.options
    if isinstance(type_, Or):
        return (*([type_.word] if type_.word else []), *_words(type_.other))
    return _words(type_.item) if hasattr(type_, "item") else ()


def declared(cls: type) -> list[Argument]:
    """Return the arguments that ``cls`` itself declares. Raises `TypeError` for one without a type."""
    annotations = cls.__annotations__
    found = []
    for name, declaration in cls.__dict__.items():
        if not isinstance(declaration, Declared):
            continue
        annotation = annotations.get(name)
        if isinstance(annotation, str):  # its file begins with `from __future__ import annotations`
            annotation = _resolved(cls, name, annotation)
        metadata = getattr(annotation, "__metadata__", ())
        if not metadata:
            raise TypeError(
                f"{cls.__module__}.{cls.__name__}.{name} is declared as an argument: annotate it with one of the types "
                "of archcalc.ops.arguments, such as Extent"
            )
        found.append(Argument(name, metadata[0], declaration.default, declaration.doc))
    return found


def _resolved(cls: type, name: str, annotation: str) -> Any:
    """Return the type that an annotation names in the module of its class."""
    holder = SimpleNamespace(__annotations__={name: annotation})
    try:
        return get_type_hints(holder, vars(sys.modules[cls.__module__]), include_extras=True)[name]
    except NameError as error:
        raise TypeError(f"{cls.__module__}.{cls.__name__}.{name}: {error}; import it where the class is") from None
