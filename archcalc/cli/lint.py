"""`archcalc lint`: check specs."""

from __future__ import annotations

from pathlib import Path

import click

from archcalc.cli import Command
from archcalc.cli._streams import remark, write


@click.command(cls=Command, example="archcalc lint my.yaml specs/*.yaml")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...]) -> None:
    """Check specs, each with all its variants, and print every mistake with its place.

    Exits 1 if there is one.
    """
    from archcalc.spec.lint import lint

    mistakes = 0
    for file in files:
        found = lint(Path(file))
        mistakes += len(found)
        write("".join(f"{mistake}\n" for mistake in found), None)
    if mistakes:
        remark(f"{mistakes} mistake{'s' if mistakes > 1 else ''}")
        context.exit(1)
    remark(f"{len(files)} spec{'s' if len(files) > 1 else ''} without mistakes")
