"""`archcalc list`: every bundled network."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._options import format_option, output_option
from archcalc.cli._streams import write

FORMATS = {"text": "catalogue_text", "markdown": "catalogue_markdown", "json": "catalogue_json"}


@click.command(cls=Command, example="archcalc list --format json")
@format_option(*FORMATS, what="Format of the list")
@output_option
def command(format_: str, output: str | None) -> None:
    """List every bundled network: name, title, year, input, parameters and multiply-adds; json has the source too."""
    from archcalc.render import catalogue

    write(getattr(catalogue, FORMATS[format_])(catalogue.catalogue()), output)
