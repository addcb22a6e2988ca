"""Worksheets: the table with the asked cells left blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.errors import SpecError
from archcalc.homework.key import AnswerKey
from archcalc.homework.questions import Question
from archcalc.quantities.axes import AXES, along
from archcalc.quantities.quantity import Quantity, Shape
from archcalc.quantities.table import COLUMNS
from archcalc.render.document import Document, Section, Table, value_column
from archcalc.symbolic.traced import Traced
from archcalc.words import did_you_mean, help_line, quote

DECLARED = ("name", "op", "filters", "kernel", "stride", "padding")
"""The columns that every worksheet has: those that a spec says of a layer."""
SIZES = ("input_c", "input_hw", "input_l", "input_d", "output_c", "output_hw", "output_l", "output_d")
"""More columns of a worksheet that asks for no sizes; those of axes that the network has."""
NOT_ASKED = "–"
BESIDES = "besides"
SHOWN = ("channels", "features", "kernel", "stride", "padding")
"""Arguments that have columns of their own."""

WorksheetFile = list[list[str]]


def worksheet(key: AnswerKey, columns: Sequence[str] | None = None) -> WorksheetFile:
    """The worksheet as rows of texts, headings first; asked cells are empty.

    Args:
        key: what is asked.
        columns: what is given, as `archcalc table --columns` names it; what the spec says of a layer if not given,
            with all sizes where none is asked.
    """
    asks_sizes = any(question.derivation == "output" for question in key.questions)
    sizes = [name for name in SIZES if any(COLUMNS[name].of_row(row) is not None for row in key.layers)]
    given = list(columns or (*DECLARED, *(() if asks_sizes else sizes)))
    for name in given:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or help_line("list the columns with: archcalc table --columns help")
            raise SpecError(f"unknown column {quote(name)}{hint}")
    asked = {question.key: question for question in key.questions}
    order = [*given, *(name for name in asked if name not in given)]
    sheet = [[_heading(name, asked, key) for name in order]]
    if asks_sizes:
        sheet += _inputs(order, key)
    sheet += [[_cell(name, row, asked, key) for name in order] for row in key.rows]
    besides = [_besides(row) for row in key.rows]
    if any(besides) and columns is None:
        index = len([name for name in order if name not in asked])
        texts = [BESIDES, *[""] * (len(sheet) - 1 - len(besides)), *besides]
        sheet = [[*row[:index], text, *row[index:]] for row, text in zip(sheet, texts, strict=True)]
    return sheet


def _heading(name: str, asked: dict[str, Question], key: AnswerKey) -> str:
    """Return the table's heading, with the unit that the table would choose."""
    column = COLUMNS.get(name)
    if column is None:
        return asked[name].heading
    unit = None if key.symbols else column.unit_for([column.of_row(row) for row in key.layers], key.analysis)
    return column.headed(key.analysis.convention.name, unit)


def _inputs(order: Sequence[str], key: AnswerKey) -> WorksheetFile:
    """Return a row for each input of the network, with its sizes."""
    rows = []
    for name, shape in key.network.inputs.items():
        axes = key.network.axes[name]
        sizes = {"name": name, "output": _shape(shape)}
        sizes |= {quantity: _text(along(shape, axes, names)) for quantity, names in AXES.items()}
        rows.append([sizes.get(column) or NOT_ASKED for column in order])
    return rows


def _cell(name: str, row: TableRow, asked: dict[str, Question], key: AnswerKey) -> str:
    if name in asked:
        return "" if key.answer(row, asked[name]) is not None else NOT_ASKED
    if row.name == "total" and key.with_total and name != "name":
        return NOT_ASKED
    return _given(COLUMNS[name], row)


def _given(column: Quantity, row: TableRow) -> str:
    value = column.of_row(row)
    return _shape(value) if isinstance(column, Shape) else _text(value)


def _shape(shape: tuple[Any, ...]) -> str:
    return "×".join(map(_text, shape))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple) and len({str(size) for size in value}) == 1:
        value = value[0]
    if isinstance(value, tuple):
        return _shape(value)
    if isinstance(value, Traced):
        from archcalc.render.mathematics import term_text
        from archcalc.symbolic.terms import TermBuilder

        return term_text(TermBuilder().write(value.polynomial))
    return str(value)


def _besides(row: TableRow) -> str:
    """Return what else counts: arguments without a column that are not at their defaults, and merged layers."""
    if row.of_group:
        return ""
    op = row.head.layer.op
    said = [
        f"{name} {_text(value).lower()}"
        for name, value in op.given.items()
        if name not in SHOWN and value != op.arguments[name].default
    ]
    return ", ".join([*said, *(costs.layer.op.kind for costs in row.layers[1:])])


def worksheet_document(sheet: WorksheetFile, name: str = "worksheet") -> Document:
    """Return the worksheet as a table; an integer is a number in data."""
    headings, *rows = sheet
    columns = tuple(
        value_column(heading, _value_at(index), str, key=heading, right=False) for index, heading in enumerate(headings)
    )
    return Document(name, (Table("", columns, (Section(rows),)),))


def _value_at(index: int) -> Callable[[Sequence[str]], str | int]:
    """Return a function that reads a cell."""
    return lambda row: int(row[index]) if row[index].isascii() and row[index].isdigit() else row[index]
