"""Structs: immutable objects with named fields, written like dataclasses, whose classes cost nothing to make.

A dataclass compiles six methods when its module is imported, half a millisecond for each class: for all classes of
`archcalc table`, a fifth of its time (2026). A struct has all methods from its base.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:  # to type checkers, structs are frozen dataclasses
    from dataclasses import replace as replace

    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Return a decorator that changes nothing."""
        return lambda cls: cls

    def replace(struct: Struct, /, **changes: Any) -> Struct:
        """Return a copy of a struct with other values in some fields."""
        return struct.__replace__(**changes)


class _OfDataclass:
    """An attribute of the class as a frozen dataclass, made once, when another library asks for it."""

    def __set_name__(self, cls: type[Struct], name: str) -> None:
        self.name = name
        self.made: dict[type[Struct], Any] = {}

    def __get__(self, struct: Any, cls: type[Struct]) -> Any:
        if cls not in self.made:
            from dataclasses import make_dataclass

            self.made[cls] = vars(make_dataclass(cls.__name__, cls.__match_args__, frozen=True))[self.name]
        return self.made[cls]


@dataclass_transform(frozen_default=True)
class Struct:
    """Base of structs: a subclass declares fields as annotated names, those with a default last.

    Structs of one class with equal fields are equal. A default is shared by all structs, so a list or a dict may be one
    only if the field's type has no way to change it (`Sequence`, `Mapping`). `__post_init__` checks a new struct.

    Examples:
        >>> from archcalc.structs import Struct, replace
        >>> class Window(Struct):
        ...     kernel: int
        ...     stride: int = 1
        >>> Window(3)
        Window(kernel=3, stride=1)
        >>> replace(Window(3), stride=2) == Window(3, 2)
        True
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()
    """The names of the fields."""
    ignored: ClassVar[tuple[str, ...]] = ()
    """Fields that equality and `repr` do not look at."""
    _defaults: ClassVar[dict[str, Any]] = {}
    _compared: ClassVar[Any] = attrgetter("__class__")
    """Returns the fields that decide equality."""

    def __init_subclass__(cls) -> None:
        own = [name for name, kind in cls.__annotations__.items() if "ClassVar[" not in str(kind)]
        inherited = cls.__match_args__
        names = (*inherited, *(name for name in own if name not in inherited))
        cls.__match_args__ = names  # type: ignore[misc]
        cls._defaults = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
        compared = [name for name in names if name not in cls.ignored]
        if compared:
            cls._compared = attrgetter(*compared)

    if not TYPE_CHECKING:
        __dataclass_fields__ = _OfDataclass()
        __dataclass_params__ = _OfDataclass()

        def __init__(self, *values: Any, **named: Any) -> None:
            names, fields = self.__match_args__, self.__dict__
            if len(values) < len(names):
                fields.update(self._defaults)
            fields.update(zip(names, values, strict=False))
            fields.update(named)
            twice = named and not named.keys().isdisjoint(names[: len(values)])
            if len(fields) != len(names) or len(values) > len(names) or twice:
                raise TypeError(f"expected {self.__class__.__name__}({', '.join(names)}), got {values} and {named}")
            self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields; a struct that needs it overrides this."""

    def __replace__(self, **changes: Any) -> Any:
        return self.__class__(**{**_values(self), **changes})

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, Struct)
        return self is other or self._compared(self) == other._compared(other)

    def __hash__(self) -> int:
        return hash(self._compared(self))

    def __repr__(self) -> str:
        fields = [f"{name}={value!r}" for name, value in _values(self).items() if name not in self.ignored]
        return f"{self.__class__.__qualname__}({', '.join(fields)})"

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{self.__class__.__name__} cannot change: make another with replace, to change {name}")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)


def _values(struct: Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__match_args__}
