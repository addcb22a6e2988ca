"""`archcalc operators`: the reference of all operators."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._documents import show
from archcalc.cli._formats import document_options


@click.command(cls=Command, example="archcalc operators conv max_pool")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@document_options()
def command(names: tuple[str, ...], format_: str, output: str | None) -> None:
    """List the operators that a spec may use, with their arguments and defaults."""
    from archcalc.render.reference import reference_document

    show(reference_document(names), format_, output)
