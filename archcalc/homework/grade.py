"""A graded submission: rows of cells, each with its verdict, points and feedback."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from fractions import Fraction
from typing import Any

from archcalc.structs import Struct


class Verdict(str, Enum):
    """The result of grading one cell."""

    RIGHT = "right"
    CARRIED_FORWARD = "carried forward"
    """Right for the student's own earlier numbers, which are wrong. The cell has its points."""
    REPEATED = "same mistake"
    """Wrong, but right with a mistake that costs points in another cell. The cell has its points."""
    WRONG = "wrong"
    MISSING = "missing"
    """The cell is empty, or its row or column is not in the submission."""
    UNDECIDED = "undecided"
    """A formula that is neither verified nor refuted. A person has to decide."""
    UNREADABLE = "unreadable"
    """The cell holds something that cannot be read as an answer."""

    @property
    def has_points(self) -> bool:
        """True if the cell earns its points."""
        return self in (Verdict.RIGHT, Verdict.CARRIED_FORWARD, Verdict.REPEATED)


class Diagnosis(Struct):
    """A common mistake that gives the number that was written."""

    mistake: str
    """Its short name, the same in every sheet: `bias forgotten`."""
    says: str
    """A sentence for the student. It never gives the answer."""


class GradedCell(Struct):
    """One answer. Strings are exactly as the student wrote them; renderers must escape them."""

    column: str
    """Key of the question: `output`, `memory`, `params`, …"""
    verdict: Verdict
    max_points: Fraction
    """Points that the cell can earn."""
    written: str
    """The text of the cell, shortened if it is long; empty if there is none."""
    expected: str | None
    """The right answer with its unit; None if it is not revealed, and always None if the student gave no answer."""
    feedback: str = ""
    """One or two sentences for the student; empty for a right cell."""
    derivation: tuple[str, ...] = ()
    """For a wrong cell, the lines of `archcalc explain`, without numbers if they could reveal other answers."""
    diagnosis: Diagnosis | None = None

    @property
    def points(self) -> Fraction:
        """Points that the cell earns."""
        return self.max_points if self.verdict.has_points else Fraction(0)


class GradedRow(Struct):
    """The answers of one row of the table."""

    name: str
    """The layer's full name, or `total`."""
    cells: tuple[GradedCell, ...]

    @property
    def points(self) -> Fraction:
        """Points that the row earns."""
        return total(cell.points for cell in self.cells)

    @property
    def max_points(self) -> Fraction:
        """Points that the row can earn: the same in every submission of a homework."""
        return total(cell.max_points for cell in self.cells)


class GradedSheet(Struct):
    """One graded submission. A file that cannot be read has a problem, and all its cells are missing."""

    source: str
    """The file's name, as on the command line."""
    network: str
    convention: str
    rows: tuple[GradedRow, ...]
    remarks: tuple[str, ...] = ()
    """Other observations: columns and rows that are not asked, rows matched by position."""
    problem: str | None = None
    student: str = ""
    """The student's name in the course's system; empty if it is not known."""
    number: str = ""
    """The student's number there."""
    email: str = ""
    is_late: bool = False
    """True if the system marks the submission as late."""

    @property
    def cells(self) -> tuple[GradedCell, ...]:
        """All answers, row by row."""
        return tuple(cell for row in self.rows for cell in row.cells)

    @property
    def points(self) -> Fraction:
        """Points that the submission earns."""
        return total(row.points for row in self.rows)

    @property
    def max_points(self) -> Fraction:
        """Points that the submission can earn."""
        return total(row.max_points for row in self.rows)

    @property
    def verdicts(self) -> Counter[Verdict]:
        """The number of cells with each verdict."""
        return Counter(cell.verdict for cell in self.cells)

    @property
    def is_right(self) -> bool:
        """True if every cell is right in itself, not carried forward."""
        return self.problem is None and all(cell.verdict is Verdict.RIGHT for cell in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """Return the submission as plain data for JSON."""
        return {
            "source": self.source,
            "student": self.student,
            "number": self.number,
            "email": self.email,
            "late": self.is_late,
            "network": self.network,
            "convention": self.convention,
            "points": number(self.points),
            "max_points": number(self.max_points),
            "problem": self.problem,
            "remarks": list(self.remarks),
            "rows": [
                {
                    "name": row.name,
                    "points": number(row.points),
                    "max_points": number(row.max_points),
                    "cells": [_cell(cell) for cell in row.cells],
                }
                for row in self.rows
            ],
        }


def total(points: Iterable[Fraction]) -> Fraction:
    """Return the sum of points, a fraction even of none."""
    return sum(points, Fraction(0))


def mean_points(sheets: Sequence[GradedSheet]) -> str:
    """Return the mean of the points of submissions, to a tenth."""
    return f"{float(total(sheet.points for sheet in sheets) / len(sheets)):.1f}"


def misconceptions(sheets: Iterable[GradedSheet]) -> list[tuple[str, str, str, int]]:
    """Return each mistake with its column, its sentence and the number of submissions that have it, most first."""
    found: Counter[tuple[str, str]] = Counter()
    says: dict[tuple[str, str], str] = {}
    for sheet in sheets:
        made = {(cell.diagnosis.mistake, cell.column): cell.diagnosis.says for cell in sheet.cells if cell.diagnosis}
        found.update(made.keys())
        says |= made
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(mistake, column, says[mistake, column], count) for (mistake, column), count in ordered]


def number(points: Fraction) -> int | float:
    """Return points as an integer if they are one, else rounded to four decimals."""
    return points.numerator if points.denominator == 1 else round(float(points), 4)


def _cell(cell: GradedCell) -> dict[str, Any]:
    return {
        "column": cell.column,
        "verdict": cell.verdict.value,
        "points": number(cell.points),
        "max_points": number(cell.max_points),
        "written": cell.written,
        "expected": cell.expected,
        "feedback": cell.feedback,
        "derivation": list(cell.derivation),
        "mistake": cell.diagnosis.mistake if cell.diagnosis else None,
    }
