"""`archcalc rf`: receptive fields, and the region that a unit sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archcalc.cli import Command
from archcalc.cli._formats import DRAWINGS, Output, document_options, file_option, write_drawing
from archcalc.cli._options import Opener, depth_option, network_options
from archcalc.errors import SpecError
from archcalc.structs import replace
from archcalc.words import is_digits, quote

if TYPE_CHECKING:
    from archcalc.network import Layer
    from archcalc.render.receptive_report import Report

RUNS = 10
"""Initializations over which an effective field is measured."""


@click.command(
    cls=Command,
    topic="explain",
    short_help="Show the receptive field of every layer.",
    example="archcalc rf googlenet inception5b.concat1 --unit 3,3 --draw box.svg",
)
@click.argument("network")
@click.argument("layer", required=False)
@network_options
@click.option("--unit", metavar="Y,X", help="A unit of LAYER's output, counted from 0. [the middle one]")
@depth_option("Show only the last layer of groups deeper than N names.")
@click.option("--effective", is_flag=True, help="Measure how strongly a unit depends on each position. Needs torch.")
@file_option("--draw", formats=DRAWINGS, help="Draw the regions on the input: an svg, png or pdf file.")
@document_options()
def command(
    network: str,
    layer: str | None,
    opener: Opener,
    unit: str | None,
    depth: int | None,
    effective: bool,
    draw: str | None,
    output: Output,
) -> None:
    """Show the receptive field of every layer of NETWORK: size, stride, padding, center, and whether it is aligned.

    With LAYER, show the exact region of the input that one of its units sees: unclipped, with padding, and clipped to
    the input, holes included. `--effective` measures how strongly, at initialization: its spread beside the region.
    `--draw` needs matplotlib: pip install 'archcalc[plot]'.
    """
    from archcalc.receptive.regions import RegionTracer
    from archcalc.render.receptive import fields_document
    from archcalc.render.receptive_report import Report

    if unit is not None and layer is None:
        raise click.UsageError("--unit needs a layer: archcalc rf NETWORK LAYER --unit Y,X")
    opened = opener.open(network)
    tracer = RegionTracer(opened)
    if layer is None:
        report = Report(opened, tracer, _last_of_groups(opened.layers, depth))
    else:
        chosen = tracer.middle(layer) if unit is None else _unit(unit)
        report = Report(opened, tracer, (opened[layer],), chosen)
    if effective:
        report = _measured(report)
    if draw is not None:
        write_drawing(_figure(report), draw)
    output.show(fields_document(report))


def _last_of_groups(layers: tuple[Layer, ...], depth: int | None) -> tuple[Layer, ...]:
    """Return the last layer of each group of names of this depth, in order; all layers without a depth."""
    if depth is None:
        return layers
    last = {tuple(layer.name.split(".")[:depth]): layer for layer in layers}
    return tuple(layer for layer in layers if last[tuple(layer.name.split(".")[:depth])] is layer)


def _measured(report: Report) -> Report:
    """Return the report with the effective field of its unit."""
    from archcalc.requirements import need_torch

    if report.unit is None:
        raise click.UsageError("--effective needs a layer: archcalc rf NETWORK LAYER --effective")
    need_torch()
    from archcalc.runtime.effective import effective_field

    return replace(report, effective=effective_field(report.network, report.layers[0].name, report.unit, RUNS))


def _figure(report: Report) -> Any:
    from archcalc.render.plot.boxes import draw_boxes, nested
    from archcalc.render.plot.effective import draw_effective

    if report.effective is not None:
        [layer] = report.layers
        title = f"{report.network.name}, {layer.name} {report.unit}"
        return draw_effective(title, report.boxes(layer)[0], report.effective)
    chosen = report.unit
    units = nested(report.network, report.tracer) if chosen is None else [(report.layers[0].name, chosen)]
    return draw_boxes(report.network, report.tracer, units)


def _unit(text: str) -> tuple[int, ...]:
    """Read a position: INTEGER {"," INTEGER}, one for each spatial dimension."""
    parts = [part.strip() for part in text.split(",")]
    if not all(is_digits(part) for part in parts):
        raise SpecError(f"--unit takes Y,X, integers from 0, got {quote(text)}")
    return tuple(map(int, parts))
