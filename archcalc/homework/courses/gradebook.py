"""Grades of a class as files for programs: every cell and mistake, and what Canvas and Moodle import."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from archcalc.homework.courses.grades_document import points_text
from archcalc.homework.grade import GradedSheet, Verdict, number
from archcalc.render.document import Document, Paragraph, Records
from archcalc.render.writers.csv import csv_cell

CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MAXIMUM, FEEDBACK = "Maximum Grade", "Feedback comments"
NEEDED = ("Identifier", "Grade", "Last modified (grade)")
"""The columns without which Moodle imports no grading worksheet."""
MOODLE = ("Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Last modified (grade)")


def canvas_records(sheets: Sequence[GradedSheet], title: str) -> Records:
    """Return the rows of a gradebook that Canvas imports.

    The columns are those of `gradebook_importer.rb`: the first has `Student`, the second `ID`, the last before the
    grades `Section`; the second row has the words `Points Possible`. A submission without an ID is left out, because
    Canvas would not find its student.
    """
    most = max((sheet.max_points for sheet in sheets), default=0)
    rows: list[list[Any]] = [[*CANVAS, title], ["    Points Possible", "", "", "", "", f"{float(most):.2f}"]]
    for sheet in sheets:
        if sheet.number:
            rows.append([sheet.student, sheet.number, "", "", "", f"{float(sheet.points):.2f}"])
    return rows


def moodle_records(sheets: Sequence[GradedSheet], feedback: Sequence[str]) -> Records:
    """Return the rows of an offline grading worksheet; Moodle finds the student by `Participant` and the number."""
    rows: list[list[Any]] = [[*MOODLE, FEEDBACK]]
    for sheet, text in zip(sheets, feedback, strict=True):
        if sheet.number:
            grade, most = f"{float(sheet.points):.2f}", f"{float(sheet.max_points):.2f}"
            rows.append([f"Participant {sheet.number}", sheet.student, sheet.email, grade, most, "", text])
    return rows


def filled_moodle(path: Path, sheets: Sequence[GradedSheet], feedback: Sequence[str]) -> str | None:
    """Return a grading worksheet that Moodle exported with the grades in it; None if the file is not one.

    Grades are shares of the worksheet's own maximum. Nothing changes but the columns Grade and Feedback comments:
    Moodle compares `Last modified (grade)` with what it knows.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    except (OSError, ValueError, csv.Error):
        return None
    if not rows or not {*NEEDED, MAXIMUM, FEEDBACK} <= {*rows[0]}:
        return None
    person, grade, most, comments = (rows[0].index(heading) for heading in (*NEEDED[:2], MAXIMUM, FEEDBACK))
    of = {f"Participant {sheet.number}": (sheet, text) for sheet, text in zip(sheets, feedback, strict=True)}
    for row in rows[1:]:
        if len(row) == len(rows[0]) and row[person] in of:
            sheet, text = of[row[person]]
            try:
                scale = Fraction(row[most]) / (sheet.max_points or 1)
            except ValueError:
                scale = Fraction(1)
            row[grade], row[comments] = f"{float(sheet.points * scale):.2f}", csv_cell(text)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def short_feedback(sheet: GradedSheet) -> str:
    """Return the points, and each mistake once."""
    if sheet.problem is not None:
        return f"Not read: {sheet.problem}."
    shown = (Verdict.WRONG, Verdict.UNREADABLE, Verdict.UNDECIDED)
    says = dict.fromkeys(cell.feedback for cell in sheet.cells if cell.verdict in shown)
    text = f"{points_text(sheet.points)} of {points_text(sheet.max_points)} points. {' '.join(says)}".strip()
    return text if len(text) <= 2000 else text[:1999] + "…"


def records_document(records: Records) -> Document:
    """Return records as a document, for the writers of CSV and workbooks."""
    return Document("grades", (Paragraph(""),), dict, lambda: records)


def summary_records(sheets: Sequence[GradedSheet], records: Records) -> Records:
    """Return the rows of a class with a column for each cell (its points) and each mistake (its cells).

    Args:
        sheets: the graded submissions.
        records: the rows of the class document, headings first.
    """
    cells = list(dict.fromkeys((row.name, cell.column) for sheet in sheets for row in sheet.rows for cell in row.cells))
    found = Counter(cell.diagnosis.mistake for sheet in sheets for cell in sheet.cells if cell.diagnosis is not None)
    mistakes = [mistake for mistake, _ in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    people = ("student", "number", "email", "late")
    headings = [*records[0], *people, *(f"{row} {column}" for row, column in cells), *mistakes]
    rows: list[list[Any]] = [headings]
    for sheet, given in zip(sheets, records[1:], strict=True):
        points = {(row.name, cell.column): cell.points for row in sheet.rows for cell in row.cells}
        made = Counter(cell.diagnosis.mistake for cell in sheet.cells if cell.diagnosis is not None)
        of_cells = [number(points[cell]) if cell in points and sheet.problem is None else None for cell in cells]
        person = [sheet.student, sheet.number, sheet.email, sheet.is_late]
        rows.append([*given, *person, *of_cells, *(made[mistake] for mistake in mistakes)])
    return rows
