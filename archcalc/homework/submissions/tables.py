"""Read submissions into tables of strings: CSV, XLSX, Markdown and JSON, detected from the content.

No file is trusted. Only regular files are opened (no links, pipes or devices). Bytes, rows, columns and the length of a
cell are bounded before anything else is computed.
"""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from archcalc.homework.cells import (
    EMPTY,
    MOST_CHARACTERS,
    MOST_COLUMNS,
    MOST_ROWS,
    Cell,
    CellGrid,
    UnreadableSubmission,
    bounded,
)
from archcalc.homework.submissions.printed import is_printed, printed_rows
from archcalc.homework.submissions.spreadsheet import read_workbook
from archcalc.structs import Struct
from archcalc.words import quote

MOST_BYTES = 4_000_000
DELIMITERS = ",;\t|:"
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Flags that follow no link and wait for no pipe, on systems that have them."""


class SubmittedTable(Struct):
    """Rows of cells: one way to read a file."""

    grid: CellGrid
    delimiter: str = ""
    """The character between the cells of a CSV file; empty for other formats."""
    is_printed: bool = False
    """True if it is a summary that Keras, torchsummary or torchinfo printed."""


def read_tables(path: Path) -> list[SubmittedTable]:
    """Return the tables that a file may hold, the likeliest first; raises `UnreadableSubmission` if none has rows."""
    tables = [table for table in _tables(read_bytes(path)) if table.grid]
    if not tables:
        raise UnreadableSubmission("the file has no rows")
    return tables


def _tables(content: bytes) -> list[SubmittedTable]:
    if content[:4] == b"PK\x03\x04":
        return list(map(SubmittedTable, read_workbook(content)))
    if content[:4] == b"\xd0\xcf\x11\xe0":
        raise UnreadableSubmission("the file is an old Excel file (.xls); save it as .xlsx or CSV")
    text = decode(content)
    if not text.strip():
        raise UnreadableSubmission("the file is empty")
    if text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")):
        raise UnreadableSubmission("the file is a web page; hand in the CSV file that its button saves")
    if text.lstrip()[:1] in ("{", "["):
        return [SubmittedTable(bounded(_json_rows(text)))]
    lines = text.splitlines()
    if is_printed(lines):
        return [SubmittedTable(bounded(printed_rows(lines)), is_printed=True)]
    tables = [SubmittedTable(bounded(map(_markdown_row, rows))) for rows in _markdown_tables(lines)]
    return tables or [_csv_table(text, delimiter) for delimiter in _delimiters(text)]


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file. Nothing else is opened, so reading never blocks."""
    try:
        handle = os.open(path, FLAGS)
    except OSError as error:
        why = "the file is a symbolic link" if path.is_symlink() else error.strerror or "the file cannot be opened"
        raise UnreadableSubmission(why) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnreadableSubmission(
            "expected a regular file, got a directory, link, pipe or device; submit the file itself"
        )
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnreadableSubmission(f"the file has more than {MOST_BYTES:,} bytes")
    return content


def decode(content: bytes) -> str:
    """Decode UTF-8, UTF-16 (Excel's Unicode text) or, if neither fits, Windows-1252."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif content[1:2] == b"\0" or content[:1] == b"\0":
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise UnreadableSubmission("the file is not text in UTF-8, UTF-16 or Windows-1252; save it as CSV (UTF-8) or XLSX")


# -- CSV


def _delimiters(text: str) -> list[str]:
    """Return the possible delimiters, the likeliest first: the one that occurs in the most lines."""
    first = text.split("\n", 1)[0].strip()
    if re.fullmatch(r'"?sep=(.)"?', first):  # Excel's own mark
        return [first.strip('"')[-1]]
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:40]
    return sorted(DELIMITERS, key=lambda delimiter: -sum(delimiter in line for line in lines))


def _csv_table(text: str, delimiter: str) -> SubmittedTable:
    lines = text.splitlines(keepends=True)
    if lines[0].strip().strip('"').startswith("sep="):
        lines = lines[1:]
    return SubmittedTable(bounded(_csv_rows(lines, delimiter)), delimiter)


def _csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[Cell]]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            yield [Cell(cell.strip()) for cell in row[: MOST_COLUMNS + 1]]
    except csv.Error as error:
        raise UnreadableSubmission(f"line {reader.line_num:,} is not valid CSV: {error}") from None


# -- Markdown

_ESCAPED = re.compile(r"\\([\\|*_`<>\[\]#])")
_MARKS = ("**", "__", "`", "$", "*")


def _markdown_tables(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the lines of every table: the headings, then the rows below the rule of dashes.

    table = row "\n" rule "\n" {row "\n"}
    row   = ["|"] CELL {"|" CELL} ["|"]
    rule  = ["|"] [":"] DASHES [":"] {"|" [":"] DASHES [":"]} ["|"]
    """
    index = 1
    while index < len(lines):
        end = index + 1
        if _is_rule(lines[index]) and "|" in lines[index - 1]:
            while end < len(lines) and "|" in lines[end]:
                end += 1
            yield [lines[index - 1], *lines[index + 1 : end]]
        index = end


