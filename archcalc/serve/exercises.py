"""The quiz and a worksheet in the page, with the documents and the grading of the commands.

A page gets the questions only. Its answers are graded here, and what goes back is verdicts and hints.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from archcalc.errors import UserError
from archcalc.serve.opened import Opened

COUNT = 5
"""Exercises of a quiz."""
Graded = dict[str, Any]
"""`verdicts`: the field of each answer to its verdict and a hint; `says`: the points, and other remarks."""


def exercise_document(opened: Opened) -> tuple[Any, list[int]]:
    """Return the quiz, or the worksheet with the indices of the columns that are asked. Raises `UserError`."""
    from archcalc.homework.courses.worksheet import asked_columns, worksheet_document
    from archcalc.homework.exercises.quiz_document import quiz_document

    view = opened.view
    if view.exercise == "quiz":
        return quiz_document(_exercises(opened), f"Exercises · seed {view.seed} · {view.topic}"), []
    key, sheet = _worksheet(opened)
    return worksheet_document(sheet), list(asked_columns(sheet[0], key))


def grade(opened: Opened, answers: Mapping[str, str]) -> Graded:
    """Grade the fields of an exercise: `2.0` is the first question of the second exercise, or a row and a column.

    Raises `UserError` for an invalid view.
    """
    return (_grade_quiz if opened.view.exercise == "quiz" else _grade_worksheet)(opened, answers)


def _exercises(opened: Opened) -> list[Any]:
    from archcalc.homework.exercises.quiz import quiz

    topics = [name.strip() for name in opened.view.topic.split(",") if name.strip()]
    if not topics:
        raise UserError("name a topic, such as conv")
    return quiz(opened.view.seed, COUNT, topics, opened.view.level)


def _grade_quiz(opened: Opened, answers: Mapping[str, str]) -> Graded:
    from archcalc.analysis import analyze
    from archcalc.homework.key import TOTAL, AnswerKey
    from archcalc.homework.marking.grading import Grader
    from archcalc.homework.questions import QUESTIONS

    verdicts: dict[str, tuple[str, str]] = {}
    for exercise in _exercises(opened):
        for index, ask in enumerate(exercise.asks):
            question = QUESTIONS[ask.quantity]
            key = AnswerKey(
                analyze(exercise.network), (question,), {question.key: Fraction(1)}, every_layer=True, with_total=True
            )
            field, row = f"{exercise.number}.{index}", TOTAL if ask.layer is None else ask.layer
            written = answers.get(field, "")
            if not written.strip():
                verdicts[field] = ("missing", "")
                continue
            heading = question.heading + (" [KiB]" if ask.quantity == "memory" else "")
            sheet = Grader(key).grade_texts([["name", heading], [row, written]], "answer")
            cell = next(cell for each in sheet.rows if each.name == row for cell in each.cells)
            verdicts[field] = (cell.verdict.value, cell.feedback)
    right = sum(1 for verdict, _ in verdicts.values() if verdict == "right")
    return {"verdicts": verdicts, "says": f"{right} of {len(verdicts)} right"}


def _worksheet(opened: Opened) -> tuple[Any, list[list[str]]]:
    from archcalc.homework.courses.worksheet import worksheet
    from archcalc.homework.key import AnswerKey
    from archcalc.homework.questions import USUAL, asked, points_of

    questions = asked(opened.view.asked.strip() or ",".join(USUAL))
    key = AnswerKey(opened.analysis, questions, points_of("", questions), depth=opened.view.depth)
    return key, worksheet(key)


def _grade_worksheet(opened: Opened, answers: Mapping[str, str]) -> Graded:
    from archcalc.homework.courses.grades_document import counts_text, points_text
    from archcalc.homework.courses.worksheet import asked_columns
    from archcalc.homework.marking.grading import Grader

    key, sheet = _worksheet(opened)
    asked = asked_columns(sheet[0], key)
    blank = [(row, column) for row in range(1, len(sheet)) for column in asked if not sheet[row][column]]
    for row, column in blank:
        sheet[row][column] = answers.get(f"{row}.{column}", "")[:1000]
    graded = Grader(key).grade_texts(sheet, "worksheet")
    cells = {(row.name, cell.column): cell for row in graded.rows for cell in row.cells}
    first = len(sheet) - len(key.rows)
    verdicts = {}
    for row, column in blank:
        cell = cells.get((key.rows[row - first].name, asked[column].key))
        if cell is not None:
            verdicts[f"{row}.{column}"] = (cell.verdict.value, cell.feedback)
    points = f"{points_text(graded.points)} of {points_text(graded.max_points)} points"
    return {"verdicts": verdicts, "says": "; ".join([points, counts_text(graded.verdicts), *graded.remarks])}
