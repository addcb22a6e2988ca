"""A workbook of one sheet: the records of a document, for spreadsheets."""

from __future__ import annotations

import io

from archcalc.errors import UserError
from archcalc.render.document import Document
from archcalc.render.format import Format
from archcalc.words import printable

FORMAT = Format("xlsx", (".xlsx",), "a workbook", is_binary=True)
ROWS = 2**20
DIGITS = 15
"""Spreadsheets compute with at most so many digits; a longer integer is a string there."""


def write(document: Document) -> bytes:
    """Return a workbook with the headings in the first row, columns wide enough, and no formula."""
    from archcalc.requirements import need

    openpyxl = need("openpyxl", "homework")
    records = document.records()
    if len(records) > ROWS:
        raise UserError(f"a workbook's sheet has at most {ROWS:,} rows; write CSV instead")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "".join(letter for letter in document.name if letter.isalnum() or letter in "-_ ")[:31] or "archcalc"
    for number, row in enumerate(records, 1):
        for index, value in enumerate(row, 1):
            cell = sheet.cell(row=number, column=index)
            if isinstance(value, int) and len(str(abs(value))) > DIGITS:
                value = str(value)
            if isinstance(value, str) and value:
                cell.value = printable(value)
                cell.data_type = "s"
                cell.alignment = openpyxl.styles.Alignment(horizontal="left" if index == 1 else "right")
            elif value != "":
                cell.value = value
            if number == 1:
                cell.font = openpyxl.styles.Font(bold=True)
    for index in range(1, max(map(len, records), default=0) + 1):
        widest = max(len(str(row[index - 1])) for row in records if len(row) >= index)
        sheet.column_dimensions[openpyxl.utils.get_column_letter(index)].width = max(10, widest + 2)
    sheet.freeze_panes = "B2"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
