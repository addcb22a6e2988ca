"""What a quantity is: its names, its unit, and how it is read from a row and from a whole network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from archcalc.analysis import Analysis, LayerCosts, Totals
from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.rows import TableRow
from archcalc.errors import UserError
from archcalc.ops.vocabulary import shape_text
from archcalc.receptive.fields import ReceptiveField
from archcalc.units import BYTES, COUNTS, LECTURE_BYTES, Unit, choose_unit

NO_PLACE = "–"
"""What stands for the stride and padding of what sees everything."""


@dataclass(frozen=True, eq=False)
class Quantity:
    """A word or a number, shown as it is.

    `{convention}` in a heading or title is where the name of the counting convention goes.
    """

    key: str
    """Its name in columns, data, assertions and options."""
    heading: str
    means: str
    """What it is, in one sentence."""
    row: Callable[[TableRow], Any] | None = None
    """Reads it from a row; None where only a whole network has it."""
    network: Callable[[Analysis], Any] | None = None
    """Reads it from a whole network; None where only a row has it."""
    short: str = ""
    """The heading where there is little room."""
    title: str = ""
    """What a sentence calls it."""
    words: str = ""
    """The headings that students write over it, with commas between them; empty where no homework asks for it."""
    derivation: str = ""
    """The quantity that `archcalc explain` derives for it, if it is another."""
    right: bool = True
    rank: int = 1
    """Where room is short, columns of a higher rank go first."""
    has_formula: bool = False
    """Whether it has a closed form in what a network leaves open."""

    has_total: ClassVar[bool] = False
    """Whether a table has it of all rows together."""

    def of_row(self, row: TableRow) -> Any:
        """Its value for a row: a text, a number, sizes (a tuple), or None for an empty cell."""
        assert self.row is not None
        return self.row(row)

    def of_network(self, analysis: Analysis) -> Any:
        """Its value for a whole network; None where the network has none."""
        assert self.network is not None
        return self.network(analysis)

    def of_rows(self, row: TableRow) -> Any:
        """Its value for layers that are asked by name, as an expression computes with it; None where there is none."""
        return self.of_row(row) if row.layers else None

    def headed(self, convention: str = "", unit: Unit | None = None) -> str:
        """Its heading with its convention and unit."""
        return _named(self.heading, convention, unit)

    def shortly_headed(self, convention: str = "", unit: Unit | None = None) -> str:
        """Its heading where there is little room."""
        return _named(self.short or self.heading, convention, unit)

    def titled(self, convention: str = "", unit: Unit | None = None) -> str:
        """Its title with its convention and unit."""
        return _named(self.title or self.heading, convention, unit)

    def is_counted(self, analysis: Analysis) -> bool:
        """Whether the convention counts it."""
        return True

    def unit_for(self, values: Sequence[Any], analysis: Analysis, exact: bool = False) -> Unit | None:
        """The unit of a column of these values; None where it has no units."""
        return None

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """A value as people read it."""
        return "" if value is None else str(value)

    def data_keys(self, analysis: Analysis) -> list[str]:
        """The names of its columns in data."""
        return [self.key]

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Its values in those columns: numbers in full, None for an empty cell."""
        return [self.of_row(row)]


class Sizes(Quantity):
    """A number for each dimension, shown as one where they agree."""

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """`3`, or `3×5` where the dimensions differ."""
        if not isinstance(value, tuple):
            return super().text(value, analysis)
        return str(value[0]) if len(set(value)) == 1 else shape_text(value)

    def of_rows(self, row: TableRow) -> Any:
        """One number where the dimensions agree, else a list."""
        value = super().of_rows(row)
        if not isinstance(value, tuple):
            return value
        return value[0] if len(set(value)) == 1 else list(value)

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """One number, or a text such as `3x5`."""
        value = self.of_row(row)
        return [None if value == NO_PLACE else plain_sizes(value) if isinstance(value, tuple) else value]


class Extent(Sizes):
    """The sizes of a map, without its channels."""


class Shape(Quantity):
    """A shape without the batch."""

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """`64×56×56`, or with the channels last."""
        return shape_text((*value[1:], value[0]) if channels_last and len(value) > 1 else value)

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """A text such as `64x56x56`."""
        return ["x".join(map(str, self.of_row(row)))]


@dataclass(frozen=True, eq=False)
class FieldPart(Sizes):
    """A number for each dimension of a receptive field."""

    part: str = "size"
    """The attribute of `ReceptiveField`."""

    def of_row(self, row: TableRow) -> Any:
        """The numbers, or a dash where a position sees the whole input."""
        numbers = getattr(row.receptive_field, self.part)
        return NO_PLACE if None in numbers else numbers

    def of_rows(self, row: TableRow) -> Any:
        """The smallest of the numbers; None where a dimension has none."""
        return self._smallest(row.receptive_field) if row.layers else None

    def of_network(self, analysis: Analysis) -> Any:
        """That of the last layer whose positions have a place of their own; None where there is none."""
        for row in reversed(analysis.rows):
            if None not in row.receptive_field.stride:
                return self._smallest(row.receptive_field)
        return None

    def _smallest(self, field: ReceptiveField) -> Any:
        numbers = getattr(field, self.part)
        return None if None in numbers or not numbers else min(numbers)


