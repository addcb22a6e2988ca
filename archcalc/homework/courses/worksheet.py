"""Worksheets: the table with the asked cells left blank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.errors import SpecError
from archcalc.homework.courses.notes import NAME_LINE, Notes
from archcalc.homework.key import AnswerKey
from archcalc.homework.questions import Question
from archcalc.quantities.axes import AXES, along
from archcalc.quantities.quantity import AmountWithUnits, Quantity, Shape
from archcalc.quantities.table import COLUMNS
from archcalc.render.document import Document, Paragraph, Records, Section, Table, value_column
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

MOST_UNITS = 4
"""Units to choose from: up to G and GB."""

WorksheetFile = list[list[str]]


FOLLOWED = "followed by"


def worksheet(
    key: AnswerKey, columns: Sequence[str] | None = None, layout: str = "chw", filled: bool = False
) -> WorksheetFile:
    """The worksheet as rows of texts, headings first; asked cells are empty.

    Args:
        key: what is asked.
        layout: `chw` or `hwc`, the order of the sizes in a shape.
        filled: True to write the right answers too, exact, in the units of the headings.
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
        sheet += _inputs(order, key, layout)
    sheet += [[_cell(name, row, asked, key, layout, filled) for name in order] for row in key.rows]
    index = len([name for name in order if name not in asked])
    for heading, say in ((FOLLOWED, _followed), (BESIDES, _besides)):
        cells = [say(row) for row in key.rows]
        if any(cells) and columns is None:
            texts = [heading, *[""] * (len(sheet) - 1 - len(cells)), *cells]
            sheet = [[*row[:index], text, *row[index:]] for row, text in zip(sheet, texts, strict=True)]
    return sheet


def _heading(name: str, asked: dict[str, Question], key: AnswerKey) -> str:
    """Return the table's heading, with the unit that the table would choose."""
    column = asked[name].quantity if name in asked else COLUMNS[name]
    unit = None if key.symbols else column.unit_for([column.of_row(row) for row in key.layers], key.analysis)
    return column.headed(key.analysis.convention.name, unit)


def _inputs(order: Sequence[str], key: AnswerKey, layout: str) -> WorksheetFile:
    """Return a row for each input of the network, with its sizes."""
    rows = []
    for name, shape in key.network.inputs.items():
        axes = key.network.axes[name]
        sizes = {"name": name, "output": _shape(_laid_out(shape, layout))}
        sizes |= {quantity: _text(along(shape, axes, names)) for quantity, names in AXES.items()}
        rows.append([sizes.get(column) or NOT_ASKED for column in order])
    return rows


def _cell(name: str, row: TableRow, asked: dict[str, Question], key: AnswerKey, layout: str, filled: bool) -> str:
    if name in asked:
        answer = key.answer(row, asked[name])
        if answer is None:
            return NOT_ASKED
        return answer_text(answer, asked[name], key, layout) if filled else ""
    if row.name == "total" and key.with_total and name != "name":
        return NOT_ASKED
    return _given(COLUMNS[name], row)


def answer_text(answer: Any, question: Question, key: AnswerKey, layout: str) -> str:
    """Return an answer, exact, in the unit of the heading that a worksheet of the key has."""
    if isinstance(answer, tuple):
        return _shape(_laid_out(answer, layout)) if question.key == "output" else _text(answer)
    column = question.quantity
    if not isinstance(answer, int):
        return _text(answer)
    unit = column.unit_for([column.of_row(row) for row in key.layers], key.analysis)
    size = unit.size if unit is not None else 1
    return format((Decimal(answer) / size).normalize(), "f")


def _laid_out(shape: tuple[Any, ...], layout: str) -> tuple[Any, ...]:
    return (*shape[1:], shape[0]) if layout == "hwc" and len(shape) > 1 else shape


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
    """Return the arguments without a column that are not at their defaults."""
    if row.of_group:
        return ""
    op = row.head.layer.op
    words = [
        f"{name} {_text(value).lower()}"
        for name, value in op.given.items()
        if name not in SHOWN and value != op.arguments[name].default
    ]
    return ", ".join(words)


def _followed(row: TableRow) -> str:
    """Return the layers that are merged into a row."""
    return "" if row.of_group else ", ".join(costs.layer.op.kind for costs in row.layers[1:])


def other_headings(key: AnswerKey, question: Question) -> list[str]:
    """Return the headings of a question's column, one for each unit; none if it has no units."""
    if key.symbols or not isinstance(question.quantity, AmountWithUnits):
        return []
    units = question.quantity.units_for(key.analysis)[:MOST_UNITS]
    return [question.quantity.headed(key.analysis.convention.name, unit) for unit in units]


def asked_columns(headings: Sequence[str], key: AnswerKey) -> dict[int, Question]:
    """Return the questions of a worksheet by the indices of their columns."""
    asked = {question.key: question for question in key.questions}
    wanted = {_heading(name, asked, key): question for name, question in asked.items()}
    return {index: wanted[heading] for index, heading in enumerate(headings) if heading in wanted}


def worksheet_document(sheet: WorksheetFile, notes: Notes | None = None) -> Document:
    """Return the worksheet as a table, below its notes; an integer is a number in data."""
    headings, *rows = sheet
    columns = tuple(
        value_column(heading, _value_at(index), str, key=heading, right=False) for index, heading in enumerate(headings)
    )
    table = Table("", columns, (Section(rows),))
    above = () if notes is None else (notes.title, NAME_LINE, *notes.rules)
    return Document("worksheet", (*map(Paragraph, above), table))


def worksheet_records(sheet: WorksheetFile, notes: Notes, example: list[str] | None = None) -> Records:
    """Return the rows of a worksheet for CSV: the notes, the headings, the example, and the rows to fill in.

    `archcalc check` finds the headings below the notes, and ignores the example.
    """
    rules = [[rule.replace("×", " × ")] for rule in notes.rules]
    shown = [] if example is None else [example]
    return [[notes.title], ["Name", ""], ["Number", ""], *rules, sheet[0], *shown, *sheet[1:]]


def _value_at(index: int) -> Callable[[Sequence[str]], str | int]:
    """Return a function that reads a cell."""
    return lambda row: int(row[index]) if row[index].isascii() and row[index].isdigit() else row[index]
