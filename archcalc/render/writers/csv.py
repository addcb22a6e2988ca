"""CSV: the records of a document, numbers in full."""

from __future__ import annotations

import io
from typing import Any

from archcalc.render.document import Document
from archcalc.render.format import Format
from archcalc.words import printable

FORMAT = Format("csv", (".csv",), "a table of plain numbers, for programs and spreadsheets")


def write(document: Document) -> str:
    """Return the document's records as CSV."""
    import csv

    stream = io.StringIO()
    rows = [[_csv_value(value) for value in row] for row in document.records()]
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return csv_cell(value) if isinstance(value, str) else value


def csv_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes as a formula."""
    number = text.replace(",", "")
    if number.isascii() and number.removeprefix("-").isdigit():
        return number
    text = printable(text).replace("×", "x")
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else text
