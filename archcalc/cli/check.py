"""`archcalc check`: grade students' tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._homework import key_options, open_key
from archcalc.cli._options import output_option, write

if TYPE_CHECKING:
    from archcalc.homework.grade import GradedSheet
    from archcalc.homework.grading import Grader


@click.command(cls=Command, example="archcalc check alexnet submissions/*.csv --summary grades.csv")
@click.argument("network")
@click.argument("answers", nargs=-1, required=True, metavar="ANSWERS…")
@key_options
@click.option("--points", default="", metavar="A=N,…", help="Points of a cell: params=2,flops=1. [1]")
@click.option("--tolerance", default="digits", metavar="RULE", help="digits, cut, exact, or 2%. [digits]")
@click.option("--no-reveal", is_flag=True, help="Hint at what is wrong without giving the answers.")
@click.option("--summary", metavar="FILE", help="Write the grades of all sheets as CSV.")
@click.option("--format", "format_", type=click.Choice(["text", "markdown", "json"]), default="text", help="[text]")
@output_option
@click.pass_context
def command(
    context: click.Context,
    /,
    network: str,
    answers: tuple[str, ...],
    points: str,
    tolerance: str,
    no_reveal: bool,
    summary: str | None,
    format_: str,
    output: str | None,
    **key_settings: Any,
) -> None:
    """Grade the tables in ANSWERS against the numbers of NETWORK: CSV, XLSX, Markdown or JSON.

    A number is right if the true one rounds to the digits written. An error is diagnosed, and costs points only where
    it was made. Exits 0 if every cell of every sheet is right, 1 if not, 2 if the only sheet cannot be read.
    """
    from archcalc.homework.grading import Grader
    from archcalc.homework.numbers import Tolerance
    from archcalc.render.grades import render_class, render_sheet, summary_csv
    from archcalc.spec.errors import quote

    key = open_key(network, points=points, **key_settings)
    grader = Grader(key, Tolerance.parse(tolerance), reveal=not no_reveal)
    if len(answers) == 1 and summary is None:
        sheet = grader.grade(Path(answers[0]))
        if sheet.problem is not None:
            raise ValueError(f"{quote(answers[0])}: {sheet.problem}")
        write(render_sheet(sheet, format_), output)
        sheets = [sheet]
    else:
        sheets = _grade_class(grader, [Path(name) for name in answers])
        write(render_class(sheets, format_), output)
    if summary is not None:
        write(summary_csv(sheets, [question.key for question in key.questions]), summary)
    if not all(sheet.is_right for sheet in sheets):
        context.exit(1)


def _grade_class(grader: Grader, paths: list[Path]) -> list[GradedSheet]:
    """Grade with a progress bar."""
    sheets: list[GradedSheet] = []
    bar: Any
    with click.progressbar(length=len(paths), label="grading", file=sys.stderr) as bar:
        for sheet in grader.grade_all(paths):
            sheets.append(sheet)
            bar.update(1)
    return sheets
