"""What a graded sheet is: rows of cells, each with its verdict, its points and what a student should know of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any


class Verdict(str, Enum):
    """What was found of one cell."""

    RIGHT = "right"
    CARRIED = "carried"
    """Right for the student's own earlier numbers, which are wrong: it has its points."""
    WRONG = "wrong"
    MISSING = "missing"
    """Left empty, or its row or column is not in the sheet."""
    UNDECIDED = "undecided"
    """A formula that is neither proved to be right nor shown to be wrong: a person has to decide."""
    UNREADABLE = "unreadable"
    """Something stands there that cannot be read as an answer."""

    @property
    def has_points(self) -> bool:
        """Whether the cell is worth its points."""
        return self in (Verdict.RIGHT, Verdict.CARRIED)


@dataclass(frozen=True)
class Diagnosis:
    """A usual mistake that gives just the number that was written."""

    mistake: str
    """Its short name, the same in every sheet: `bias forgotten`."""
    says: str
    """A sentence for the student. It never gives the answer."""


@dataclass(frozen=True)
class GradedCell:
    """One answer. Texts are as the student wrote them: who shows them escapes them."""

    column: str
    """Key of the question: `output`, `memory`, `params`, …"""
    verdict: Verdict
    most: Fraction
    """Points that it can have."""
    written: str
    """What stands in the sheet, shortened if it is long; empty where nothing does."""
    expected: str | None
    """The right answer with its unit; None where it is not revealed, and always where the student gave none."""
    feedback: str = ""
    """One or two sentences for the student; empty for a right cell."""
    derivation: tuple[str, ...] = ()
    """Of a wrong cell, the lines of `archcalc explain`; without the numbers where they may give something away."""
    diagnosis: Diagnosis | None = None

    @property
    def points(self) -> Fraction:
        """Points that it has."""
        return self.most if self.verdict.has_points else Fraction(0)


@dataclass(frozen=True)
class GradedRow:
    """The answers of one row of the table."""

    name: str
    """The layer's full name, or `total`."""
    cells: tuple[GradedCell, ...]

    @property
    def points(self) -> Fraction:
        """Points that its cells have."""
        return sum((cell.points for cell in self.cells), Fraction(0))

    @property
    def most(self) -> Fraction:
        """Points that its cells can have: the same in every sheet of one homework."""
        return sum((cell.most for cell in self.cells), Fraction(0))


@dataclass(frozen=True)
class GradedSheet:
    """One submission. A file that cannot be read has a problem, and every cell of it is missing."""

    source: str
    """The file's name, as it was given."""
    network: str
    convention: str
    rows: tuple[GradedRow, ...]
    remarks: tuple[str, ...] = ()
    """What else was noticed: columns and rows that are not asked, rows matched by their place."""
    problem: str | None = None

    @property
    def cells(self) -> tuple[GradedCell, ...]:
        """All answers, row by row."""
        return tuple(cell for row in self.rows for cell in row.cells)

    @property
    def points(self) -> Fraction:
        """Points that the sheet has."""
        return sum((row.points for row in self.rows), Fraction(0))

    @property
    def most(self) -> Fraction:
        """Points that it can have."""
        return sum((row.most for row in self.rows), Fraction(0))

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many cells have each verdict."""
        return Counter(cell.verdict for cell in self.cells)

    @property
    def is_right(self) -> bool:
        """Whether every cell is right, in itself."""
        return self.problem is None and all(cell.verdict is Verdict.RIGHT for cell in self.cells)

    def to_dict(self) -> dict[str, Any]:
        """The sheet as plain data; points are numbers that JSON has."""
        return {
            "source": self.source,
            "network": self.network,
            "convention": self.convention,
            "points": number(self.points),
            "most": number(self.most),
            "problem": self.problem,
            "remarks": list(self.remarks),
            "rows": [
                {
                    "name": row.name,
                    "points": number(row.points),
                    "most": number(row.most),
                    "cells": [_cell(cell) for cell in row.cells],
                }
                for row in self.rows
            ],
        }


def number(points: Fraction) -> int | float:
    """Points as a number that JSON has: whole, or rounded to four decimals."""
    return points.numerator if points.denominator == 1 else round(float(points), 4)


def _cell(cell: GradedCell) -> dict[str, Any]:
    return {
        "column": cell.column,
        "verdict": cell.verdict.value,
        "points": number(cell.points),
        "most": number(cell.most),
        "written": cell.written,
        "expected": cell.expected,
        "feedback": cell.feedback,
        "derivation": list(cell.derivation),
        "mistake": cell.diagnosis.mistake if cell.diagnosis else None,
    }
