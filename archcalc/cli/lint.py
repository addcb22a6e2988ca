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
    """Check specs, each with all its variants, and print every error and warning with its place.

    Exits 1 if there is an error. A warning is about something that is allowed but probably not meant.
    """
    from archcalc.imports.opening import need_spec
    from archcalc.language.lint import lint

    errors = warnings = 0
    for file in files:
        need_spec(file, "lint")
        found = lint(Path(file))
        warnings += sum(diagnostic.is_warning for diagnostic in found)
        errors += sum(not diagnostic.is_warning for diagnostic in found)
        write("".join(f"{diagnostic}\n" for diagnostic in found), None)
    warned = [_counted(warnings, "warning")] if warnings else []
    if errors:
        remark(", ".join([_counted(errors, "error"), *warned]))
        context.exit(1)
    remark(", ".join([f"{_counted(len(files), 'spec')} without errors", *warned]))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
