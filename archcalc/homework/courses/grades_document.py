"""Graded homework as documents: one submission cell by cell, or a class with a row for each submission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from archcalc.homework.grade import (
    GradedCell,
    GradedRow,
    GradedSheet,
    Verdict,
    mean_points,
    misconceptions,
    number,
    total,
)
from archcalc.homework.questions import QUESTIONS
from archcalc.render.document import (
    Column,
    Document,
    Item,
    ItemList,
    Paragraph,
    Records,
    Section,
    Table,
    data_column,
    value_column,
    word_column,
)
from archcalc.render.text import fit
from archcalc.words import counted

COMMON = 5
"""The number of a class's mistakes that are listed."""
SUMMED = {
    Verdict.CARRIED_FORWARD: "Right for your own earlier numbers, with points",
    Verdict.REPEATED: "Right with a mistake that costs points once, above",
}
"""Verdicts that one sentence says for all cells."""
LONGEST_SOURCE = 50
"""Longer names of files are shortened."""


def sheet_document(sheet: GradedSheet) -> Document:
    """Return one submission: its points, then every cell that is not right; the records have every cell."""
    points = f"{points_text(sheet.points)} of {points_text(sheet.max_points)} points"
    items = tuple(Item(_title(row, cell), _finding(cell), cell.derivation) for row, cell in _findings(sheet))
    return Document(
        "grades",
        (
            Paragraph(
                f"{sheet.source} · {sheet.network} · {sheet.convention} · {points} · {counts_text(sheet.verdicts)}"
            ),
            *([ItemList(items)] if items else []),
            *map(Paragraph, _notes(sheet)),
        ),
        sheet.to_dict,
        lambda: _cells(sheet),
    )


def class_document(sheets: Sequence[GradedSheet], questions: Sequence[str]) -> Document:
    """Return a table with a row for each submission, and the most common mistakes; ``questions`` are the asked keys."""
    columns = (
        Column(
            "sheet",
            lambda sheet: fit(sheet.source, LONGEST_SOURCE),
            ("sheet",),
            lambda sheet: (sheet.source,),
            right=False,
            rank=0,
            is_name=True,
        ),
        value_column("points", lambda sheet: number(sheet.points), "{:g}".format, "points"),
        value_column("of", lambda sheet: number(sheet.max_points), "{:g}".format, "of"),
        data_column("percent", _percent),
        *(data_column(question, _points_of(question, questions)) for question in questions),
        *map(_verdict, Verdict),
        word_column("", _problem, is_prose=True, is_optional=True),
        data_column("problem", lambda sheet: sheet.problem),
    )
    table = Table("", columns, (Section(sheets),), tuple(_summary(sheets)))
    return Document("grades", (table,), lambda: {"sheets": [sheet.to_dict() for sheet in sheets]})


def points_text(points: Fraction) -> str:
    """Return points as people write them."""
    return f"{number(points):g}"


def counts_text(verdicts: Counter[Verdict]) -> str:
    """Return the number of cells of each verdict: `52 right, 4 wrong`."""
    return ", ".join(f"{verdicts[verdict]} {verdict.value}" for verdict in Verdict if verdicts[verdict])


def _findings(sheet: GradedSheet) -> list[tuple[str, GradedCell]]:
    """Return the cells that need feedback of their own, each with the name of its row."""
    absent = {row.name for row in _absent(sheet)}
    quiet = (Verdict.RIGHT, *SUMMED)
    return [
        (row.name, cell)
        for row in sheet.rows
        if row.name not in absent
        for cell in row.cells
        if cell.verdict not in quiet
    ]


def _absent(sheet: GradedSheet) -> list[GradedRow]:
    """Return the rows without any answer."""
    return [row for row in sheet.rows if all(cell.verdict is Verdict.MISSING for cell in row.cells)]


def _notes(sheet: GradedSheet) -> list[str]:
    """Return sentences on many cells at once, and on the file."""
    notes = []
    for verdict, says in SUMMED.items():
        cells = [
            f"{row.name} {QUESTIONS[cell.column].heading}"
            for row in sheet.rows
            for cell in row.cells
            if cell.verdict is verdict
        ]
        if cells:
            notes.append(f"{says}: {', '.join(cells)}.")
    if absent := _absent(sheet):
        notes.append(f"No answer in: {', '.join(row.name for row in absent)}.")
    if sheet.remarks:
        notes.append(f"Noticed: {'; '.join(sheet.remarks)}.")
    return notes


def _finding(cell: GradedCell) -> str:
    """Return the feedback on a cell, and the right answer if it is revealed."""
    answer = f" It is {cell.expected}." if cell.expected is not None else ""
    return cell.feedback + answer


def _title(row: str, cell: GradedCell) -> str:
    written = f", {cell.written}" if cell.written else ""
    points = f"{points_text(cell.points)} of {points_text(cell.max_points)}"
    return f"{row} · {QUESTIONS[cell.column].heading}{written}: {cell.verdict.value} ({points})"


def _cells(sheet: GradedSheet) -> Records:
    """Return a row for each cell, headings first."""
    rows = [
        [
            row.name,
            cell.column,
            cell.verdict.value,
            number(cell.points),
            number(cell.max_points),
            cell.written,
            cell.expected,
            cell.feedback,
            cell.diagnosis.mistake if cell.diagnosis else None,
        ]
        for row in sheet.rows
        for cell in row.cells
    ]
    return [["layer", "column", "verdict", "points", "of", "written", "expected", "feedback", "mistake"], *rows]


# -- a class


def _verdict(verdict: Verdict) -> Column:
    """Return a column with the number of cells of a verdict; only formulas are undecided."""

    def text(sheet: GradedSheet) -> str:
        count = sheet.verdicts[verdict]
        return "" if sheet.problem is not None or (verdict is Verdict.UNDECIDED and not count) else str(count)

    return Column(
        verdict.value,
        text,
        (verdict.value,),
        lambda sheet: (sheet.verdicts[verdict],),
        rank=0,
        is_optional=verdict is Verdict.UNDECIDED,
    )


def _problem(sheet: GradedSheet) -> str:
    return f"not read: {sheet.problem}" if sheet.problem is not None else ""


def _percent(sheet: GradedSheet) -> float:
    return round(float(100 * sheet.points / sheet.max_points), 1) if sheet.max_points else 0.0


def _points_of(question: str, questions: Sequence[str]) -> Callable[[GradedSheet], Any]:
    """Return a function that adds the points of a question, of all its parts."""

    def points(sheet: GradedSheet) -> int | float:
        cells = [cell for cell in sheet.cells if _question_of(cell.column, questions) == question]
        return number(total(cell.points for cell in cells))

    return points


def _summary(sheets: Sequence[GradedSheet]) -> Iterator[str]:
    broken = sum(sheet.problem is not None for sheet in sheets)
    read = [sheet for sheet in sheets if sheet.problem is None]
    text = f"{counted(len(sheets), 'submission')}, {broken} not read"
    if read:
        text += f"; {mean_points(read)} of {points_text(read[0].max_points)} points on average"
    yield text
    if found := misconceptions(sheets):
        common = [f"{mistake} ({QUESTIONS[column].heading}): {count}" for mistake, column, _, count in found[:COMMON]]
        yield f"submissions with a mistake: {'; '.join(common)}"


def _question_of(column: str, asked: Sequence[str]) -> str:
    """Return the question that a column answers: itself, or the one that it is a part of."""
    if column in asked:
        return column
    wholes = (key for key in asked if any(column in parts for parts in QUESTIONS[key].parts))
    return next(wholes, column)