class FieldSize(FieldPart):
    """The size of a receptive field."""

    def of_row(self, row: TableRow) -> Any:
        """The sizes; `all` where a position sees the whole input, and `7 (all)` where it does beside a path."""
        field = row.receptive_field
        if None in field.stride:
            return "all"
        if not field.is_global:
            return field.size
        size = str(field.size[0]) if len(set(field.size)) == 1 else shape_text(field.size)
        return f"{size} (all)"

    def extent(self, row: TableRow) -> int | None:
        """One number for a drawing's colour: the larger side; None where a position sees the whole input."""
        field = row.receptive_field
        return None if field.is_global else int(max(field.size, default=0))

    def data_keys(self, analysis: Analysis) -> list[str]:
        """The size, and whether a position sees the whole input."""
        return [self.key, f"{self.key}_global"]

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """The size along the spatial path, where there is one, and true or false."""
        field = row.receptive_field
        return [None if None in field.stride else plain_sizes(field.size), field.is_global]


@dataclass(frozen=True, eq=False)
class Amount(Quantity):
    """A number that any layers have together: a row's and a network's come about in the same way."""

    layers: Callable[[Sequence[LayerCosts]], Any] = len
    """Reads it from layers, however many."""

    has_total = True

    def of_row(self, row: TableRow) -> Any:
        """That of the row's layers."""
        return self.layers(row.layers)

    def of_rows(self, row: TableRow) -> Any:
        """The same; no layers have an amount too."""
        return self.of_row(row)

    def of_network(self, analysis: Analysis) -> Any:
        """That of the layers that do inference."""
        return self.layers(analysis.rows)


@dataclass(frozen=True, eq=False)
class Cost(Amount):
    """A count or a number of bytes: a large whole number in a unit, and the sum of its rows."""

    units: tuple[Unit, ...] = COUNTS
    usual: int = 1
    """Which of the units the lectures use."""
    by_convention: bool = False
    """Whether each convention counts it in its own way."""
    needs_backward: bool = False
    """Whether only conventions that count the backward pass have it."""
    has_formula: bool = True

    def of_costs(self, costs: LayerCosts | Totals) -> Any:
        """That of one layer, or of a sum."""
        return getattr(costs, self.key)

    def of_row(self, row: TableRow) -> Any:
        """The sum over the row's layers."""
        return self.of_costs(row.costs)

    def of_network(self, analysis: Analysis) -> Any:
        """The sum over the layers that do inference; None where the convention does not count it."""
        return self.of_costs(analysis.totals) if self.is_counted(analysis) else None

    def is_counted(self, analysis: Analysis) -> bool:
        """Whether the convention counts it."""
        return not self.needs_backward or analysis.convention.backward is not None

    def units_for(self, analysis: Analysis) -> tuple[Unit, ...]:
        """Its units; the lectures write KB for KiB."""
        return LECTURE_BYTES if self.units is BYTES and analysis.convention.name == "lecture" else self.units

    def unit_for(self, values: Sequence[Any], analysis: Analysis, exact: bool = False) -> Unit:
        """The unit of a column of these values; with ``exact``, the smallest."""
        units = self.units_for(analysis)
        return units[0] if exact else choose_unit(values, units, self.usual)

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """The number in a unit, without the unit's symbol."""
        return (unit or self.units[0]).text(value)

    def extent(self, row: TableRow) -> int | None:
        """One number for a drawing's colour."""
        value: int = self.of_row(row)
        return value

    @property
    def data_key(self) -> str:
        """Its name in data, which says that it is in bytes."""
        return f"{self.key}_bytes" if self.units is BYTES and "bytes" not in self.key else self.key

    def data_keys(self, analysis: Analysis) -> list[str]:
        """The same, with the convention that it is counted by."""
        return [f"{self.key}_{analysis.convention.name}" if "{convention}" in self.heading else self.data_key]


@dataclass(frozen=True, eq=False)
class Share(Quantity):
    """A row's part of the network's total."""

    of: str = "flops"
    """The attribute of `Totals` that it is a part of."""

    has_total = True

    def of_row(self, row: TableRow) -> Any:
        """The row's own sum."""
        return getattr(row.costs, self.of)

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """`12.5 %`."""
        whole = getattr(analysis.totals, self.of)
        return f"{100 * value / whole:.1f} %" if whole else NO_PLACE

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """The part as a number up to 1."""
        whole = getattr(analysis.totals, self.of)
        return [self.of_row(row) / whole if whole else None]


def _named(text: str, convention: str, unit: Unit | None) -> str:
    text = " ".join(text.format(convention=convention).split())
    return f"{text} ({unit.symbol})" if unit is not None and unit.symbol else text


def plain_sizes(sizes: Sequence[Any]) -> Any:
    """One number where the dimensions agree, else a text such as `3x5`."""
    numbers = [plain_number(size) if isinstance(size, Fraction) else size for size in sizes]
    return numbers[0] if len(set(numbers)) == 1 else "x".join(map(str, numbers))


def plain_number(value: Fraction) -> int | float:
    """A fraction as data has it."""
    return value.numerator if value.denominator == 1 else float(value)


def refuse_uncounted(quantities: Sequence[Quantity], analysis: Analysis) -> None:
    """Raise `UserError` where a convention does not count what is asked for."""
    if not all(one.is_counted(analysis) for one in quantities):
        able = " or ".join(name for name, one in CONVENTIONS.items() if one.backward is not None)
        raise UserError(f"the convention {analysis.convention.name} says nothing of the backward pass: take {able}")
