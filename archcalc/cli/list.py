"""`archcalc list`: the bundled networks."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._completion import NetworkParam
from archcalc.cli._formats import Output, document_options


@click.command(
    cls=Command, topic="look", short_help="List the bundled networks.", example="archcalc list resnet --sort params"
)
@click.argument("pattern", type=NetworkParam(), default="")
@click.option(
    "--sort",
    "order",
    type=click.Choice(["family", "name", "year", "params", "macs"]),
    default="family",
    show_default=True,
    help="Order of the list; by family, each family has a section.",
)
@document_options()
def command(output: Output, pattern: str, order: str) -> None:
    """List the bundled networks: name, input, parameters, multiply-adds and title; json has the source too.

    PATTERN is part of a name or of a family, or a pattern such as "resnet*_v2". Without it, all are listed.
    """
    from archcalc.render.catalogue import catalogue, catalogue_document

    output.show(catalogue_document(catalogue(pattern), order))
