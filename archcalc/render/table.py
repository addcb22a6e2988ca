"""The table of an analysis as a document."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.network import Network
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.contract import as_dict
from archcalc.quantities.quantity import Quantity, refuse_uncounted
from archcalc.quantities.table import COLUMNS, lecture_columns
from archcalc.render.document import Column, Document, Section, Table
from archcalc.structs import Struct


class TableOptions(Struct):
    """The options of a table."""

    columns: tuple[str, ...] = ()
    """Keys of quantities; empty for the lecture's, without columns for axes that no row has."""
    more: tuple[str, ...] = ()
    """Further columns."""
    every_layer: bool = False
    """Show folded rows too."""
    depth: int | None = None
    exact: bool = False
    """Show integers in full instead of in a unit."""
    channels_last: bool = False
    """Write shapes as H×W×C."""


LECTURE_TABLE = TableOptions()
"""The lecture's table."""


def table_document(
    analysis: Analysis, view: TableOptions = LECTURE_TABLE, caption: str = "", label: str = ""
) -> Document:
    """Return the table of an analysis; its data is the whole analysis.

    Raises `UserError` for a quantity that the convention does not count.
    """
    parts = parts_of(analysis, view)
    shown = [row for rows, _ in parts for row in rows]
    chosen = view.columns or lecture_columns(shown)
    quantities = [COLUMNS[key] for key in (*chosen, *(key for key in view.more if key not in chosen))]
    refuse_uncounted(quantities, analysis)
    has_total = any(quantity.has_total for quantity in quantities)
    table = Table(
        caption or title_of(analysis),
        tuple(_column(quantity, shown, analysis, view) for quantity in quantities),
        tuple(Section(rows, whole if has_total else None, whole.label) for rows, whole in parts),
        tuple(_notes(analysis, view, {quantity.key for quantity in quantities})),
    )
    return Document(analysis.network.name, (table,), lambda: as_dict(analysis), label=label)


def _column(quantity: Quantity, shown: list[TableRow], analysis: Analysis, view: TableOptions) -> Column:
    values = {id(row): quantity.of_row(row) for row in shown}
    unit = quantity.unit_for(list(values.values()), analysis, view.exact)
    convention = analysis.convention.name

    def text(row: TableRow) -> str:
        value = values[id(row)] if id(row) in values else quantity.of_row(row)
        return quantity.marked(quantity.text(value, analysis, unit, view.channels_last), row)

    return Column(
        heading=quantity.headed(convention, unit),
        text=text,
        keys=tuple(quantity.data_keys(analysis)),
        values=lambda row: quantity.data(row, analysis),
        short=quantity.shortly_headed(convention, unit),
        right=quantity.right,
        rank=quantity.rank,
        is_name=quantity.key == "name",
        has_total=quantity.has_total,
    )


def parts_of(analysis: Analysis, view: TableOptions) -> list[tuple[list[TableRow], TableRow]]:
    """Return the rows of the network with their total, and the auxiliary rows with theirs."""
    parts = [(analysis.rows, "total"), *([(analysis.auxiliary, "auxiliary")] if analysis.auxiliary else [])]
    return [
        (choose_rows(layers, fold=not view.every_layer, depth=view.depth), TableRow(label, list(layers), of_group=True))
        for layers, label in parts
    ]


def title_of(analysis: Analysis) -> str:
    """Return the network, its input, the batch and the type on one line."""
    network = analysis.network
    about = f" · {network.about.title}" if network.about.title else ""
    return f"{network.name}{about} · input {inputs_text(network)} · batch {analysis.batch} · {analysis.dtype}"


def inputs_text(network: Network) -> str:
    """Return the shape of the input, or of each by its name."""
    return ", ".join(
        (f"{name} " if len(network.inputs) > 1 else "") + shape_text(shape) for name, shape in network.inputs.items()
    )


def marks_notes(analysis: Analysis) -> list[str]:
    """Return notes on layers whose numbers are not computed by rules, and on modules that are not called."""
    notes = []
    if analysis.unknown_work:
        notes.append(f"≥: a lower bound, because the work of these layers is not known: {few(analysis.unknown_work)}.")
    generic = [row.name for row in analysis.rows if row.layer.op.exactness == "generic"]
    if generic:
        notes.append(
            "Generic layers have no operator of their own; their shapes and their work are those of the source: "
            f"{few(generic)}."
        )
    if notes and analysis.network.about.notes:
        notes.append(analysis.network.about.notes)
    uncalled = [f"{path} ({count:,} parameters)" for path, count in analysis.network.uncalled.items()]
    if uncalled:
        notes.append(f"Not called, and not counted: {few(uncalled)}.")
    return notes


def few(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many follow."""
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


MOST_NAMES = 6


def _notes(analysis: Analysis, view: TableOptions, shown: set[str]) -> list[str]:
    """Return notes: what was counted and how, and remarks on this network."""
    convention = analysis.convention
    counted = []
    if {"flops", "share"} & shown:
        counted.append(f"{convention.name} FLOPs: {convention.says}")
    if "memory" in shown:
        kilo = "" if view.exact else "; 1 KB = 1024 B (KiB)" if convention.name == "lecture" else ""
        counted.append(f"memory: {convention.memory_says.format(itemsize=analysis.counting.itemsize)}{kilo}")
    if "params" in shown:
        counted.append("params: weights and biases")
    notes = [". ".join(counted) + "."] if counted else []
    if "rf" in shown and analysis.unaligned:
        count = len(analysis.unaligned)
        notes.append(
            f"Receptive fields are unaligned from {analysis.unaligned[0]} on"
            f" ({count} join{'s' if count > 1 else ''}): the paths that meet there differ in stride or center."
        )
    notes += marks_notes(analysis)
    if analysis.auxiliary:
        notes.append("Auxiliary: side outputs and layers that exist only in training, excluded from the total.")
    expected = analysis.expected_training_macs
    if expected is not None and analysis.totals.macs:
        notes.append(
            f"Stochastic depth: a forward pass in training computes {round(expected):,} of {analysis.totals.macs:,}"
            f" multiply-adds on average ({100 * expected / analysis.totals.macs:.1f} %)."
        )
    shared = [row.layer for row in (*analysis.rows, *analysis.auxiliary) if row.layer.shares]
    if shared:
        names = ", ".join(f"{layer.name} = {layer.shares}" for layer in shared[:4])
        notes.append(f"Shared weights are counted once: {names}{', …' if len(shared) > 4 else ''}.")
    tied = [
        f"{layer.name}.{tensor} = {ref}"
        for layer in (row.layer for row in (*analysis.rows, *analysis.auxiliary))
        for tensor, ref in layer.ties.items()
    ]
    if tied:
        notes.append(f"Tied weights are counted once: {', '.join(tied[:4])}{', …' if len(tied) > 4 else ''}.")
    return notes