def _is_rule(line: str) -> bool:
    """True if a line is the rule below a table's headings, such as `|:---|---:|`."""
    cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
    dashes = [cell.removeprefix(":").removesuffix(":") for cell in cells]
    return len(cells) > 1 and len(dashes[0]) > 1 and all(dash and not dash.strip("-") for dash in dashes)


def _markdown_row(line: str) -> list[Cell]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [Cell(_markdown_text(cell)) for cell in re.split(r"(?<!\\)\|", line[: MOST_COLUMNS * MOST_CHARACTERS])]


def _markdown_text(cell: str) -> str:
    """Return a cell without the marks around it, such as `**`."""
    start, end = 0, len(cell)
    while True:
        while start < end and cell[start].isspace():
            start += 1
        while start < end and cell[end - 1].isspace():
            end -= 1
        marks = (mark for mark in _MARKS if cell.startswith(mark, start, end) and cell.endswith(mark, start, end))
        mark = next((mark for mark in marks if end - start > 2 * len(mark)), "")
        if not mark:
            return _ESCAPED.sub(r"\1", cell[start:end])
        start, end = start + len(mark), end - len(mark)


# -- JSON


class _JsonNumber(str):
    """A number of a JSON text, with its digits as written."""

    __slots__ = ()


def _json_rows(text: str) -> Iterator[list[Cell]]:
    """Yield the rows of a list of objects, an object of rows by name, or a list of lists."""
    try:
        data = json.loads(
            text,
            parse_int=_JsonNumber,
            parse_float=_JsonNumber,
            parse_constant=lambda word: word,
            object_pairs_hook=_without_doubles,
        )
    except RecursionError:
        raise UnreadableSubmission("the JSON is nested too deep") from None
    except ValueError as error:
        raise UnreadableSubmission(f"the file is not valid JSON: {error}") from None
    if isinstance(data, dict):
        inner = (data.get(key) for key in ("rows", "layers", "answers"))
        data = next((value for value in inner if isinstance(value, (list, dict))), data)
    if isinstance(data, dict):
        data = [{"name": name, **row} for name, row in data.items() if isinstance(row, dict)]
    if not isinstance(data, list):
        raise UnreadableSubmission("the JSON has no rows; write a list of objects, one per layer")
    if all(isinstance(row, list) for row in data):
        yield from ([_json_entry(value) for value in row[: MOST_COLUMNS + 1]] for row in data)
        return
    rows = [row for row in data if isinstance(row, dict)][: MOST_ROWS + 1]
    headings: dict[str, None] = {}
    for row in rows:
        headings.update(dict.fromkeys(row))
        if len(headings) > MOST_COLUMNS:
            raise UnreadableSubmission(f"the table has more than {MOST_COLUMNS} columns")
    yield [Cell(heading) for heading in headings]
    yield from ([_json_entry(row.get(heading)) for heading in headings] for row in rows)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{quote(key)} occurs twice in one object")
        found[key] = value
    return found


def _json_entry(value: Any) -> Cell:
    """Return a value as a cell, a list of sizes as a shape."""
    if value is None:
        return EMPTY
    if isinstance(value, _JsonNumber):
        return Cell(str(value), is_number=True)
    if isinstance(value, list) and 0 < len(value) <= 6 and all(isinstance(item, str) for item in value):
        return Cell("x".join(value))
    if isinstance(value, (list, dict)):
        return Cell("[…]" if isinstance(value, list) else "{…}")
    return Cell(value if isinstance(value, str) else json.dumps(value))
