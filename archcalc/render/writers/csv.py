"""CSV: rows of plain values for programs and spreadsheets, numbers in full."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from typing import Any

from archcalc.quantities.quantity import plain_number
from archcalc.render.document import Document, Records
from archcalc.words import printable


def write(document: Document) -> str:
    """The document's records."""
    return csv_text(document.records())


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
