"""Points of mistakes that explain several cells: deducted once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from archcalc.homework.answers.numbers import AnswerTolerance
from archcalc.homework.grade import Verdict
from archcalc.homework.marking.causes import Cause, ColumnCell, find_causes
from archcalc.homework.marking.marked import Marked

SHIFTS = {"layer before": 1, "layer after": -1}
"""Mistakes that shift answers, with the rows from a layer's own to the one that has its answer."""


def count_once(
    marked: Sequence[Sequence[Marked]], changes: Callable[[Marked], frozenset[str]], tolerance: AnswerTolerance
) -> None:
    """Leave the points of all cells but one of every mistake that explains several.

    Args:
        marked: the cells of each row.
        changes: returns the mistakes that would change the number of a cell.
        tolerance: the rule by which a number is right.
    """
    columns: dict[str, list[ColumnCell]] = {}
    of: dict[int, Marked] = {}
    for index, cells in enumerate(marked):
        for cell in cells:
            key = cell.read.question.key
            entry = ColumnCell(index, key, cell.verdict is Verdict.WRONG, cell.found, partial(changes, cell))
            columns.setdefault(key, []).append(entry)
            of[id(entry)] = cell
    for cause in find_causes([*columns.values()]):
        paid = next((entry for entry in cause.cells if of[id(entry)].read.worth), cause.cells[0])
        for entry in cause.cells:
            cell = of[id(entry)]
            cell.cause, cell.diagnosis = cause, cause.of(entry)
            if entry is not paid:
                cell.verdict = Verdict.REPEATED
        _keep_shifted(cause, marked, tolerance)


def _keep_shifted(cause: Cause, marked: Sequence[Sequence[Marked]], tolerance: AnswerTolerance) -> None:
    """Leave the points of empty cells whose answers a shift of the rows put into the row of a neighbor."""
    step = SHIFTS.get(cause.mistake, 0)
    rows = {entry.row for entry in cause.cells} if step else set()
    for place in (row - step for row in rows):
        if not 0 <= place < len(marked):
            continue
        shifted = {cell.read.question: cell.read.answer for cell in marked[place + step]}
        for cell in marked[place]:
            answer = shifted.get(cell.read.question)
            if cell.verdict is Verdict.MISSING and answer is not None:
                if cell.read.question.fits(answer, cell.truth, tolerance):
                    cell.verdict, cell.cause = Verdict.REPEATED, cause
                    cell.read.why = f"The answer is in the row of {marked[place + step][0].row.name}."
