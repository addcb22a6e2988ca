"""The columns that a table can have: what each is called, and what it shows of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.ops.vocabulary import shape_text
from archcalc.units import BYTES, COUNTS, Unit


@dataclass(frozen=True)
class Column:
    """A column of words, sizes or small numbers, shown as they are."""

    key: str
    heading: str
    short: str
    """Heading where there is little room."""
    value: Callable[[TableRow], Any]
    """What the row has: a text, a number, a shape (a tuple), or None for an empty cell."""
    right: bool = True
    rank: int = 1
    """Where room is short, columns of a higher rank go first."""


@dataclass(frozen=True)
class Measure(Column):
    """A column of counts or bytes: large whole numbers, in a unit, with a sum."""

    units: tuple[Unit, ...] = COUNTS
    preferred: int = 0

    @property
    def total(self) -> str:
        """The attribute of `Totals` that is its sum."""
        return "params" if self.key == "trainable" else self.key


@dataclass(frozen=True)
class ShareColumn(Column):
    """A column of parts of a total."""

    of: str = "flops"


NO_PLACE = "–"
"""What stands for stride and padding of what sees everything."""


def _fact(name: str) -> Callable[[TableRow], Any]:
    def value(row: TableRow) -> Any:
        return None if row.of_group else row.head.layer.op.facts().get(name)

    return value


def _channels(shape: Shape) -> Any:
    return shape[0]


def _extent(shape: Shape) -> Any:
    return shape[1:] or None


def _cost(name: str) -> Callable[[TableRow], Any]:
    return lambda row: getattr(row.costs, name)


def _field(name: str) -> Callable[[TableRow], Any]:
    def value(row: TableRow) -> Any:
        field = row.receptive_field
        numbers = getattr(field, name)
        return NO_PLACE if None in numbers else numbers

    return value


def _field_size(row: TableRow) -> Any:
    field = row.receptive_field
    if None in field.stride:
        return "all"
    if not field.sees_all:
        return field.size
    size = str(field.size[0]) if len(set(field.size)) == 1 else shape_text(field.size)
    return f"{size} (all)"


_ALL = (
    Column("name", "layer", "layer", lambda row: row.name, right=False, rank=0),
    Column("op", "operator", "op", lambda row: "group" if row.of_group else row.head.layer.op.kind, right=False),
    Column("input", "input", "input", lambda row: row.input_shapes[0]),
    Column("input_c", "input C", "in C", lambda row: _channels(row.input_shapes[0]), rank=3),
    Column("input_hw", "input H/W", "in HW", lambda row: _extent(row.input_shapes[0]), rank=3),
    Column("filters", "filters", "filt", _fact("filters")),
    Column("kernel", "kernel", "K", _fact("kernel")),
    Column("stride", "stride", "S", _fact("stride")),
    Column("pad", "pad", "P", _fact("pad")),
    Column("output", "output", "output", lambda row: row.output_shape, rank=0),
    Column("output_c", "output C", "out C", lambda row: _channels(row.output_shape), rank=0),
    Column("output_hw", "output H/W", "out HW", lambda row: _extent(row.output_shape), rank=0),
    Measure("memory", "memory", "mem", _cost("memory"), units=BYTES, preferred=1),
    Measure("params", "params", "params", _cost("params"), preferred=1, rank=0),
    Measure("weights", "weights", "weights", _cost("weights"), preferred=1),
    Measure("biases", "biases", "biases", _cost("biases"), preferred=1),
    Measure("trainable", "trainable", "train", _cost("params"), preferred=1),
    Measure("buffers", "buffers", "buf", _cost("buffers"), preferred=1),
    Measure("macs", "MACs", "MACs", _cost("macs"), preferred=2),
    Measure("flops", "flop", "flop", _cost("flops"), preferred=2, rank=0),
    Measure("backward_macs", "backward MACs", "bwd MACs", _cost("backward_macs"), preferred=2),
    Measure("backward_flops", "backward flop", "bwd flop", _cost("backward_flops"), preferred=2),
    Measure("step_flops", "step flop", "step flop", _cost("step_flops"), preferred=2),
    Measure("bytes_read", "read", "read", _cost("bytes_read"), units=BYTES, preferred=1),
    Measure("bytes_written", "written", "written", _cost("bytes_written"), units=BYTES, preferred=1),
    ShareColumn("share", "share of flop", "share", _cost("flops"), of="flops"),
    ShareColumn("share_params", "share of params", "share", _cost("params"), of="params"),
    ShareColumn("share_memory", "share of memory", "share", _cost("memory"), of="memory"),
    Column("rf", "receptive field", "RF", _field_size, rank=2),
    Column("rf_stride", "RF stride", "RF S", _field("stride"), rank=2),
    Column("rf_padding", "RF padding", "RF P", _field("padding"), rank=2),
)

COLUMNS = {column.key: column for column in _ALL}
BACKWARD_COLUMNS = ("backward_flops", "step_flops")
"""What `--backward` adds."""

LECTURE_COLUMNS = (
    *("name", "input_c", "input_hw", "filters", "kernel", "stride", "pad", "output_c", "output_hw"),
    *("memory", "params", "flops", "rf"),
)


def heading(column: Column, analysis: Analysis, unit: Unit | None, text: str) -> str:
    """A column's heading with its unit; the counting convention's name stands before what it counts."""
    if column.key in ("flops", "share", "backward_flops", "step_flops"):
        text = text.replace("flop", f"{analysis.convention.name} flop")
    return f"{text} ({unit.symbol})" if unit is not None and unit.symbol else text
