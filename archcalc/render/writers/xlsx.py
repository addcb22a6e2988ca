"""A workbook of one sheet, for spreadsheets."""

from __future__ import annotations

import io
from fractions import Fraction

from archcalc.quantities.quantity import plain_number
from archcalc.render.document import Document, Records
from archcalc.words import printable

DIGITS = 15
"""Longer whole numbers than a spreadsheet computes with are texts there."""


def write(document: Document) -> bytes:
    """The document's records."""
    return workbook(document.records(), document.name)


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
