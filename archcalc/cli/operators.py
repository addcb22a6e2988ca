"""`archcalc operators`: the reference of all operators."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options


@click.command(
    cls=Command,
    topic="look",
    short_help="List the operators that a spec may use.",
    example="archcalc operators conv max_pool",
)
@click.argument("names", nargs=-1, metavar="[NAME]…")
@document_options()
def command(names: tuple[str, ...], output: Output) -> None:
    """List the operators that a spec may use, with their arguments and defaults."""
    from archcalc.render.reference import reference_document

    output.show(reference_document(names))
