"""The classes of quantities: names, unit, and how a value is read from a row and from a whole network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archcalc.analysis import Analysis, LayerCosts, Totals
from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import is_fraction
from archcalc.errors import UserError
from archcalc.ops.naming import names_of
from archcalc.ops.vocabulary import shape_text
from archcalc.receptive.fields import ReceptiveField
from archcalc.structs import Struct
from archcalc.units import BYTES, COUNTS, LECTURE_BYTES, Unit, choose_unit

if TYPE_CHECKING:
    from fractions import Fraction

NOT_APPLICABLE = "–"
"""The cell of a value that does not apply, such as the effective stride of a global receptive field."""


class Quantity(Struct):
    """A word or a number, shown as it is.

    `{convention}` in a heading or title is replaced by the name of the counting convention.
    """

    key: str
    """Its name in columns, data, assertions and options."""
    means: str
    """Its definition, in one sentence."""
    row: Callable[[TableRow], Any] | None = None
    """Reads it from a row; None if only a whole network has it."""
    network: Callable[[Analysis], Any] | None = None
    """Reads it from a whole network; None if only a row has it."""
    heading: str = ""
    """Empty if it is the words of `key`."""
    short: str = ""
    """A short heading; empty if the heading is short enough."""
    title: str = ""
    """Its name in a sentence; empty if it is the heading."""
    words: str = ""
    """The headings that students use for it, separated by commas; empty if no homework asks for it."""
    derivation: str = ""
    """The quantity that `archcalc explain` derives in its place; empty if it is this one."""
    right: bool = True
    """True if its column is aligned to the right."""
    rank: int = 1
    """Columns of a higher rank are left out first where they do not fit."""
    has_formula: bool = False
    """True if it has a closed form."""
    is_simulated: bool = False
    """True if it is an estimate where the memory of a layer is not modelled (`archcalc.memory.estimating`)."""

    has_total: ClassVar[bool] = False
    """True if a table shows it for all rows together."""

    def marked(self, text: str, row: TableRow) -> str:
        """Return the text of a row's cell, with `≥` if the value is a lower bound."""
        return text

    def of_row(self, row: TableRow) -> Any:
        """Return its value for a row: a string, a number, a tuple of sizes, or None for an empty cell."""
        assert self.row is not None
        return self.row(row)

    def of_network(self, analysis: Analysis) -> Any:
        """Return its value for a whole network; None if the network has none."""
        assert self.network is not None
        return self.network(analysis)

    def of_rows(self, row: TableRow) -> Any:
        """Return its value for layers in an expression, as a number or list; None if there is none."""
        return self.of_row(row) if row.layers else None

    def headed(self, convention: str = "", unit: Unit | None = None) -> str:
        """Return its heading with convention and unit."""
        return self._named(self.heading, convention, unit)

    def shortly_headed(self, convention: str = "", unit: Unit | None = None) -> str:
        """Return its heading where there is little room."""
        return self._named(self.short or self.heading, convention, unit)

    def titled(self, convention: str = "", unit: Unit | None = None) -> str:
        """Return its title with convention and unit."""
        return self._named(self.title or self.heading, convention, unit)

    def _named(self, text: str, convention: str, unit: Unit | None) -> str:
        text = " ".join((text or self.key.replace("_", " ")).format(convention=convention).split())
        return f"{text} ({unit.symbol})" if unit is not None and unit.symbol else text

    def is_counted(self, analysis: Analysis) -> bool:
        """Return True if the convention counts it."""
        return True

    def unit_for(self, values: Sequence[Any], analysis: Analysis, exact: bool = False) -> Unit | None:
        """Return the unit for a column of these values; None if it has no units."""
        return None

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return a value as text for people."""
        return "" if value is None else str(value)

    def data_keys(self, analysis: Analysis) -> list[str]:
        """Return the names of its columns in data."""
        return [self.key]

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return its values in those columns: numbers in full, None for an empty cell."""
        return [self.of_row(row)]


class Name(Quantity):
    """The name of a row, with a mark in tables where its numbers are not computed."""

    def of_row(self, row: TableRow) -> str:
        """Return the name with its mark."""
        return row.label

    def of_rows(self, row: TableRow) -> str:
        return row.name

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        return [row.name]


class Sizes(Quantity):
    """A number for each dimension, shown as one number if they are equal."""

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return `3`, or `3×5` if the dimensions differ."""
        if not isinstance(value, tuple):
            return super().text(value, analysis)
        return str(value[0]) if len(set(value)) == 1 else shape_text(value)

    def of_rows(self, row: TableRow) -> Any:
        """Return one number if the dimensions are equal, else a list."""
        value = super().of_rows(row)
        if not isinstance(value, tuple):
            return value
        return value[0] if len(set(value)) == 1 else list(value)

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return one number, or a string such as `3x5`."""
        value = self.of_row(row)
        return [None if value == NOT_APPLICABLE else plain_sizes(value) if isinstance(value, tuple) else value]


