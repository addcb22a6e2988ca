"""Cells that say 0 without a number: a dash, `none`, or an empty cell that the student passed over."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analysis.rows import TableRow
from archcalc.homework.answers.amounts import says_nothing
from archcalc.homework.key import AnswerKey
from archcalc.homework.questions import Question
from archcalc.homework.submissions.sheet import Submission


class Zeros:
    """Tells which cells of a submission are right because they have no number, and nothing is to be counted.

    An empty cell is passed over if its row has another answer, if its column has an answer below it, or if the column
    has all its other answers.
    """

    def __init__(self, sheet: Submission, rows: Sequence[TableRow], key: AnswerKey) -> None:
        self.key = key
        asked = {part for parts in sheet.questions.values() for part in parts}
        self.answered: set[str] = set()
        self.last: dict[Question, int] = {}
        self.is_full: dict[Question, bool] = {}
        self.place = {row.name: place for place, row in enumerate(rows)}
        for question in asked:
            self.is_full[question] = True
            for place, row in enumerate(rows):
                entry = sheet.entry(row.name, question.key)
                if entry is not None and entry.text.strip() and key.answer(row, question) is not None:
                    self.answered.add(row.name)
                    self.last[question] = place
                elif key.answer(row, question):
                    self.is_full[question] = False

    def says_zero(self, row: TableRow, question: Question, written: str) -> bool:
        """Return True if a cell without a number is a right 0."""
        if not question.has_total or self.key.answer(row, question) != 0:
            return False
        if written.strip():
            return says_nothing(written)
        is_above = self.place[row.name] < self.last.get(question, -1)
        return row.name in self.answered or is_above or (self.is_full[question] and question in self.last)
