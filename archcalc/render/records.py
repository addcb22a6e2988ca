"""Rows of plain values, for programs and spreadsheets: numbers in full, as CSV or as a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.columns import COLUMNS, NO_PLACE, Column, Measure, ShareColumn
from archcalc.analysis.rows import TableRow
from archcalc.render.grid import LECTURE, TableOptions, parts_of
from archcalc.words import printable

Records = Sequence[Sequence[Any]]
"""Headings, then rows; a value is a text, a number, true or false, or None for an empty cell."""
DIGITS = 15
"""Longer whole numbers than a spreadsheet computes with are texts there."""


def csv_text(records: Records) -> str:
    """The rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([[_csv_value(value) for value in row] for row in records])
    return stream.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        return _decimal(value)
    return csv_cell(value) if isinstance(value, str) else value


def csv_cell(text: str) -> str:
    """A cell that a spreadsheet takes as what it says: never as a formula."""
    number = text.replace(",", "")
    if number.isascii() and number.removeprefix("-").isdigit():
        return number
    text = printable(text).replace("×", "x")
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else text


def _decimal(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def workbook(records: Records, title: str) -> bytes:
    """A workbook of one sheet: headings in the first row, wide enough columns, nothing that is a formula."""
    from archcalc.requirements import need

    openpyxl = need("openpyxl", "homework")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "".join(one for one in title if one.isalnum() or one in "-_ ")[:31] or "archcalc"
    for number, row in enumerate(records, 1):
        for at, value in enumerate(row, 1):
            cell = sheet.cell(row=number, column=at)
            if isinstance(value, Fraction):
                value = _decimal(value)
            if isinstance(value, int) and len(str(abs(value))) > DIGITS:
                value = str(value)
            if isinstance(value, str) and value:
                cell.value = printable(value)
                cell.data_type = "s"
                cell.alignment = openpyxl.styles.Alignment(horizontal="left" if at == 1 else "right")
            elif value != "":
                cell.value = value
            if number == 1:
                cell.font = openpyxl.styles.Font(bold=True)
    for at in range(1, max(map(len, records), default=0) + 1):
        widest = max(len(str(row[at - 1])) for row in records if len(row) >= at)
        sheet.column_dimensions[openpyxl.utils.get_column_letter(at)].width = max(10, widest + 2)
    sheet.freeze_panes = "B2"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def table_records(analysis: Analysis, view: TableOptions = LECTURE) -> list[list[Any]]:
    """The table: a row for each of its lines, sums among them; whole numbers in full, shares as parts of 1."""
    columns = [COLUMNS[key] for key in view.columns]
    rows: list[list[Any]] = [[name for column in columns for name in _names(column, analysis)]]
    for part, totals, label in parts_of(analysis, view):
        rows += [[value for column in columns for value in _values(column, row, analysis)] for row in part]
        if any(isinstance(column, (Measure, ShareColumn)) for column in columns):
            sums = [value for column in columns for value in _sums(column, totals, analysis)]
            rows.append([label, *sums[1:]] if sums[0] is None else sums)
    return rows


def _names(column: Column, analysis: Analysis) -> list[str]:
    if column.key in ("flops", "backward_flops", "step_flops"):
        return [f"{column.key}_{analysis.convention.name}"]
    if column.key == "rf":
        return ["rf", "rf_global"]
    return ["memory_bytes" if column.key == "memory" else column.key]


def _values(column: Column, row: TableRow, analysis: Analysis) -> list[Any]:
    if column.key == "rf":
        field = row.receptive_field
        return [None if None in field.stride else _shape(field.size), field.sees_all]
    value = column.value(row)
    if isinstance(column, ShareColumn):
        return [_share(value, column, analysis)]
    if column.key in ("input", "output"):
        return ["x".join(map(str, value))]
    return [None if value == NO_PLACE else _shape(value) if isinstance(value, tuple) else value]


def _sums(column: Column, totals: Any, analysis: Analysis) -> list[Any]:
    if isinstance(column, Measure):
        return [getattr(totals, column.total)]
    if isinstance(column, ShareColumn):
        return [_share(getattr(totals, column.of), column, analysis)]
    return [None] * len(_names(column, analysis))


def _share(value: int, column: ShareColumn, analysis: Analysis) -> float | None:
    whole = getattr(analysis.totals, column.of)
    return value / whole if whole else None


def _shape(sizes: Sequence[Any]) -> Any:
    """One number where the dimensions agree, else a text such as `3x5`."""
    numbers = [_decimal(Fraction(size)) if isinstance(size, Fraction) else size for size in sizes]
    return numbers[0] if len(set(numbers)) == 1 else "x".join(map(str, numbers))
