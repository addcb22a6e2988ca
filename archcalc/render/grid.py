"""A table as a grid of texts: laid out once, then written in any format."""

from __future__ import annotations

from dataclasses import dataclass

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.quantity import refuse_uncounted
from archcalc.quantities.table import COLUMNS, LECTURE


@dataclass(frozen=True)
class TableOptions:
    """How a table is to be shown."""

    columns: tuple[str, ...] = LECTURE
    every_layer: bool = False
    """Show folded rows too."""
    depth: int | None = None
    exact: bool = False
    """Show integers in full instead of in a unit."""
    channels_last: bool = False
    """Write shapes as H×W×C."""


@dataclass(frozen=True)
class Column:
    """A column of texts."""

    key: str
    heading: str
    short: str
    right: bool = True
    rank: int = 1


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


LECTURE_TABLE = TableOptions()
"""The lecture's table."""


def lay_out(analysis: Analysis, view: TableOptions = LECTURE_TABLE) -> TableGrid:
    """The table of an analysis, as a view wants it."""
    quantities = [COLUMNS[key] for key in view.columns]
    chosen = parts_of(analysis, view)
    shown = [row for rows, _ in chosen for row in rows]
    units = [one.unit_for([one.of_row(row) for row in shown], analysis, view.exact) for one in quantities]
    convention = analysis.convention.name

    def line(row: TableRow, having: list[bool]) -> list[str]:
        return [
            one.text(one.of_row(row), analysis, unit, view.channels_last) if has else ""
            for one, unit, has in zip(quantities, units, having, strict=True)
        ]

    totals = [one.has_total for one in quantities]
    sections = []
    for rows, whole in chosen:
        total = line(whole, totals)
        if not totals[0]:
            total[0] = whole.name
        sections.append(Section([line(row, [True] * len(quantities)) for row in rows], [total] if any(totals) else []))
    return TableGrid(
        title=title_of(analysis),
        columns=tuple(Column(one.key, one.heading, one.short, one.right, one.rank) for one in quantities),
        headings=[one.headed(convention, unit) for one, unit in zip(quantities, units, strict=True)],
        short_headings=[one.shortly_headed(convention, unit) for one, unit in zip(quantities, units, strict=True)],
        sections=sections,
        notes=_notes(analysis, view),
    )


def parts_of(analysis: Analysis, view: TableOptions) -> list[tuple[list[TableRow], TableRow]]:
    """The rows of the network that does inference with their total, and what is counted apart.

    Raises `UserError` where the view asks for what the convention does not count.
    """
    refuse_uncounted([COLUMNS[key] for key in view.columns], analysis)
    parts = [(analysis.rows, "total"), *([(analysis.apart, "apart")] if analysis.apart else [])]
    return [
        (choose_rows(layers, fold=not view.every_layer, depth=view.depth), TableRow(label, list(layers), of_group=True))
        for layers, label in parts
    ]


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
        counted.append(f"memory: {convention.memory_says.format(itemsize=analysis.counting.itemsize)}{kilo}")
    if "params" in shown:
        counted.append("params: weights and biases")
    notes = [". ".join(counted) + "."] if counted else []
    if "rf" in shown and analysis.unaligned:
        count = len(analysis.unaligned)
        notes.append(
            f"Receptive fields are not aligned from {analysis.unaligned[0]} on"
            f" ({count} join{'s' if count > 1 else ''}): the paths that meet there have other centres or strides."
        )
    if analysis.apart:
        notes.append("Apart: side outputs and layers that exist only in training, not in the total.")
    expected = analysis.expected_training_macs
    if expected is not None:
        notes.append(
            f"Stochastic depth: a forward pass in training computes {round(expected):,} of {analysis.totals.macs:,}"
            f" multiply-adds on average ({100 * expected / analysis.totals.macs:.1f} %)."
        )
    shared = [row.layer for row in (*analysis.rows, *analysis.apart) if row.layer.shares]
    if shared:
        names = ", ".join(f"{layer.name} = {layer.shares}" for layer in shared[:4])
        notes.append(f"Shared weights are counted once: {names}{', …' if len(shared) > 4 else ''}.")
    return notes
