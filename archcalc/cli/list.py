"""`archcalc list`: every bundled network."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options


@click.command(cls=Command, example="archcalc list --format json")
@document_options()
def command(output: Output) -> None:
    """List every bundled network: name, input, parameters, multiply-adds and title; json has the source too."""
    from archcalc.render.catalogue import catalogue, catalogue_document

    output.show(catalogue_document(catalogue()))
