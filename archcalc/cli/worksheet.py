"""`archcalc worksheet`: a table for students to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._homework import (
    GradingOptions,
    as_options,
    gradescope_options,
    grading_options,
    key_options,
    open_key,
)
from archcalc.cli._options import refuse_alone
from archcalc.cli._streams import remark
from archcalc.errors import SpecError

if TYPE_CHECKING:
    from archcalc.homework.courses.gradescope import GradescopeOptions
    from archcalc.homework.key import AnswerKey

OWN = ("network", "columns", "layout", "title", "filled", "autograder", "output", "format_", "no_cache")
"""Parameters that `archcalc check` lacks, or gets otherwise."""


@click.command(
    cls=Command,
    topic="teach",
    short_help="Write a table with blank cells to fill in.",
    example="archcalc worksheet alexnet --ask output,memory,params,flops -o hw1.csv",
)
@click.argument("network")
@key_options
@click.option("--columns", metavar="A,B,…", help="Given columns; `archcalc table --columns help` lists them.")
@click.option("--layout", type=click.Choice(["chw", "hwc"]), default="chw", help="Order of the sizes in a shape. [chw]")
@click.option("--title", default="", metavar="TEXT", help="Title of the worksheet. [the network]")
@click.option("--key", "filled", is_flag=True, help="Write the right answers too.")
@click.option("--autograder", metavar="DIR", help="Write the folder of a Gradescope autograder.")
@grading_options
@gradescope_options
@document_options(default="csv")
def command(
    network: str,
    columns: str | None,
    layout: str,
    title: str,
    filled: bool,
    autograder: str | None,
    grading: GradingOptions,
    style: GradescopeOptions,
    output: Output,
    **key_settings: Any,
) -> None:
    """Write the table of NETWORK with the asked cells left blank.

    The given columns are the spec's; if sizes are asked, the input's are in the first row. NETWORK may be an inline
    spec such as "conv 3x3 C->C", or have numbers left open by --let: then formulas are asked.
    """
    from archcalc.homework.courses.autograder import EXAMPLE
    from archcalc.homework.courses.collect import SEEDS

    if autograder is None:
        of_grading = ("tolerance", "digits", "per_mistake", "maps", "reveal", "per", "visibility", "out_of")
        refuse_alone("--autograder; to grade answers, see archcalc check", *of_grading)
    seed = key_settings["seed"]
    if seed in SEEDS:
        if autograder is None or output.file is not None:
            raise SpecError(f"--seed {seed} is for archcalc check and --autograder; a worksheet is for one student")
        key_settings["seed"] = EXAMPLE[seed]
    key = open_key(network, points=grading.points, maps=grading.maps, **key_settings)
    if autograder is not None:
        _write_autograder(autograder, network, key)
    if autograder is None or output.file is not None:
        _write_worksheet(key, columns.split(",") if columns else None, layout, title, filled, output)


def _write_autograder(folder: str, network: str, key: AnswerKey) -> None:
    """Write the folder of an autograder, whose `archcalc check` gets the options of this command."""
    from archcalc.homework.courses.autograder import write_autograder
    from archcalc.imports.references import parse_source

    given = click.get_current_context().params
    left_out = {*OWN, *(("inputs",) if parse_source(network) is not None else ())}
    options = as_options({name: value for name, value in given.items() if name not in left_out})
    write_autograder(Path(folder), network, key, options)
    remark(f"wrote {folder}: zip what is in it, and give it to Gradescope")


def _write_worksheet(
    key: AnswerKey, columns: list[str] | None, layout: str, title: str, filled: bool, output: Output
) -> None:
    from archcalc.homework.courses.example import example_row
    from archcalc.homework.courses.gradebook import records_document
    from archcalc.homework.courses.notes import notes_of
    from archcalc.homework.courses.worksheet import (
        asked_columns,
        other_headings,
        worksheet,
        worksheet_document,
        worksheet_records,
    )
    from archcalc.homework.courses.worksheet_html import worksheet_html
    from archcalc.homework.courses.worksheet_xlsx import worksheet_xlsx
    from archcalc.render.writers import write_document

    sheet = worksheet(key, columns, layout, filled)
    notes = notes_of(key, title, layout)
    example = example_row(sheet, key, columns, layout)
    if output.format in ("xlsx", "html"):
        asked = asked_columns(sheet[0], key)
        choices = {index: other_headings(key, question) for index, question in asked.items()}
        write = worksheet_xlsx if output.format == "xlsx" else worksheet_html
        output.write(write(sheet, notes, choices, example))
    elif output.format == "csv":
        text = str(write_document(records_document(worksheet_records(sheet, notes, example)), "csv"))
        output.write(text if output.file is None else f"\ufeff{text}")  # Excel knows UTF-8 by this mark
    elif output.format == "json":
        output.show(worksheet_document(sheet))
    else:
        rows = sheet if example is None else [sheet[0], example, *sheet[1:]]
        output.show(worksheet_document(rows, notes=notes))
