"""`archcalc report`: all results about a network on one page."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import file_option
from archcalc.cli._options import CountingOpener, counting_options, file_name, network_options
from archcalc.cli._streams import write


@click.command(
    cls=Command,
    topic="look",
    short_help="Write everything about a network as one HTML page.",
    example="archcalc report resnet50 -o resnet50.html",
)
@click.argument("network")
@network_options
@counting_options
@file_option("-o", "--output", formats=["html"], help="Write to FILE, or - for the terminal. [NETWORK.html]")
def command(network: str, opener: CountingOpener, output: str | None) -> None:
    """Write a report on NETWORK as one HTML page: table, drawing, costs, receptive fields, memory over time, its spec.

    The file needs no internet connection.
    """
    from archcalc.render.report.page import report

    analysis = opener.analyze(network)
    # As bytes: the page says itself that it is in UTF-8.
    write(report(analysis).encode(), output or f"{file_name(analysis.network.name)}.html")
