"""The cells of a submission, and how many of them are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcalc.errors import UserError

MOST_ROWS = 5_000
MOST_COLUMNS = 200
MOST_CHARACTERS = 1_000


class UnreadableSubmission(UserError):
    """A submission that is no table; the message says why."""


class Cell(NamedTuple):
    """What stands in a cell."""

    text: str
    is_number: bool = False
    """Whether the file itself says that it is a number: its point is a decimal point."""


EMPTY = Cell("")
CellGrid = list[list[Cell]]


def bounded(rows: Iterable[Sequence[Cell]]) -> CellGrid:
    """The rows, none of them larger than it may be; trailing empty cells are dropped, empty rows left out."""
    grid: CellGrid = []
    for row in rows:
        cells = list(row[: MOST_COLUMNS + 1])
        while cells and not cells[-1].text.strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise UnreadableSubmission(f"it has more than {MOST_COLUMNS} columns")
        if len(grid) == MOST_ROWS:
            raise UnreadableSubmission(f"it has more than {MOST_ROWS:,} rows")
        grid.append([_short(cell) for cell in cells])
    return grid


def _short(cell: Cell) -> Cell:
    return cell if len(cell.text) <= MOST_CHARACTERS else Cell(cell.text[: MOST_CHARACTERS - 1] + "…")
