"""`archcalc check`: grade students' tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import FORMATS, Output, document_options, file_option, format_of
from archcalc.cli._homework import GradingOptions, gradescope_options, grading_options, key_options, open_key
from archcalc.cli._options import refuse_alone
from archcalc.cli._streams import remark, until_interrupted, write, write_file
from archcalc.errors import UserError
from archcalc.structs import replace
from archcalc.words import in_one_line, quote

if TYPE_CHECKING:
    from archcalc.homework.courses.collect import Handed
    from archcalc.homework.courses.gradescope import GradescopeOptions
    from archcalc.homework.grade import GradedSheet
    from archcalc.homework.marking.grading import Grader


@click.command(
    cls=Command,
    topic="teach",
    short_help="Grade submissions, and name the mistakes in them.",
    example="archcalc check alexnet submissions/*.csv --summary grades.csv",
)
@click.argument("network")
@click.argument("answers", nargs=-1, required=True, metavar="ANSWERS…")
@key_options
@grading_options
@file_option("--summary", formats=["csv", "xlsx"], help="Write the grades of all: a column for each cell and mistake.")
@file_option("--report", formats=["html"], help="Write a page on the class: right cells and misconceptions.")
@file_option("--canvas", formats=["csv"], help="Write the grades for Canvas to import.")
@file_option("--moodle", formats=["csv"], help="Write the grades for Moodle; its own worksheet is filled in.")
@file_option(
    "--gradescope", formats=["json"], help="Write Gradescope's results.json for a file, or a submission's folder."
)
@gradescope_options
@document_options()
def command(
    network: str,
    answers: tuple[str, ...],
    grading: GradingOptions,
    summary: str | None,
    report: str | None,
    canvas: str | None,
    moodle: str | None,
    gradescope: str | None,
    style: GradescopeOptions,
    output: Output,
    **key_settings: Any,
) -> int:
    """Grade the tables in ANSWERS against the numbers of NETWORK: CSV, XLSX, Markdown or JSON; - is standard input.

    A number is right if the true one rounds to the written digits. An error is diagnosed, and costs points only where
    it was made. Exits 0 if every cell is right, 1 if not, 2 if the only submission cannot be read; --gradescope writes
    a result even then.
    """
    from archcalc.homework.courses.collect import check_numbers, collect, of_stdin
    from archcalc.homework.courses.grades_document import class_document, sheet_document
    from archcalc.homework.marking.grading import Grader

    # Gradescope shows its results to the student, the terminal shows them to whoever has the key.
    reveal = gradescope is None if grading.reveal is None else grading.reveal

    def make_grader(student: str | None) -> Grader:
        own = open_key(network, points=grading.points, maps=grading.maps, **{**key_settings, "seed": student})
        return Grader(own, grading.tolerance, reveal, grading.per_mistake)

    graders = _Graders(make_grader, key_settings["seed"])
    key = graders.usual.key
    questions = [question.key for question in key.questions]
    missing = 0
    if gradescope is None:
        refuse_alone("--gradescope", "per", "visibility", "out_of")
    with tempfile.TemporaryDirectory() as scratch:
        if gradescope is not None:
            from archcalc.homework.courses.gradescope import one_table, results_json

            if len(answers) != 1:
                raise click.UsageError("--gradescope is for one submission: one file, or its folder")
            handed = one_table(Path(answers[0])) if answers[0] != "-" else of_stdin(Path(scratch))
            sheets = [graders.grade_with_student(handed)]
            write_file(results_json(sheets[0], style), gradescope)
            is_class = sheets[0].problem is not None
        elif len(answers) == 1 and not _is_class(answers[0]) and not any((summary, report, canvas, moodle)):
            (handed,) = collect([Path(answers[0])], Path(scratch))
            source = handed.source or answers[0]
            sheets, is_class = [replace(graders.grade(handed), source=source)], False
            if sheets[0].problem is not None:
                raise UserError(f"{quote(source)}: {sheets[0].problem}")
        else:
            found = collect(list(map(Path, answers)), Path(scratch))
            for system, file in (("Canvas", canvas), ("Moodle", moodle)):
                if file is not None:
                    check_numbers(found, system)
            sheets, is_class = graders.grade_class(found), True
            missing = len(found) - len(sheets)
            # The files first: they are kept though the terminal's reader goes away.
            _write_files(sheets, questions, key.network.name, summary, report, canvas, moodle)
    output.show(class_document(sheets, questions) if is_class else sheet_document(sheets[0]))
    if missing:
        remark(f"interrupted: {missing} of {len(sheets) + missing} submissions are not graded")
        return 130
    return 0 if all(sheet.is_right for sheet in sheets) else 1


class _Graders:
    """The grader of a homework; or, if the seed is one of `SEEDS`, one for each student, of their own network."""

    def __init__(self, make: Callable[[str | None], Grader], seed: str | None) -> None:
        from archcalc.homework.courses.collect import SEEDS

        self.make = make
        self.by = seed if seed in SEEDS else None
        self.usual = make(None if self.by else seed)

    def grade(self, handed: Handed) -> GradedSheet:
        """Grade a submission."""
        if handed.problem:
            return self.usual.unread(handed.path, handed.problem)
        return (self.make(handed.seed(self.by)) if self.by else self.usual).grade(handed.path)

    def grade_with_student(self, handed: Handed) -> GradedSheet:
        """Return the grade of a submission with its student; one without a network of their own is a problem."""
        try:
            sheet = self.grade(handed)
        except UserError as error:
            sheet = self.usual.unread(handed.path, in_one_line(str(error)))
        return replace(sheet, student=handed.student, number=handed.number, email=handed.email, is_late=handed.is_late)

    def grade_class(self, found: list[Handed]) -> list[GradedSheet]:
        """Grade with a progress bar; what is graded when the user interrupts is kept."""
        sheets, _ = until_interrupted(
            len(found),
            "grading",
            lambda announce: (replace(self.grade_with_student(handed), source=handed.label) for handed in found),
        )
        if not found:
            raise UserError("there is no file to grade")
        if not sheets:
            raise KeyboardInterrupt
        return sheets


def _is_class(name: str) -> bool:
    """True for a folder or an archive of submissions."""
    return Path(name).is_dir() or name.lower().endswith(".zip")


def _write_files(
    sheets: list[GradedSheet],
    questions: list[str],
    name: str,
    summary: str | None,
    report: str | None,
    canvas: str | None,
    moodle: str | None,
) -> None:
    """Write the files that a class's options name."""
    from archcalc.homework.courses import gradebook
    from archcalc.homework.courses.class_report import class_report
    from archcalc.homework.courses.grades_document import class_document

    if summary is not None:
        records = gradebook.summary_records(sheets, class_document(sheets, questions).records())
        form = format_of(summary, None, ("csv", "xlsx")) or "csv"
        Output(FORMATS[form], summary).show(gradebook.records_document(records))
    if report is not None:
        write(class_report(sheets, f"{name}: the class"), report)
    if canvas is not None:
        records = gradebook.canvas_records(sheets, name)
        Output(FORMATS["csv"], canvas).show(gradebook.records_document(records))
    if moodle is not None:
        feedback = [gradebook.short_feedback(sheet) for sheet in sheets]
        filled = gradebook.filled_moodle(Path(moodle), sheets, feedback)
        if filled is not None:
            write(filled, moodle)
        else:
            records = gradebook.moodle_records(sheets, feedback)
            Output(FORMATS["csv"], moodle).show(gradebook.records_document(records))
