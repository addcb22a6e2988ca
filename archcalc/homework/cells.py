"""The cells of a submission, and the limits on their number and length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcalc.errors import UserError

MOST_ROWS = 5_000
MOST_COLUMNS = 200
MOST_CHARACTERS = 1_000


class UnreadableSubmission(UserError):
    """A submission that cannot be read as a table; the message says why."""

    code = "A205"


class Cell(NamedTuple):
    """The content of a cell."""

    text: str
    is_number: bool = False
    """True if the file stores it as a number; its point is then a decimal point."""


EMPTY = Cell("")
CellGrid = list[list[Cell]]


def bounded(rows: Iterable[Sequence[Cell]]) -> CellGrid:
    """Return the rows without empty rows and trailing empty cells; raises `UnreadableSubmission` above a limit."""
    grid: CellGrid = []
    for row in rows:
        cells = list(row[: MOST_COLUMNS + 1])
        while cells and not cells[-1].text.strip():
            cells.pop()
        if not cells:
            continue
        if len(cells) > MOST_COLUMNS:
            raise UnreadableSubmission(f"the table has more than {MOST_COLUMNS} columns")
        if len(grid) == MOST_ROWS:
            raise UnreadableSubmission(f"the table has more than {MOST_ROWS:,} rows")
        grid.append([_short(cell) for cell in cells])
    return grid


def _short(cell: Cell) -> Cell:
    return cell if len(cell.text) <= MOST_CHARACTERS else Cell(cell.text[: MOST_CHARACTERS - 1] + "…")
