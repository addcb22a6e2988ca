"""A table as a grid of texts: laid out once, then written in any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archcalc.analysis import Analysis, Totals
from archcalc.analysis.columns import COLUMNS, LECTURE_COLUMNS, Column, Measure, ShareColumn, heading
from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.costs import ITEM_SIZES
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.errors import UserError
from archcalc.ops.vocabulary import shape_text
from archcalc.units import BYTES, LECTURE_BYTES, Unit, choose_unit


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be shown."""

    columns: tuple[str, ...] = LECTURE_COLUMNS
    every_layer: bool = False
    """Show folded rows too."""
    depth: int | None = None
    exact: bool = False
    """Show integers in full instead of in a unit."""
    channels_last: bool = False
    """Write shapes as H×W×C."""


@dataclass(frozen=True)
class Section:
    """Rows with their sum."""

    rows: list[list[str]]
    totals: list[list[str]]
    """One row; none where no column has a sum."""


@dataclass(frozen=True)
class TableGrid:
    """A table, laid out."""

    title: str
    columns: tuple[Column, ...]
    headings: list[str]
    short_headings: list[str]
    sections: list[Section]
    notes: list[str]


LECTURE = TableOptions()
"""The lecture's table."""


def lay_out(analysis: Analysis, view: TableOptions = LECTURE) -> TableGrid:
    """The table of an analysis, as a view wants it."""
    columns = tuple(COLUMNS[key] for key in view.columns)
    chosen = parts_of(analysis, view)
    units = {
        column.key: _unit(column, [row for rows, _, _ in chosen for row in rows], analysis, view) for column in columns
    }
    cells = _Cells(analysis, view, units)
    return TableGrid(
        title=title_of(analysis),
        columns=columns,
        headings=[heading(column, analysis, units[column.key], column.heading) for column in columns],
        short_headings=[heading(column, analysis, units[column.key], column.short) for column in columns],
        sections=[
            Section([cells.row(row, columns) for row in rows], cells.total(totals, label, columns))
            for rows, totals, label in chosen
        ],
        notes=_notes(analysis, view),
    )


def parts_of(analysis: Analysis, view: TableOptions) -> list[tuple[list[TableRow], Totals, str]]:
    """The rows of the network that does inference with their sums, and the auxiliary layers.

    Raises `UserError` where the view asks for what the convention does not count.
    """
    if analysis.convention.backward is None and not {"backward_flops", "step_flops"}.isdisjoint(view.columns):
        able = " or ".join(name for name, one in CONVENTIONS.items() if one.backward is not None)
        raise UserError(f"the convention {analysis.convention.name} says nothing of the backward pass: take {able}")
    parts = [(analysis.rows, analysis.totals, "total")]
    if analysis.auxiliary:
        parts.append((analysis.auxiliary, analysis.auxiliary_totals, "auxiliary"))
    return [
        (choose_rows(layers, fold=not view.every_layer, depth=view.depth), totals, label)
        for layers, totals, label in parts
    ]


def _unit(column: Column, rows: Sequence[TableRow], analysis: Analysis, view: TableOptions) -> Unit | None:
    if not isinstance(column, Measure):
        return None
    units = column.units
    if units is BYTES and analysis.convention.name == "lecture":
        units = LECTURE_BYTES
    if view.exact:
        return units[0]
    return choose_unit([column.value(row) for row in rows], units, column.preferred)


class _Cells:
    """Writes values as cells."""

    def __init__(self, analysis: Analysis, view: TableOptions, units: dict[str, Unit | None]) -> None:
        self.analysis = analysis
        self.view = view
        self.units = units

    def row(self, row: TableRow, columns: tuple[Column, ...]) -> list[str]:
        return [self.cell(column, column.value(row)) for column in columns]

    def total(self, totals: Totals, label: str, columns: tuple[Column, ...]) -> list[list[str]]:
        if not any(isinstance(column, (Measure, ShareColumn)) for column in columns):
            return []
        cells = []
        for column in columns:
            if isinstance(column, Measure):
                cells.append(self.cell(column, getattr(totals, column.total)))
            elif isinstance(column, ShareColumn):
                cells.append(self.cell(column, getattr(totals, column.of)))
            else:
                cells.append("")
        if columns and not isinstance(columns[0], (Measure, ShareColumn)):
            cells[0] = label
        return [cells]

    def cell(self, column: Column, value: Any) -> str:
        if value is None:
            return ""
        unit = self.units.get(column.key)
        if unit is not None:
            return unit.text(value)
        if isinstance(column, ShareColumn):
            whole = getattr(self.analysis.totals, column.of)
            return f"{100 * value / whole:.1f} %" if whole else "–"
        if isinstance(value, tuple):
            return self.shape(column, value)
        return str(value)

    def shape(self, column: Column, shape: tuple[Any, ...]) -> str:
        if column.key in ("input", "output"):
            if self.view.channels_last and len(shape) > 1:
                shape = (*shape[1:], shape[0])
            return shape_text(shape)
        return str(shape[0]) if len(set(shape)) == 1 else shape_text(shape)


def title_of(analysis: Analysis) -> str:
    """What was analyzed, on one line."""
    network = analysis.network
    inputs = ", ".join(
        (f"{name} " if len(network.inputs) > 1 else "") + shape_text(shape) for name, shape in network.inputs.items()
    )
    about = f" · {network.about.title}" if network.about.title else ""
    return f"{network.name}{about} · input {inputs} · batch {analysis.batch} · {analysis.dtype}"


def _notes(analysis: Analysis, view: TableOptions) -> list[str]:
    """What was counted and how, in one line of sentences; then what needs saying of this network."""
    convention = analysis.convention
    shown = set(view.columns)
    counted = []
    if {"flops", "share"} & shown:
        counted.append(f"{convention.name} flop: {convention.says}")
    if "memory" in shown:
        kilo = "" if view.exact else "; 1 KB = 1024 B (KiB)" if convention.name == "lecture" else ""
        counted.append(f"memory: {convention.memory_says.format(itemsize=ITEM_SIZES[analysis.dtype])}{kilo}")
    if "params" in shown:
        counted.append("params: weights and biases")
    notes = [". ".join(counted) + "."] if counted else []
    if "rf" in shown and analysis.unaligned:
        count = len(analysis.unaligned)
        notes.append(
            f"Receptive fields are not aligned from {analysis.unaligned[0]} on"
            f" ({count} join{'s' if count > 1 else ''}): the paths that meet there have other centres or strides."
        )
    if analysis.auxiliary:
        notes.append("Auxiliary: side outputs and layers that exist only in training, not in the total.")
    expected = analysis.expected_training_macs
    if expected is not None:
        notes.append(
            f"Stochastic depth: a forward pass in training computes {round(expected):,} of {analysis.totals.macs:,}"
            f" multiply-adds on average ({100 * expected / analysis.totals.macs:.1f} %)."
        )
    shared = [row.layer for row in (*analysis.rows, *analysis.auxiliary) if row.layer.shares]
    if shared:
        names = ", ".join(f"{layer.name} = {layer.shares}" for layer in shared[:4])
        notes.append(f"Shared weights are counted once: {names}{', …' if len(shared) > 4 else ''}.")
    return notes
