"""Graded sheets as Gradescope's results.json.

The keys are those of Gradescope's autograder specification. There is no score at the top, because it would override
those of the tests. Visibility is set for all tests at once: one that appears later would hide the total. The maximum
scores of the tests add up to the assignment's points in hundredths, so that nothing depends on rounding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from archcalc.errors import UserError
from archcalc.homework.courses.collect import TABLES, Handed, files_in, in_gradescope
from archcalc.homework.courses.grades_document import points_text
from archcalc.homework.grade import GradedCell, GradedSheet, Verdict, total
from archcalc.homework.questions import QUESTIONS
from archcalc.render.writers.markdown import escape_markdown
from archcalc.structs import Struct, replace
from archcalc.words import printable, quote

MOST_FILES = 1000
UNIT = 100
"""Scores are whole multiples of a hundredth."""


class GradescopeOptions(Struct):
    """The options of results.json."""

    by_cell: bool = False
    """A test for each cell; otherwise for each row."""
    visibility: str = "visible"
    """When students see the tests and their total; `visible`, `after_due_date`, `after_published` or `hidden`."""
    out_of: Fraction | None = None
    """The points of the whole assignment; the sum of the cells' points if None."""


def one_table(path: Path) -> Handed:
    """Return the table in a folder of a submission, or a file; with none or several, a submission with that problem."""
    handed = in_gradescope(path)
    if not path.is_dir():
        return handed
    found = files_in(path, MOST_FILES)
    tables = [path for path in found if path.suffix.lower() in TABLES] or found
    if len(tables) == 1:
        return replace(handed, path=tables[0])
    names = ", ".join(quote(path.name) for path in tables[:5])
    problem = f"hand in one table: there are {len(tables)}, {names}" if tables else "there is no file in it"
    return replace(handed, problem=problem)


def results(sheet: GradedSheet, style: GradescopeOptions) -> dict[str, Any]:
    """Return the content of results.json.

    Raises `UserError` for an assignment without points.
    """
    groups = list(_groups(sheet, style.by_cell))
    points = [total(cell.max_points for cell in group.cells) for group in groups]
    whole = total(points)
    if not whole:
        raise UserError("no cell has points; give points to at least one question with --points")
    scale = Fraction(1) if style.out_of is None else style.out_of / whole
    scores = hundredths([share * scale for share in points])
    tests = [_test(*test, scale) for test in zip(groups, scores, points, strict=True)]
    shown = [f"**{escape_markdown(sheet.problem)}.**"] if sheet.problem is not None else []
    shown += [f"- {escape_markdown(remark)}" for remark in sheet.remarks]
    data: dict[str, Any] = {
        "output": "\n".join(shown) or f"{escape_markdown(sheet.network)}, counted as in {sheet.convention}.",
        "output_format": "md",
        "test_output_format": "md",
        "test_name_format": "text",
        "visibility": style.visibility,
        "tests": tests,
    }
    return data


def results_json(sheet: GradedSheet, style: GradescopeOptions) -> str:
    """Return the results as text.

    Raises `ValueError` for a number that JSON does not have.
    """
    return json.dumps(results(sheet, style), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class _TestGroup(Struct):
    """The subject of a test."""

    number: str
    name: str
    cells: tuple[GradedCell, ...]


def _groups(sheet: GradedSheet, by_cell: bool) -> Iterator[_TestGroup]:
    for index, row in enumerate(sheet.rows, 1):
        if not by_cell:
            yield _TestGroup(str(index), row.name, row.cells)
            continue
        for number, cell in enumerate(row.cells, 1):
            yield _TestGroup(f"{index}.{number}", f"{row.name}: {QUESTIONS[cell.column].heading}", (cell,))


def hundredths(points: Sequence[Fraction]) -> list[Fraction]:
    """Return the points in hundredths, so that their sum is the sum of the points to the hundredth."""
    sums = [Fraction(round(part * UNIT), UNIT) for part in accumulate(points, initial=Fraction(0))]
    return [after - before for before, after in pairwise(sums)]


def _test(group: _TestGroup, max_score: Fraction, max_points: Fraction, scale: Fraction) -> dict[str, Any]:
    points = total(cell.points for cell in group.cells)
    full = points == max_points
    # A score that is not full is rounded down, so that it never looks full.
    score = max_score if full else min(Fraction(int(points * scale * UNIT), UNIT), max_score)
    mistakes = [cell.diagnosis.mistake for cell in group.cells if cell.diagnosis is not None]
    return {
        "number": group.number,
        "name": printable(group.name),
        "score": float(score),
        "max_score": float(max_score),
        "status": "passed" if full else "failed",
        "output": "\n\n".join(_output(cell, scale) for cell in group.cells),
        "extra_data": {"mistakes": mistakes},
    }


def _output(cell: GradedCell, scale: Fraction) -> str:
    """Return the text that a student reads about a cell, in Markdown, with the derivation as code."""
    heading = QUESTIONS[cell.column].heading
    written = f" {escape_markdown(cell.written)}" if cell.written else ""
    points = " of ".join(points_text(round(part * scale, 2)) for part in (cell.points, cell.max_points))
    lines = [f"**{heading}**{written}: {cell.verdict.value} ({points})"]
    if cell.verdict is not Verdict.RIGHT:
        answer = f" It is {cell.expected}." if cell.expected is not None and not cell.verdict.has_points else ""
        lines += ["", escape_markdown(f"{cell.feedback}{answer}")]
        if cell.derivation and not cell.verdict.has_points:
            lines += ["", *(f"    {printable(line)}" for line in cell.derivation)]
    return "\n".join(lines)
