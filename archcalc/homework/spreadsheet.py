"""Workbooks of spreadsheets, read by openpyxl, within bounds and without evaluating anything."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from archcalc.homework.tables import EMPTY, MOST_COLUMNS, MOST_ROWS, Broken, Entry
from archcalc.runtime.requirements import need

MOST_UNPACKED = 20_000_000
MOST_MEMBERS = 500
MOST_SHEETS = 10
FORMULA = "="
"""How the text of a formula begins, which is not read as an answer."""


def read_workbook(content: bytes) -> Iterator[Iterator[list[Entry]]]:
    """The rows of each sheet. A formula is its text: what it would give is not known without a spreadsheet."""
    openpyxl = need("openpyxl", "homework")
    _check(content)
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        for sheet in workbook.worksheets[:MOST_SHEETS]:
            sheet.reset_dimensions()  # what a file says of its size is not to be trusted
            yield _rows(sheet)
    except Broken:
        raise
    except Exception as error:  # whatever a damaged workbook makes openpyxl raise
        raise Broken(f"it is no workbook that can be read ({type(error).__name__})") from None


def _check(content: bytes) -> None:
    """Refuse an archive that unpacks to much, or whose XML declares entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_UNPACKED:
                raise Broken(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
            for member in members:
                if member.filename.endswith((".xml", ".rels")):
                    with archive.open(member) as stream:  # reads no more than the size that was added up
                        if b"<!" in _ascii(stream.read()):
                            raise Broken("its XML has declarations, which no spreadsheet writes")
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"it is no workbook that can be read ({type(error).__name__})") from None


def _ascii(xml: bytes) -> bytes:
    """XML without what UTF-16 puts between its letters, and without comments' and data's marks."""
    return xml.replace(b"\0", b"").replace(b"<!--", b"").replace(b"<![CDATA[", b"")


def _rows(sheet: Any) -> Iterator[list[Entry]]:
    """The rows; a sheet that is larger than a table may be ends with a row too many, which `bounded` refuses."""
    for number, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
        if number > 4 * MOST_ROWS:
            raise Broken(f"it has more than {MOST_ROWS:,} rows")
        yield [_entry(cell) for cell in row]


def _entry(cell: Any) -> Entry:
    value = cell.value
    if value is None:
        return EMPTY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A whole number has no point, and a large one no exponent: its digits are those that a spreadsheet keeps.
        is_whole = abs(value) < 1e15 and float(value).is_integer()
        return Entry(str(int(value)) if is_whole else repr(value), is_number=True)
    if cell.data_type == "f":
        return Entry(FORMULA + str(getattr(value, "text", value) or "").removeprefix(FORMULA))
    return Entry(str(value).strip())
