"""Columns whose numbers are swapped: each has the answers of the other."""

from __future__ import annotations

from itertools import combinations

from archcalc.analysis.rows import TableRow
from archcalc.homework.answers.numbers import AnswerTolerance, Unreadable
from archcalc.homework.answers.units import NO_UNIT
from archcalc.homework.grade import Diagnosis
from archcalc.homework.key import AnswerKey
from archcalc.homework.questions import Question
from archcalc.homework.submissions.sheet import Submission

FEWEST = 2
"""The cells of each column that fit the other."""


def swapped_columns(sheet: Submission, key: AnswerKey, tolerance: AnswerTolerance) -> dict[tuple[str, str], Diagnosis]:
    """Return the diagnosis of each cell, by row and question, of two columns that are swapped."""
    asked = [part for parts in sheet.questions.values() for part in parts if part.key in sheet.columns]
    found: dict[tuple[str, str], Diagnosis] = {}
    if key.symbols:
        return found
    for first, second in combinations([question for question in asked if question.has_total], 2):
        fits = [
            {row.name for row in sheet.rows if _fits(sheet, key, row, here, there, tolerance)}
            for here, there in ((first, second), (second, first))
        ]
        read = [row for row in sheet.rows if row.name in sheet.answers]
        nonzero = [row for row in read if key.answer(row, first) and key.answer(row, second)]
        both = [row.name for row in nonzero if row.name in fits[0] & fits[1]]
        if len(both) >= FEWEST and 2 * len(both) > len(nonzero):
            for question, other, names in ((first, second, fits[0]), (second, first, fits[1])):
                says = f"The columns {question.heading} and {other.heading} are swapped."
                found |= {(name, question.key): Diagnosis("columns swapped", says) for name in names}
    return found


def _fits(
    sheet: Submission, key: AnswerKey, row: TableRow, here: Question, there: Question, tolerance: AnswerTolerance
) -> bool:
    """Return True if a cell of one column is right in the other, with the unit of either heading."""
    entry = sheet.entry(row.name, here.key)
    truth, own = key.answer(row, there), key.answer(row, here)
    if entry is None or not entry.text.strip() or truth is None or own is None:
        return False

    def is_right(asked: Question, headed: Question, answer: int) -> bool:
        unit = asked.kind.unit(sheet.columns[headed.key].unit, sheet.context) or NO_UNIT
        try:
            return bool(asked.fits(asked.kind.read(entry, unit, answer, sheet.context), answer, tolerance))
        except Unreadable:
            return False

    return (is_right(there, here, truth) or is_right(there, there, truth)) and not is_right(here, here, own)
