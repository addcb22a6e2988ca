"""The types of operator arguments: the values they allow, normalization, and JSON Schema.

An operator declares an argument as an annotated class attribute::

    kernel: Extent = required("size of the window")
    stride: Extent = option(1, "step of the window")

and from that declaration come the checks, the messages, the schema and the reference table.

Symbolic values, such as traced numbers, pass every check that cannot be decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from archcalc.arithmetic import ShapeError, decided, is_fraction
from archcalc.ops.naming import LETTERS, NamedSizes
from archcalc.structs import Struct
from archcalc.words import did_you_mean, quote

_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))


class BadArgument(ShapeError):
    """An argument is unknown, missing, or has an invalid value."""

    def __init__(self, message: str, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument
        """Name of the argument; empty until the operator is known."""


def show(value: Any) -> str:
    """Return a value as a spec has it, shortened to fit a message."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(show(item) for item in value[:8]) + (", …" if len(value) > 8 else "") + "]"
    elif is_fraction(value) and type(value)(str(float(value))) == value:
        text = str(float(value))
    else:
        text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


class Integer(Struct):
    """An integer of either sign, or one that is not below ``least``."""

    least: int | None = None

    def check(self, value: Any, rank: int) -> Any:
        """Return the value normalized. Raises `BadArgument` if it does not have this type.

        ``rank`` is the number of spatial dimensions of the operator's input.
        """
        if value.__class__ is not int and (isinstance(value, _PLAIN) or _is_fraction(value)):
            raise _wrong(self, value)
        if self.least is not None and decided(value >= self.least) is False:
            raise _wrong(self, value)
        return value

    @property
    def phrase(self) -> str:
        """The values in words, for messages and the reference."""
        if self.least is None:
            return "an integer"
        return "an integer above 0" if self.least == 1 else f"an integer not below {self.least}"

    def schema(self) -> dict[str, Any]:
        """Return the type as JSON Schema."""
        return {"type": "integer"} if self.least is None else {"type": "integer", "minimum": self.least}


class Axis(Integer):
    """The number of an axis, the batch not counted; negative ones count from the end."""


class Amount(Integer):
    """An integer not below 0, also written as `5e6`."""

    least: int = 0

    def check(self, value: Any, rank: int) -> Any:
        """Return the integer."""
        return super().check(int(value) if isinstance(value, float) and value.is_integer() else value, rank)

    def schema(self) -> dict[str, Any]:
        """Return the type as JSON Schema."""
        return {"type": "number", "minimum": self.least, "multipleOf": 1}


class Real(Struct):
    """A finite number, not below ``least`` and not above ``most`` if these are given."""

    least: float | None = None
    most: float | None = None

    def check(self, value: Any, rank: int) -> Any:
        if isinstance(value, _PLAIN) and (not isinstance(value, (int, float)) or isinstance(value, bool)):
            raise _wrong(self, value)
        if _is_fraction(value):
            value = float(value)
        if isinstance(value, (int, float)) and not (
            (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        ):
            raise _wrong(self, value)
        return value

    @property
    def phrase(self) -> str:
        if self.most is not None:
            return f"a number from {self.least:g} to {self.most:g}"
        return "a number" + ("" if self.least is None else f" not below {self.least:g}")

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": "number"} | {key: bound for key, bound in bounds.items() if bound is not None}


class Flag(Struct):
    """True or false."""

    phrase = "true or false"

    def check(self, value: Any, rank: int) -> bool:
        if value is not True and value is not False:
            raise _wrong(self, value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Choice(Struct):
    """One of several words."""

    options: tuple[str, ...]

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(self.options)

    def check(self, value: Any, rank: int) -> str:
        if value not in self.options:
            raise _wrong(self, value)
        return str(value)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


class PerDimension(Struct):
    """One value for all spatial dimensions, or a list with a value for each; normalized to a tuple."""

    item: Any

    @property
    def phrase(self) -> str:
        return f"{self.item.phrase}, or a list of one per spatial dimension"

    def check(self, value: Any, rank: int) -> tuple[Any, ...]:
        if isinstance(value, (list, tuple)):
            if len(value) != rank:
                raise BadArgument(f"has {len(value)} values, but the input has {rank} spatial dimensions")
            return tuple([self.item.check(item, rank) for item in value])
        return (self.item.check(value, rank),) * rank

    def schema(self) -> dict[str, Any]:
        return _one_or_list(self.item, minItems=1)


class Sides(Struct):
    """An amount before and an amount after: one number for both, or a pair; normalized to a pair."""

    item: Any

    @property
    def phrase(self) -> str:
        return f"{self.item.phrase}, or a pair [before, after]"

    def check(self, value: Any, rank: int) -> tuple[Any, Any]:
        if isinstance(value, (list, tuple)):
            if len(value) != 2:
                raise _wrong(self, value)
            return self.item.check(value[0], rank), self.item.check(value[1], rank)
        value = self.item.check(value, rank)
        return value, value

    def schema(self) -> dict[str, Any]:
        return _one_or_list(self.item, minItems=2, maxItems=2)


class Or(Struct):
    """A word with a special meaning (`same`), or a value of type ``other``."""

    word: str | None
    other: Any

    @property
    def phrase(self) -> str:
        return f"{show(self.word)}, or {self.other.phrase}"

    def check(self, value: Any, rank: int) -> Any:
        return value if value is self.word or value == self.word else self.other.check(value, rank)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": self.word}, self.other.schema()]}


class ListOf(Struct):
    """A list, or one value for a list of one; normalized to a tuple."""

    item: Any

    @property
    def phrase(self) -> str:
        return f"{self.item.phrase}, or a list of such values"

    def check(self, value: Any, rank: int) -> tuple[Any, ...]:
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple([self.item.check(item, rank) for item in values])

    def schema(self) -> dict[str, Any]:
        return _one_or_list(self.item)


class ShapeList(ListOf):
    """A list of sizes, or a mapping of the axes' names to sizes; normalized to a tuple."""

    phrase = "a list of sizes, or names of axes with sizes"

    def check(self, value: Any, rank: int) -> tuple[Any, ...]:
        if not isinstance(value, dict):
            return super().check(value, rank)
        check_names(value)
        return NamedSizes.of([self.item.check(size, rank) for size in value.values()], tuple(value))

    def schema(self) -> dict[str, Any]:
        listed = _one_or_list(self.item)
        named = {"type": "object", "minProperties": 1, "additionalProperties": self.item.schema()}
        return {"anyOf": [*listed["anyOf"], {**named, "propertyNames": {"enum": list(LETTERS)}}]}


class Text(Struct):
    """A printable word or phrase."""

    phrase = "a text"

    def check(self, value: Any, rank: int) -> str:
        if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
            raise _wrong(self, value)
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 200}


class TensorShapes(Struct):
    """A mapping of names to lists of sizes; normalized to tuples."""

    phrase = "a mapping of names to shapes"

    def check(self, value: Any, rank: int) -> dict[str, tuple[int, ...]]:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise _wrong(self, value)
        return {name: ListOf(Integer(0)).check(shape, rank) for name, shape in value.items()}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "array", "items": Integer(0).schema()}}


