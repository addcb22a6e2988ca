"""`archcalc draw`: the network as a drawing, or as a figure for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._choices import Chosen
from archcalc.cli._formats import DRAWINGS, Output, result_options
from archcalc.cli._options import (
    CountingOpener,
    counting_options,
    depth_option,
    file_name,
    network_options,
    with_options,
)
from archcalc.errors import UserError

if TYPE_CHECKING:
    from archcalc.analysis import Analysis

FIGURE = ("svg", "png", "pdf", "tikz")
FORMATS = {"graph": (*FIGURE, "dot", "mermaid"), "arithmetic": (*FIGURE, "gif", "apng")}
"""What each style is written as; the others as `FIGURE`."""
ROOM = ("page", "font")
PART = ("labels", "hide", "first", "last", "depth")
OPTIONS = {
    "graph": (*ROOM, *PART, "collapsed", "direction", "heat"),
    "volumes": (*ROOM, *PART, "flat"),
    "paper": (*ROOM, *PART, "collapsed", "orient"),
    "blocks": (*ROOM, *PART),
    "arithmetic": (*ROOM, "numbers", "animate"),
}
"""The options of each style; those of no style go with all."""
WRITTEN = {"first": "--from", "last": "--to", "collapsed": "--collapse"}


def figure_options(function: Any) -> Any:
    """Add the options of figures; the command receives them by name, `first` and `last` for `--from` and `--to`."""
    return with_options(
        function,
        click.option("--to", "last", metavar="NAME", help="End with this layer or group."),
        click.option("--from", "first", metavar="NAME", help="Begin with this layer or group."),
        click.option("--hide", metavar="A,B,…", help="Leave out categories of layers, such as pooling."),
        click.option("--labels", metavar="A,B,…", help="What boxes say: name, op, shape, params, macs, memory, rf."),
        click.option("--orient", type=click.Choice(["down", "right"]), help="How --style paper is read. [down]"),
        click.option("--flat", is_flag=True, default=None, help="Volumes: maps as stacks of flat sheets."),
        click.option("--font", type=click.Path(exists=True, dir_okay=False), help="A TrueType font to use."),
        click.option("--numbers", is_flag=True, default=None, help="Arithmetic: numbers in the cells, and each sum."),
        click.option("--animate", is_flag=True, default=None, help="Arithmetic: a moving svg instead of all frames."),
        click.option("--page", metavar="SIZE", help="Fit a4, letter, 16:9 or WIDTHxHEIGHT (mm). [a4; graph: no page]"),
    )


@click.command(
    cls=Command,
    topic="draw",
    short_help="Draw the layers as a picture.",
    example="archcalc draw resnet34 --style paper -o resnet34.pdf",
)
@click.argument("network")
@network_options
@counting_options
@click.option(
    "--style",
    type=click.Choice(["graph", "volumes", "paper", "blocks", "arithmetic"]),
    default="graph",
    help="How to draw it; arithmetic draws an operator. [graph]",
)
@depth_option("Draw groups deeper than N names as one box.")
@click.option("--all", "every_layer", is_flag=True, help="Give activations, normalization and dropout their own boxes.")
@click.option(
    "--collapse/--no-collapse",
    "collapsed",
    default=None,
    help="Draw a run of identical blocks as one, marked × N. [in long drawings]",
)
@click.option("--direction", type=click.Choice(["TB", "LR", "BT", "RL"]), help="Graph: direction of the data. [TB]")
@click.option("--heat", metavar="NAME", help="Graph: color by a quantity, with a legend; `--heat help` lists them.")
@click.option(
    "--theme",
    type=Chosen(["light", "dark", "print", "color-blind"], {"colour-blind": "color-blind"}),
    default="light",
    help="Colors; a light svg of a graph turns dark if the reader prefers that; print is gray. [light]",
)
@figure_options
@result_options(*DRAWINGS, "tikz", "gif", "apng", "dot", "mermaid", default_file="NETWORK.svg")
def command(
    network: str,
    opener: CountingOpener,
    style: str,
    output: Output,
    **options: Any,
) -> None:
    """Draw NETWORK: as a graph with a box for each layer, or in the style of papers' figures.

    `--style arithmetic` draws an operator instead, such as "conv 3x3 s2 p1", on a map of --input H,W, or on
    C maps of --input C,H,W with groups.

    Figures fit a page with text of at least 6 pt; graphs do with --page. Nothing needs another program; Graphviz's
    `dot` lays out graphs if it is installed.
    """
    _refuse(style, output.format, options)
    if style == "arithmetic":
        output.write(_arithmetic(network, opener, output.format, options), file_name(network))
        return
    analysis = opener.analyze(network)
    content = (_graph if style == "graph" else _figure)(analysis, style, output.format, options)
    output.write(content, file_name(analysis.network.name))


def _refuse(style: str, format: str, options: Any) -> None:
    """Raise an error for a format or an option that a style does not have."""
    formats = FORMATS.get(style, FIGURE)
    if format not in formats:
        raise UserError(f"--style {style} is written as {', '.join(formats)}, not as {format}")
    for name in {name for names in OPTIONS.values() for name in names}.difference(OPTIONS[style]):
        if options[name] is not None:
            raise click.UsageError(f"{WRITTEN.get(name, f'--{name}')} does not go with --style {style}")
    if style == "graph" and format in ("dot", "mermaid") and (options["page"] or options["font"]):
        raise click.UsageError(f"--page and --font do not go with --format {format}")


def _graph(analysis: Analysis, style: str, format: str, options: Any) -> bytes:
    from archcalc.quantities.table import HEAT, choose
    from archcalc.render.drawing.drawing import DrawingOptions
    from archcalc.render.figures.graph import draw_graph

    if options["heat"] is not None:
        choose([options["heat"]], HEAT, "archcalc draw --heat help")
    chosen = DrawingOptions(**_shown(options), direction=options["direction"] or "TB", heat=options["heat"])
    return draw_graph(analysis, format, chosen, options["page"], options["font"])


def _shown(options: Any) -> dict[str, Any]:
    """Return the options of drawings and figures alike."""
    from archcalc.render.drawing.colors import FILLS
    from archcalc.render.drawing.labels import LABELS

    labels = options["labels"]
    return {
        **{name: options[name] for name in ("depth", "every_layer", "collapsed", "theme", "first", "last")},
        "labels": None if labels is None else _names("--labels", labels, LABELS),
        "hide": _names("--hide", options["hide"] or "", tuple(FILLS)),
    }


def _arithmetic(operator: str, opener: CountingOpener, format: str, options: Any) -> bytes:
    from archcalc.render.figures.figure import FigureOptions, arithmetic

    given = opener.given_inputs()
    chosen = FigureOptions(page=options["page"] or "a4", theme=options["theme"], font=options["font"])
    return arithmetic(
        operator, given[0].shape if given else None, bool(options["numbers"]), _moving(format, options), chosen
    )


def _moving(format: str, options: Any) -> str:
    """Return the format of an operator's figure. Raises an error for one that does not move."""
    if options["animate"] and format != "svg":
        raise click.UsageError("--animate is for svg; gif and apng always move")
    return "moving svg" if options["animate"] else format


def _figure(analysis: Analysis, style: str, format: str, options: Any) -> bytes:
    from archcalc.render.figures.figure import FigureOptions, figure, write_figure

    chosen = FigureOptions(
        **_shown(options),
        style=style,
        page=options["page"] or "a4",
        font=options["font"],
        flat=bool(options["flat"]),
        orient=options["orient"] or "down",
    )
    return write_figure(figure(analysis, chosen), format)


def _names(option: str, text: str, possible: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a list with commas. Raises `UserError` for one that is not possible."""
    from archcalc.words import nearest_or_all, quote

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in possible:
            raise UserError(f"{option}: unknown value {quote(name)}{nearest_or_all(name, possible)}")
    return names
