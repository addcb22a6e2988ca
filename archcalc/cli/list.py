"""`archcalc list`: every bundled network."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._documents import show
from archcalc.cli._formats import document_options


@click.command(cls=Command, example="archcalc list --format json")
@document_options()
def command(format_: str, output: str | None) -> None:
    """List every bundled network: name, input, parameters, multiply-adds and title; json has the source too."""
    from archcalc.render.catalogue import catalogue, catalogue_document

    show(catalogue_document(catalogue()), format_, output)
