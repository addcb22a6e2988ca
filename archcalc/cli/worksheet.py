"""`archcalc worksheet`: a table for students to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._homework import (
    as_options,
    gradescope_options,
    gradescope_style,
    grading_options,
    key_options,
    open_key,
)
from archcalc.cli._streams import remark
from archcalc.errors import SpecError

OWN = ("network", "columns", "autograder", "output", "format_", "no_cache")
"""Parameters that `archcalc check` lacks, or gets otherwise."""


@click.command(cls=Command, example="archcalc worksheet alexnet --ask output,memory,params,flops -o hw1.csv")
@click.argument("network")
@key_options
@click.option("--columns", metavar="A,B,…", help="Given columns; `archcalc table --columns help` lists them.")
@click.option("--autograder", metavar="DIR", help="Write the folder of a Gradescope autograder.")
@grading_options
@gradescope_options
@document_options(default="csv")
def command(
    network: str,
    columns: str | None,
    autograder: str | None,
    points: str,
    tolerance: str,
    reveal: bool | None,
    per: str,
    visibility: str,
    out_of: str | None,
    output: Output,
    **key_settings: Any,
) -> None:
    """Write the table of NETWORK with the asked cells left blank.

    The given columns are the spec's; if sizes are asked, the input's are in the first row. NETWORK may be an inline
    spec such as "conv 3x3 C->C", or have numbers left open by --let: then formulas are asked.
    """
    from archcalc.homework.worksheet import worksheet, worksheet_document

    if autograder is None:
        refuse_grading()
    key = open_key(network, points=points, **key_settings)
    if autograder is not None:
        from archcalc.homework.autograder import write_autograder
        from archcalc.homework.numbers import AnswerTolerance
        from archcalc.imports.references import parse_source

        AnswerTolerance.parse(tolerance)
        gradescope_style(per, visibility, out_of)
        given = click.get_current_context().params
        left_out = {*OWN, *(("inputs",) if parse_source(network) is not None else ())}
        options = as_options({name: value for name, value in given.items() if name not in left_out})
        write_autograder(Path(autograder), network, key, options)
        remark(f"wrote {autograder}: zip what is in it, and give it to Gradescope")
        if output.file is None:
            return
    sheet = worksheet(key, columns.split(",") if columns else None)
    output.show(worksheet_document(sheet))


def refuse_grading() -> None:
    """Raise `SpecError` if an option was given that only an autograder has."""
    context = click.get_current_context()
    for name in ("tolerance", "reveal", "per", "visibility", "out_of"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise SpecError(f"{option} needs --autograder; to grade answers, see archcalc check")
