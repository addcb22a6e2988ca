"""`archcalc draw`: the network as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, result_options
from archcalc.cli._options import Overrides, counting_options, depth_option, file_name, network_options

if TYPE_CHECKING:
    from archcalc.analysis import Counting


@click.command(cls=Command, example="archcalc draw resnet50 -o r50.png --depth 2 --heat macs")
@click.argument("network")
@network_options
@counting_options
@depth_option("Draw groups deeper than N names as one box.")
@click.option("--all", "every_layer", is_flag=True, help="Give activations, normalization and dropout their own boxes.")
@click.option(
    "--collapse/--no-collapse",
    "collapsed",
    default=None,
    help="Draw a run of identical blocks as one, marked × N. [in long drawings]",
)
@click.option(
    "--direction", type=click.Choice(["TB", "LR", "BT", "RL"]), default="TB", help="Direction of the data. [TB]"
)
@click.option("--heat", metavar="NAME", help="Color by a quantity, with a legend; `--heat help` lists them.")
@click.option(
    "--theme",
    type=click.Choice(["light", "dark"]),
    default="light",
    help="Background; a light svg turns dark if the reader prefers that. [light]",
)
@result_options(*DRAWINGS, "dot", "mermaid", default_file="NETWORK.svg")
def command(
    network: str,
    overrides: Overrides,
    counting: Counting,
    depth: int | None,
    every_layer: bool,
    collapsed: bool | None,
    direction: str,
    heat: str | None,
    theme: str,
    output: Output,
) -> None:
    """Draw NETWORK: a box for each layer, a cluster for each group, an arrow for each tensor.

    svg and png need no other program. Graphviz's `dot` does the layout if it is installed.
    """
    from archcalc.analysis import analyze
    from archcalc.quantities.table import HEAT, choose
    from archcalc.render.drawing.drawing import DrawingOptions, draw

    if heat == "help":
        output.show_meanings(HEAT)
        return
    if heat is not None:
        choose([heat], HEAT)
    style = DrawingOptions(depth, every_layer, collapsed, direction, heat, theme)
    opened = overrides.open(network)
    content = draw(analyze(opened, counting), output.format, style)
    output.write(content, file_name(opened.name))
