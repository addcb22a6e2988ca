"""Workbooks of spreadsheets, read by openpyxl, within bounds and without evaluating anything."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from archcalc.homework.cells import EMPTY, MOST_COLUMNS, MOST_ROWS, Cell, CellGrid, UnreadableSubmission, bounded
from archcalc.requirements import need

MOST_UNPACKED = 6_000_000
"""Bytes of all XML: more than 100,000 cells. openpyxl makes a hundred bytes of one."""
MOST_BESIDE = 1_000_000
"""Bytes of an XML file that holds no cells, such as the styles."""
CELLS = ("xl/worksheets/", "xl/sharedStrings")
PIECE = 1 << 16
MOST_MEMBERS = 500
MOST_SHEETS = 10
FORMULA = "="
"""How the text of a formula begins, which is not read as an answer."""


def read_workbook(content: bytes) -> list[CellGrid]:
    """The rows of each sheet. A formula is its text: what it would give is not known without a spreadsheet."""
    openpyxl = need("openpyxl", "homework")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clean = _unpacked(content)
            workbook = openpyxl.load_workbook(clean, read_only=True, data_only=False, keep_links=False)
            return [bounded(_rows(sheet)) for sheet in workbook.worksheets[:MOST_SHEETS]]
    except UnreadableSubmission:
        raise
    except Exception as error:  # whatever a damaged workbook makes zipfile and openpyxl raise
        raise UnreadableSubmission(f"it is no workbook that can be read ({type(error).__name__})") from None


def _unpacked(content: bytes) -> io.BytesIO:
    """The archive's XML without compression: what was looked through, and nothing else, is what openpyxl is given.

    It is unpacked piece by piece, since what an archive says of its sizes is not to be trusted either.
    """
    clean = io.BytesIO()
    room = MOST_UNPACKED
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(clean, "w") as copy:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise UnreadableSubmission(f"it has more than {MOST_MEMBERS} files in it")
        for member in members:
            if not member.filename.endswith((".xml", ".rels")):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnreadableSubmission("it is packed in a way that no spreadsheet uses")
            unpacked = bytearray()
            with archive.open(member) as stream:
                while piece := stream.read(PIECE):
                    unpacked += piece
                    room -= len(piece)
                    if room < 0 or (len(unpacked) > MOST_BESIDE and not member.filename.startswith(CELLS)):
                        raise UnreadableSubmission("it unpacks to more than a table may have")
            if b"<!" in _ascii(unpacked):
                raise UnreadableSubmission("its XML has declarations, which no spreadsheet writes")
            copy.writestr(member.filename, unpacked)
    return clean


def _ascii(xml: bytearray) -> bytearray:
    """XML without what UTF-16 puts between its letters, and without comments' and data's marks."""
    return xml.replace(b"\0", b"").replace(b"<!--", b"").replace(b"<![CDATA[", b"")


def _rows(sheet: Any) -> Iterator[list[Cell]]:
    """The rows, empty ones too, of which a sheet may have some more than a table."""
    sheet.reset_dimensions()  # what a file says of its size is not to be trusted
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        if number > 4 * MOST_ROWS:
            raise UnreadableSubmission(f"it has more than {MOST_ROWS:,} rows")
        yield [_entry(cell) for cell in row]


def _entry(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return EMPTY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A whole number has no point, and a large one no exponent: its digits are those that a spreadsheet keeps.
        is_whole = abs(value) < 1e15 and float(value).is_integer()
        return Cell(str(int(value)) if is_whole else repr(value), is_number=True)
    if cell.data_type == "f":
        return Cell(FORMULA + str(getattr(value, "text", value) or "").removeprefix(FORMULA))
    return Cell(str(value).strip())
