"""Read workbooks with openpyxl, within limits, without evaluating anything."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from archcalc.homework.cells import EMPTY, MOST_COLUMNS, MOST_ROWS, Cell, CellGrid, UnreadableSubmission, bounded
from archcalc.requirements import MissingExtra, need

MOST_UNPACKED = 6_000_000
"""Bytes of all XML, enough for 100,000 cells. openpyxl needs a hundred times as much memory."""
MOST_BESIDE = 1_000_000
"""Bytes of an XML file without cells, such as the styles."""
CELLS = ("xl/worksheets/", "xl/sharedStrings")
PART = 1 << 16
MOST_MEMBERS = 500
MOST_SHEETS = 10
FORMULA = "="
"""The first character of a formula, which is not read as an answer."""


def read_workbook(content: bytes) -> list[CellGrid]:
    """Return the rows of each sheet. A formula is returned as its text, because its value needs a spreadsheet."""
    try:
        openpyxl = need("openpyxl", "homework")
    except MissingExtra as error:  # the other submissions are graded
        raise UnreadableSubmission(str(error)) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clean = _unpacked(content)
            workbook = openpyxl.load_workbook(clean, read_only=True, data_only=False, keep_links=False)
            return [bounded(_rows(sheet)) for sheet in workbook.worksheets[:MOST_SHEETS]]
    except UnreadableSubmission:
        raise
    except Exception as error:  # zipfile and openpyxl raise many kinds for a damaged workbook
        raise UnreadableSubmission(
            f"the workbook is damaged ({type(error).__name__}); save it again as .xlsx or CSV"
        ) from None


def _unpacked(content: bytes) -> io.BytesIO:
    """Return the archive's XML, checked and uncompressed: openpyxl sees nothing else.

    It is unpacked in small parts, because the sizes that an archive declares may be false.
    """
    clean = io.BytesIO()
    room = MOST_UNPACKED
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(clean, "w") as copy:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise UnreadableSubmission(f"the workbook holds more than {MOST_MEMBERS} files")
        for member in members:
            if not member.filename.endswith((".xml", ".rels")):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnreadableSubmission(
                    "the workbook uses a compression that spreadsheets do not use; save it again as .xlsx"
                )
            unpacked = bytearray()
            with archive.open(member) as stream:
                while part := stream.read(PART):
                    unpacked += part
                    room -= len(part)
                    if room < 0 or (len(unpacked) > MOST_BESIDE and not member.filename.startswith(CELLS)):
                        raise UnreadableSubmission(f"the workbook unpacks to more than {MOST_UNPACKED:,} bytes")
            if b"<!" in _ascii(unpacked):
                raise UnreadableSubmission(
                    "the workbook's XML has declarations, which spreadsheets do not write; save it again as .xlsx"
                )
            copy.writestr(member.filename, unpacked)
    return clean


def _ascii(xml: bytearray) -> bytearray:
    """Return XML without the zero bytes of UTF-16 and without the marks of comments and CDATA."""
    return xml.replace(b"\0", b"").replace(b"<!--", b"").replace(b"<![CDATA[", b"")


def _rows(sheet: Any) -> Iterator[list[Cell]]:
    """Yield the rows. Empty ones count too, so a sheet may have more rows than a table."""
    sheet.reset_dimensions()  # the size that a file declares may be false
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        if number > 4 * MOST_ROWS:
            raise UnreadableSubmission(f"the table has more than {MOST_ROWS:,} rows")
        yield [_entry(cell) for cell in row]


def _entry(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return EMPTY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # An integer has no point, and a large one no exponent: its digits are those that a spreadsheet keeps.
        is_whole = abs(value) < 1e15 and float(value).is_integer()
        return Cell(str(int(value)) if is_whole else repr(value), is_number=True)
    if cell.data_type == "f":
        return Cell(FORMULA + str(getattr(value, "text", value) or "").removeprefix(FORMULA))
    return Cell(str(value).strip())
