"""`archcalc check`: grade students' tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import FORMATS, Output, document_options, file_option
from archcalc.cli._homework import gradescope_options, gradescope_style, grading_options, key_options, open_key
from archcalc.cli._streams import progress, write_file
from archcalc.errors import UserError

if TYPE_CHECKING:
    from archcalc.homework.grade import GradedSheet
    from archcalc.homework.grading import Grader


@click.command(cls=Command, example="archcalc check alexnet submissions/*.csv --summary grades.csv")
@click.argument("network")
@click.argument("answers", nargs=-1, required=True, metavar="ANSWERS…")
@key_options
@grading_options
@file_option("--summary", formats=["csv"], help="Write the grades of all sheets as CSV.")
@file_option(
    "--gradescope", formats=["json"], help="Write Gradescope's results.json for a file, or a submission's folder."
)
@gradescope_options
@document_options()
@click.pass_context
def command(
    context: click.Context,
    /,
    network: str,
    answers: tuple[str, ...],
    points: str,
    tolerance: str,
    reveal: bool | None,
    summary: str | None,
    gradescope: str | None,
    per: str,
    visibility: str,
    out_of: str | None,
    output: Output,
    **key_settings: Any,
) -> None:
    """Grade the tables in ANSWERS against the numbers of NETWORK: CSV, XLSX, Markdown or JSON.

    A number is right if the true one rounds to the written digits. An error is diagnosed, and costs points only where
    it was made. Exits 0 if every cell is right, 1 if not, 2 if the only submission cannot be read; --gradescope writes
    a result even then.
    """
    from archcalc.homework.grades_document import class_document, sheet_document
    from archcalc.homework.grading import Grader
    from archcalc.homework.numbers import AnswerTolerance
    from archcalc.words import quote

    key = open_key(network, points=points, **key_settings)
    questions = [question.key for question in key.questions]
    # Gradescope shows its results to the student, the terminal shows them to whoever has the key.
    reveal = gradescope is None if reveal is None else reveal
    grader = Grader(key, AnswerTolerance.parse(tolerance), reveal)
    if gradescope is not None:
        from archcalc.homework.gradescope import grade_folder, results_json

        if len(answers) != 1:
            raise click.UsageError("--gradescope is for one submission: one file, or its folder")
        style = gradescope_style(per, visibility, out_of)
        path = Path(answers[0])
        sheet = grade_folder(grader, path) if path.is_dir() else grader.grade(path)
        write_file(results_json(sheet, style), gradescope)
        sheets, is_class = [sheet], sheet.problem is not None
    elif len(answers) == 1 and summary is None:
        sheets, is_class = [grader.grade(Path(answers[0]))], False
        if sheets[0].problem is not None:
            raise UserError(f"{quote(answers[0])}: {sheets[0].problem}")
    else:
        sheets, is_class = _grade_class(grader, [Path(name) for name in answers]), True
        # The summary first: it is kept though the terminal's reader goes away.
        if summary is not None:
            Output(FORMATS["csv"], summary).show(class_document(sheets, questions))
    output.show(class_document(sheets, questions) if is_class else sheet_document(sheets[0]))
    if not all(sheet.is_right for sheet in sheets):
        context.exit(1)


def _grade_class(grader: Grader, paths: list[Path]) -> list[GradedSheet]:
    """Grade with a progress bar."""
    sheets: list[GradedSheet] = []
    with progress(len(paths), "grading") as bar:
        for sheet in grader.grade_all(paths):
            sheets.append(sheet)
            bar.update(1)
    return sheets