class Extent(Sizes):
    """The spatial size of a feature map."""


class AxisSizes(Sizes):
    """The size of an axis, or of several of a kind: tokens of windows, 64×49."""

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return every size, in the order of the axes."""
        return shape_text(value) if isinstance(value, tuple) else Quantity.text(self, value, analysis)

    def of_rows(self, row: TableRow) -> Any:
        """Return the size; a list of several."""
        value = Quantity.of_rows(self, row)
        return list(value) if isinstance(value, tuple) else value

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return a number, or a string such as `64x49`."""
        value = self.of_row(row)
        return ["x".join(map(str, value)) if isinstance(value, tuple) else value]


class Shape(Quantity):
    """A shape without the batch."""

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return `64×56×56`, or `56×56×64` with the channels last."""
        leads = names_of(value)[:1] == ("channels",)
        return shape_text((*value[1:], value[0]) if channels_last and leads else value)

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return a string such as `64x56x56`."""
        return ["x".join(map(str, self.of_row(row)))]


class FieldPart(Sizes):
    """One of the terms of a receptive field, a number for each dimension."""

    part: str = "size"
    """The attribute of `ReceptiveField`."""

    def of_layer(self, layer: LayerCosts) -> tuple[Any, ...]:
        """Return the numbers of one layer; None where a dimension has none."""
        numbers: tuple[Any, ...] = getattr(layer.receptive_field, self.part)
        return numbers

    def of_row(self, row: TableRow) -> Any:
        """Return the numbers, or a dash if the field is global; None if the input has no spatial dimensions."""
        numbers = self.of_layer(row.layers[-1])
        return NOT_APPLICABLE if None in numbers else numbers or None

    def of_rows(self, row: TableRow) -> Any:
        """Return the smallest of the numbers; None if a dimension has none."""
        return self._smallest(row.layers[-1]) if row.layers else None

    def of_network(self, analysis: Analysis) -> Any:
        """Return the value of the last layer with a spatial path; None if there is none."""
        layer = next((layer for layer in reversed(analysis.rows) if None not in layer.receptive_field.stride), None)
        return None if layer is None else self._smallest(layer)

    def _smallest(self, layer: LayerCosts) -> Any:
        numbers = self.of_layer(layer)
        return None if None in numbers or not numbers else min(numbers)


class FieldBound(FieldPart):
    """The size that the published recurrence gives."""

    def of_layer(self, layer: LayerCosts) -> tuple[Any, ...]:
        """Return the size along each dimension; None where positions are lost."""
        return layer.field_bound


class FieldSize(FieldPart):
    """The size of a receptive field."""

    def of_row(self, row: TableRow) -> Any:
        """Return the sizes; `all` for a global field, `7 (all)` if it has a spatial path too.

        None if the input has no spatial dimensions.
        """
        field = row.receptive_field
        if not field.stride:
            return None
        if None in field.stride:
            return "all"
        if not field.is_global:
            return field.size
        return f"{field_text(field)} (all)"

    def marked(self, text: str, row: TableRow) -> str:
        """Return the text of a row's cell, with a range if neighbors see regions of different sizes."""
        field = row.receptive_field
        return text if not field.stride or field.is_global or field.size == field.smallest else field_text(field)

    def extent(self, row: TableRow) -> int | None:
        """Return one number for a drawing's color: the largest size; None if the field is global."""
        field = row.receptive_field
        return None if field.is_global else int(max(field.size, default=0))

    def data_keys(self, analysis: Analysis) -> list[str]:
        """Return the names of the size and of the flag for a global field."""
        return [self.key, f"{self.key}_global"]

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return the size along the spatial path, if there is one, and whether the field is global."""
        field = row.receptive_field
        return [None if None in field.stride or not field.stride else plain_sizes(field.size), field.is_global]


class ComputedAmount(Quantity):
    """A number that is computed from layers, for a row and for a network in the same way."""

    layers: Callable[[Sequence[LayerCosts]], Any] = len
    """Computes it from any number of layers."""

    has_total = True

    def of_row(self, row: TableRow) -> Any:
        """Return the value for the row's layers."""
        return self.layers(row.layers)

    def of_rows(self, row: TableRow) -> Any:
        """Return the value for the layers; no layers have a value too."""
        return self.of_row(row)

    def of_network(self, analysis: Analysis) -> Any:
        """Return the value for the layers that run at inference."""
        return self.layers(analysis.rows)


