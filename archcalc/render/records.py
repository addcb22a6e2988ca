"""Rows of plain values, for programs and spreadsheets: numbers in full, as CSV or as a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.quantities.quantity import plain_number
from archcalc.quantities.table import COLUMNS
from archcalc.render.grid import LECTURE_TABLE, TableOptions, parts_of
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
        return plain_number(value)
    return csv_cell(value) if isinstance(value, str) else value


def csv_cell(text: str) -> str:
    """A cell that a spreadsheet takes as what it says: never as a formula."""
    number = text.replace(",", "")
    if number.isascii() and number.removeprefix("-").isdigit():
        return number
    text = printable(text).replace("×", "x")
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else text


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
                value = plain_number(value)
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


def table_records(analysis: Analysis, view: TableOptions = LECTURE_TABLE) -> list[list[Any]]:
    """The table: a row for each of its lines, totals among them; whole numbers in full, shares as parts of 1."""
    quantities = [COLUMNS[key] for key in view.columns]
    rows: list[list[Any]] = [[key for one in quantities for key in one.data_keys(analysis)]]
    for part, whole in parts_of(analysis, view):
        rows += [[value for one in quantities for value in one.data(row, analysis)] for row in part]
        if any(one.has_total for one in quantities):
            total = [
                value
                for one in quantities
                for value in (one.data(whole, analysis) if one.has_total else [None] * len(one.data_keys(analysis)))
            ]
            rows.append([whole.name, *total[1:]] if total[0] is None else total)
    return rows
