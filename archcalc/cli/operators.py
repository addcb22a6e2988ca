"""`archcalc operators`: the reference of all operators."""

from __future__ import annotations

import click

from archcalc.cli import Command
from archcalc.cli._formats import result_options
from archcalc.cli._streams import write


@click.command(cls=Command, example="archcalc operators conv max_pool")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@result_options("text", "markdown", what="Format of the list")
def command(names: tuple[str, ...], format_: str, output: str | None) -> None:
    """Show what operators a spec may use, with their arguments and defaults."""
    from archcalc.render.reference import reference_markdown, reference_text

    write(reference_markdown(names) if format_ == "markdown" else reference_text(names), output)
