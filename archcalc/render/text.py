"""A grid as aligned text that fits a width."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from archcalc.render.grid import Column, TableGrid
from archcalc.words import printable

GAP = "  "
SHORTEST_NAME = 21


def cells_wide(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def fit(text: str, width: int) -> str:
    """The text, or its two ends with `…` between them."""
    if cells_wide(text) <= width:
        return text
    head = (width - 1) // 2
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :]


def pad(text: str, width: int, right: bool) -> str:
    """The text with spaces up to a width."""
    spaces = " " * (width - cells_wide(text))
    return spaces + text if right else text + spaces


def wrap(text: str, width: int) -> list[str]:
    """Words in lines of at most that width, where words allow."""
    lines = [""]
    for word in text.split():
        if lines[-1] and cells_wide(lines[-1]) + 1 + cells_wide(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def text_table(grid: TableGrid, width: int | None = None, bold: Callable[[str], str] = str) -> str:
    """The table as text. ``width`` is the terminal's, None for as wide as it needs; ``bold`` styles what stands out."""
    headings, shown = _columns_that_fit(grid, width)
    columns = [grid.columns[at] for at in shown]
    body = [
        [[[printable(row[at]) for at in shown] for row in rows] for rows in (section.rows, section.totals)]
        for section in grid.sections
    ]
    widths = _widths(columns, headings, [row for part in body for rows in part for row in rows])
    if width is not None and columns and columns[0].key == "name":
        room = width - sum(widths[1:]) - len(GAP) * (len(widths) - 1)
        widths[0] = max(min(widths[0], room), min(widths[0], SHORTEST_NAME))
    limit = sum(widths) + len(GAP) * (len(widths) - 1)
    lines = [bold(line) for line in wrap(printable(grid.title), max(limit, 60))]
    lines += [bold(line) for line in _heading_lines(headings, widths, columns)]
    rule = "─" * limit
    for rows, totals in body:
        lines.append(rule)
        lines += [_line(row, widths, columns) for row in rows]
        for total in totals:
            lines += [rule, bold(_line(total, widths, columns))]
    hidden = [grid.headings[at] for at in range(len(grid.columns)) if at not in shown]
    notes = [*grid.notes, *([f"Too narrow for: {', '.join(hidden)} (see --columns)."] if hidden else [])]
    for note in notes:
        lines += wrap(printable(note), max(min(limit, 120), 60))
    return "\n".join(lines) + "\n"


def _columns_that_fit(grid: TableGrid, width: int | None) -> tuple[list[str], list[int]]:
    """Headings and indexes of the columns: short headings, then fewer columns, where room is short."""
    everything = list(range(len(grid.columns)))
    if width is None or _needed(grid, grid.headings, everything) <= width:
        return grid.headings, everything
    shown = everything
    while _needed(grid, grid.short_headings, shown) > width:
        least = max((grid.columns[at].rank for at in shown), default=0)
        if least == 0:
            break
        shown = [at for at in shown if grid.columns[at].rank < least]
    return [grid.short_headings[at] for at in shown], shown


def _needed(grid: TableGrid, headings: Sequence[str], shown: Sequence[int]) -> int:
    columns = [grid.columns[at] for at in shown]
    rows = [[row[at] for at in shown] for section in grid.sections for row in (*section.rows, *section.totals)]
    chosen = [headings[at] for at in shown]
    widths = _widths(columns, chosen, rows)
    if columns and columns[0].key == "name":
        widths[0] = min(widths[0], SHORTEST_NAME)
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _widths(columns: Sequence[Column], headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(
            max((cells_wide(word) for word in headings[at].split()), default=0),
            max((cells_wide(row[at]) for row in rows), default=0),
        )
        for at in range(len(columns))
    ]


def _heading_lines(headings: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> list[str]:
    wrapped = [wrap(text, width) for text, width in zip(headings, widths, strict=True)]
    height = max(map(len, wrapped), default=0)
    wrapped = [[""] * (height - len(lines)) + lines for lines in wrapped]
    return [_line([lines[at] for lines in wrapped], widths, columns) for at in range(height)]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = [
        pad(fit(cell, width), width, column.right) for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return GAP.join(parts).rstrip()