class OperatorCall(Struct):
    """An operator's name, or a mapping as a step has it: `{conv: 64, kernel: 3}`.

    Normalized to the name and the arguments; the one beside the name has no name of its own.
    """

    phrase = "an operator, or a mapping that begins with an operator"

    def check(self, value: Any, rank: int) -> tuple[str, dict[str, Any]]:
        if isinstance(value, str):
            return value, {}
        if not isinstance(value, dict) or not value or not all(isinstance(name, str) for name in value):
            raise _wrong(self, value)
        (kind, principal), *others = value.items()
        return kind, {"": principal, **dict(others)} if principal is not None else dict(others)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "additionalProperties": {}}]}


def check_names(names: Iterable[str]) -> None:
    """Raise `BadArgument` for a name that no axis has."""
    for name in names:
        if name not in LETTERS:
            raise BadArgument(f"has an unknown axis {quote(name)}{did_you_mean(name, LETTERS)}")


def _one_or_list(type_: Any, **bounds: int) -> dict[str, Any]:
    item = type_.schema()
    return {"anyOf": [item, {"type": "array", "items": item, **bounds}]}


def _wrong(type_: Any, value: Any) -> BadArgument:
    return BadArgument(f"must be {type_.phrase}, got {show(value)}")


def _is_fraction(value: Any) -> bool:
    """Return True for an exact number that is not an integer: a Fraction, or a traced number that is one."""
    return value.__class__.__name__ in ("Fraction", "Traced") and value.denominator != 1


_ANY, _POSITIVE = Integer(), Integer(1)
Count = Annotated[int, _POSITIVE]
Natural = Annotated[int, Integer(0)]
WholeAmount = Annotated[int, Amount()]
AnyInteger = Annotated[int, _ANY]
AxisIndex = Annotated[int, Axis()]
Axes = Annotated[tuple[int, ...], ListOf(Axis())]
RealNumber = Annotated[float, Real()]
Rate = Annotated[float, Real(0, 1)]
Positive = Annotated[float, Real(0)]
Bool = Annotated[bool, Flag()]
Extent = Annotated[tuple[int, ...], PerDimension(_POSITIVE)]
Offsets = Annotated[tuple[int, ...], PerDimension(Integer(0))]
Padding = Annotated[Any, Or("same", Or("valid", PerDimension(Sides(Integer(0)))))]
SameOffsets = Annotated[Any, Or("same", Or("valid", PerDimension(Integer(0))))]
Margins = Annotated[tuple[tuple[int, int], ...], PerDimension(Sides(_ANY))]
Pairs = Annotated[tuple[tuple[int, int], ...], ListOf(Sides(_ANY))]
OptionalExtent = Annotated[Any, Or(None, PerDimension(_POSITIVE))]
ScaleFactors = Annotated[Any, Or(None, PerDimension(Real(0)))]
TargetSize = Annotated[tuple[Any, ...], PerDimension(Or(None, _POSITIVE))]
OptionalCount = Annotated[Any, Or(None, _POSITIVE)]
OptionalPositive = Annotated[Any, Or(None, Real(0))]
OptionalIndex = Annotated[Any, Or(None, _ANY)]
SizeList = Annotated[tuple[int, ...], ListOf(_ANY)]
ShapesByName = Annotated[Mapping[str, tuple[int, ...]], TensorShapes()]
Phrase = Annotated[str, Text()]
OperatorName = Annotated[Any, OperatorCall()]
NamedShape = Annotated[tuple[int, ...], ShapeList(_ANY)]


class Declared(Struct):
    """The declaration of an argument: its default, and what it is."""

    default: Any
    doc: str


REQUIRED: Any = object()


def required(doc: str) -> Any:
    """Declare an argument that must be given."""
    return Declared(REQUIRED, doc)


def option(default: Any, doc: str) -> Any:
    """Declare an argument with a default; a callable is called with the operator, after the others."""
    return Declared(default, doc)
