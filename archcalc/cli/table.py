"""`archcalc table`: the lecture's table of a network."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import format_of, result_options
from archcalc.cli._options import (
    JOIN,
    Overrides,
    counting_options,
    depth_option,
    network_options,
)
from archcalc.cli._streams import write
from archcalc.errors import SpecError
from archcalc.words import did_you_mean, quote

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc table resnet50 --depth 1 --columns name,output,params,macs,rf")
@click.argument("network")
@network_options
@counting_options
@click.option("--columns", metavar="A,B,…", help="Columns, in this order; `--columns help` lists them.")
@click.option("--backward", is_flag=True, help="Add the backward pass and the training step.")
@click.option("--all", "every_layer", is_flag=True, help="Show activations, normalization and dropout too.")
@depth_option(JOIN)
@click.option("--exact", is_flag=True, help="Print whole numbers in full.")
@click.option("--layout", type=click.Choice(["chw", "hwc"]), default="chw", help="Order of the sizes in a shape. [chw]")
@result_options("text", "markdown", "csv", "json", "latex", "html", "xlsx", what="Format of the table")
def command(
    network: str,
    overrides: Overrides,
    counting: Counting,
    columns: str | None,
    backward: bool,
    every_layer: bool,
    depth: int | None,
    exact: bool,
    layout: str,
    format_: str,
    output: str | None,
) -> None:
    """Print the layers of NETWORK with their shapes, parameters, memory, operations and receptive fields.

    NETWORK is a bundled name (see `archcalc list`), a file, or FILE#VARIANT.
    """
    from archcalc.analysis import analyze
    from archcalc.analysis.columns import BACKWARD_COLUMNS, COLUMNS, LECTURE_COLUMNS
    from archcalc.render.formats import render
    from archcalc.render.grid import TableOptions, lay_out

    if columns == "help":
        format_of(output, None, ("text",))
        write("".join(f"{key:16}{column.heading}\n" for key, column in COLUMNS.items()), output)
        return
    chosen = tuple(columns.split(",")) if columns else LECTURE_COLUMNS
    if backward:
        chosen = (*chosen, *(key for key in BACKWARD_COLUMNS if key not in chosen))
    for key in chosen:
        if key not in COLUMNS:
            raise SpecError(
                f"unknown column {quote(key)}{did_you_mean(key, COLUMNS) or '; list them with --columns help'}"
            )
    view = TableOptions(chosen, every_layer, depth, exact, layout == "hwc")
    analysis = analyze(overrides.open(network), counting)
    if format_ == "xlsx":
        from archcalc.render.records import table_records, workbook

        write(workbook(table_records(analysis, view), analysis.network.name), output)
        return
    if format_ != "text":
        write(render(analysis, format_, view), output)
        return
    from archcalc.render.text import text_table

    styled = output is None and sys.stdout.isatty()
    bold = _bold if styled and not os.environ.get("NO_COLOR") else str
    write(text_table(lay_out(analysis, view), _width(styled), bold), output)


def _width(on_terminal: bool) -> int | None:
    """The width to fit: the terminal's, or what COLUMNS says; None for a file or a pipe."""
    if on_terminal or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def _bold(text: str) -> str:
    return click.style(text, bold=True)
