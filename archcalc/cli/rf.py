"""`archcalc rf`: receptive fields, and the region that a unit sees."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, document_options, file_option, format_of
from archcalc.cli._options import Overrides, network_options
from archcalc.cli._streams import write
from archcalc.errors import SpecError
from archcalc.words import quote


@click.command(cls=Command, example="archcalc rf googlenet inception5b.concat1 --unit 3,3 --draw box.svg")
@click.argument("network")
@click.argument("layer", required=False)
@network_options
@click.option("--unit", metavar="Y,X", help="A unit of LAYER's output, counted from 0. [the middle one]")
@file_option("--draw", formats=DRAWINGS, help="Draw the regions on the input: an svg, png or pdf file.")
@document_options()
def command(
    network: str, layer: str | None, overrides: Overrides, unit: str | None, draw: str | None, output: Output
) -> None:
    """Show the receptive field of every layer of NETWORK: size, stride, padding, center, and whether it is aligned.

    With LAYER, show the exact region of the input that one of its units sees: unclipped, with padding, and clipped to
    the input. `--draw` needs matplotlib: pip install 'archcalc[plot]'.
    """
    from archcalc.receptive.regions import RegionTracer
    from archcalc.render.receptive import Report, fields_document

    if unit is not None and layer is None:
        raise click.UsageError("--unit needs a layer: archcalc rf NETWORK LAYER --unit Y,X")
    opened = overrides.open(network)
    tracer = RegionTracer(opened)
    if layer is None:
        report = Report(opened, tracer, opened.layers)
    else:
        chosen = tracer.middle(layer) if unit is None else _unit(unit)
        report = Report(opened, tracer, (opened[layer],), chosen)
    if draw is not None:
        from archcalc.render.plot.boxes import draw_boxes, nested
        from archcalc.render.plot.figure import save

        kind = format_of(draw, None, DRAWINGS) or "svg"
        units = nested(opened, tracer) if report.unit is None else [(report.layers[0].name, report.unit)]
        write(save(draw_boxes(opened, tracer, units), kind), draw)
    output.show(fields_document(report))


def _unit(text: str) -> tuple[int, ...]:
    """Read a position: INTEGER {"," INTEGER}, one for each spatial dimension."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise SpecError(f"--unit takes Y,X, integers from 0, got {quote(text)}")
    return tuple(map(int, parts))
