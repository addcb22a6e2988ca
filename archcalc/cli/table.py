"""`archcalc table`: the lecture's table of a network."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import (
    JOIN,
    CountingOpener,
    change_options,
    counting_options,
    depth_option,
    lower_bounds,
    refuse_alone,
    strict_option,
)
from archcalc.cli._streams import remark


@click.command(
    cls=Command,
    topic="look",
    short_help="Print the layers with shapes and costs.",
    example="archcalc table resnet50 --depth 1 --columns name,output,params,macs,rf",
)
@click.argument("network")
@change_options
@counting_options
@click.option("--columns", metavar="A,B,…", help="Columns, in this order; `--columns help` lists them.")
@click.option("--backward", is_flag=True, help="Add the backward pass and the training step.")
@click.option("--all", "every_layer", is_flag=True, help="Show activations, normalization and dropout too.")
@depth_option(JOIN)
@click.option("--exact", is_flag=True, help="Print integers in full.")
@click.option("--layout", type=click.Choice(["chw", "hwc"]), default="chw", help="Order of the sizes in a shape. [chw]")
@click.option("--caption", default="", metavar="TEXT", help="Title of the table. [the network and its input]")
@click.option("--label", default="", metavar="NAME", help="With latex: the label, for \\ref.")
@strict_option
@document_options()
def command(
    network: str,
    opener: CountingOpener,
    columns: str | None,
    backward: bool,
    every_layer: bool,
    depth: int | None,
    exact: bool,
    layout: str,
    caption: str,
    label: str,
    strict: bool,
    output: Output,
) -> int:
    """Print the layers of NETWORK with their shapes, parameters, memory, operations and receptive fields.

    NETWORK is a bundled name (see `archcalc list`), a file, or FILE#VARIANT; or a network from elsewhere: FILE.onnx,
    timm:NAME, torchvision:NAME, transformers:CLASS, FILE.py:CLASS, which is run (see `archcalc import`).
    """
    from archcalc.quantities.table import BACKWARD, COLUMNS, choose
    from archcalc.render.table import TableOptions, table_document

    if output.format != "latex":
        refuse_alone("--format latex", "label")
    chosen = choose(columns, COLUMNS, "archcalc table --columns help") if columns else ()
    view = TableOptions(chosen, BACKWARD if backward else (), every_layer, depth, exact, layout == "hwc")
    analysis = opener.analyze(network)
    output.show(table_document(analysis, view, caption, label))
    if strict and analysis.unknown_work:
        remark(*lower_bounds([analysis]))
        return 1
    return 0
