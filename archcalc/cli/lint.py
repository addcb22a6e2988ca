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
    """Check specs, each with all its variants, and print every mistake and warning with its place.

    Exits 1 if there is a mistake; a warning is of something that is allowed, and probably not meant.
    """
    from archcalc.language.lint import lint

    mistakes = warnings = 0
    for file in files:
        found = lint(Path(file))
        warnings += sum(one.is_warning for one in found)
        mistakes += sum(not one.is_warning for one in found)
        write("".join(f"{one}\n" for one in found), None)
    warned = [_counted(warnings, "warning")] if warnings else []
    if mistakes:
        remark(", ".join([_counted(mistakes, "mistake"), *warned]))
        context.exit(1)
    remark(", ".join([f"{_counted(len(files), 'spec')} without mistakes", *warned]))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