class AmountWithUnits(ComputedAmount):
    """A count or a number of bytes."""

    units: tuple[Unit, ...] = COUNTS

    def units_for(self, analysis: Analysis) -> tuple[Unit, ...]:
        """Return its units; the lectures write KB for KiB."""
        return LECTURE_BYTES if self.units is BYTES and analysis.convention.name == "lecture" else self.units


class Cost(AmountWithUnits):
    """An integer with a unit, which sums over rows."""

    usual: int = 1
    """Number of the unit that the lectures use."""
    by_convention: bool = False
    """True if its value depends on the convention."""
    needs_backward: bool = False
    """True if only conventions that count the backward pass have it."""
    is_work: bool = False
    """True if it is a lower bound where the work of a layer is not known."""
    has_formula: bool = True

    def of_costs(self, costs: LayerCosts | Totals) -> Any:
        """Return the value for one layer, or for a sum."""
        return getattr(costs, self.key)

    def of_row(self, row: TableRow) -> Any:
        """Return the sum over the row's layers."""
        return self.of_costs(row.costs)

    def of_network(self, analysis: Analysis) -> Any:
        """Return the sum over the layers that run at inference; None if the convention does not count it."""
        return self.of_costs(analysis.totals) if self.is_counted(analysis) else None

    def is_counted(self, analysis: Analysis) -> bool:
        """Return True if the convention counts it."""
        return not self.needs_backward or analysis.convention.backward is not None

    def unit_for(self, values: Sequence[Any], analysis: Analysis, exact: bool = False) -> Unit:
        """Return the unit for a column of these values; with ``exact``, the smallest."""
        units = self.units_for(analysis)
        return units[0] if exact else choose_unit(values, units, self.usual)

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return the number in a unit, without the unit's symbol."""
        return (unit or self.units[0]).text(value)

    def marked(self, text: str, row: TableRow) -> str:
        """Return the text of a row's cell, with `≥` if the value is a lower bound."""
        return f"≥ {text}" if self.is_work and not row.work_is_known else text

    def extent(self, row: TableRow) -> int | None:
        """Return one number for a drawing's color."""
        value: int = self.of_row(row)
        return value

    @property
    def data_key(self) -> str:
        """Its name in data, which ends with `_bytes` if it is in bytes."""
        return f"{self.key}_bytes" if self.units is BYTES and "bytes" not in self.key else self.key

    def data_keys(self, analysis: Analysis) -> list[str]:
        """Return its name in data, with the convention if its heading has one."""
        return [f"{self.key}_{analysis.convention.name}" if "{convention}" in self.heading else self.data_key]


class Share(Quantity):
    """A row's share of the network's total."""

    of: str = "flops"
    """The attribute of `Totals` that it is a share of."""

    has_total = True

    def of_row(self, row: TableRow) -> Any:
        """Return the row's own sum."""
        return getattr(row.costs, self.of)

    def text(self, value: Any, analysis: Analysis, unit: Unit | None = None, channels_last: bool = False) -> str:
        """Return text such as `12.5 %`."""
        whole = getattr(analysis.totals, self.of)
        return f"{100 * value / whole:.1f} %" if whole else NOT_APPLICABLE

    def data(self, row: TableRow, analysis: Analysis) -> list[Any]:
        """Return the share as a number up to 1."""
        whole = getattr(analysis.totals, self.of)
        return [self.of_row(row) / whole if whole else None]


def field_text(field: ReceptiveField) -> str:
    """Return the size of a field: `7`, `7×5` if the dimensions differ, `92–100` if neighbors do."""
    texts = [
        str(most) if least == most else f"{least}–{most}"
        for least, most in zip(field.smallest, field.size, strict=True)
    ]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def plain_sizes(sizes: Sequence[Any]) -> Any:
    """Return one number if the dimensions are equal, else a string such as `3x5`."""
    numbers = [plain_number(size) if is_fraction(size) else size for size in sizes]
    return numbers[0] if len(set(numbers)) == 1 else "x".join(map(str, numbers))


def plain_number(value: Fraction) -> int | float:
    """Return a fraction as an int or a float."""
    return value.numerator if value.denominator == 1 else float(value)


def refuse_uncounted(quantities: Sequence[Quantity], analysis: Analysis) -> None:
    """Raise `UserError` if the convention of an analysis does not count one of the quantities."""
    if not all(quantity.is_counted(analysis) for quantity in quantities):
        able = " or ".join(name for name, convention in CONVENTIONS.items() if convention.backward is not None)
        raise UserError(f"the convention {analysis.convention.name} does not count the backward pass; use {able}")
