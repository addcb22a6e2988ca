"""`archcalc list`: every bundled network."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import result_options
from archcalc.cli._streams import write

FORMATS = {"text": "catalogue_text", "markdown": "catalogue_markdown", "json": "catalogue_json"}


@click.command(cls=Command, example="archcalc list --format json")
@result_options(*FORMATS, what="Format of the list")
def command(format_: str, output: str | None) -> None:
    """List every bundled network: name, title, year, input, parameters and multiply-adds; json has the source too."""
    from archcalc.render import catalogue

    write(getattr(catalogue, FORMATS[format_])(catalogue.catalogue()), output)
