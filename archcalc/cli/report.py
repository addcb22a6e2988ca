"""`archcalc report`: everything about a network on one page."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import file_option
from archcalc.cli._options import counting_options, file_name, network_options, open_network
from archcalc.cli._streams import write


@click.command(cls=Command, example="archcalc report resnet50 -o resnet50.html")
@click.argument("network")
@network_options
@counting_options
@file_option("-o", "--output", formats=["html"], help="Where to; - for the terminal. [NETWORK.html]")
def command(
    network: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    batch: int,
    dtype: str,
    convention: str,
    output: str | None,
) -> None:
    """Write all about NETWORK as one HTML page: table, drawing, costs, receptive fields, memory over time, its spec.

    Everything is inside the file: opening it needs no network.
    """
    from archcalc.analysis import analyze
    from archcalc.render.report.page import report

    opened = open_network(network, settings, inputs)
    page = report(analyze(opened, batch=batch, dtype=dtype, convention=convention))
    # As bytes: the page says itself that it is in UTF-8.
    write(page.encode(), output or f"{file_name(opened.name)}.html")
