"""`archcalc help`: the help of a command, or of the code of a message."""

from __future__ import annotations

import re

import click

from archcalc.cli import Command, cli
from archcalc.cli._streams import write
from archcalc.words import help_line, quote


@click.command(
    cls=Command, topic="look", short_help="Show the help of a command or of a code.", example="archcalc help table"
)
@click.argument("words", nargs=-1, metavar="[COMMAND|CODE]")
def command(words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, as `archcalc COMMAND --help` does; without it, the list of commands.

    CODE is that of a message, such as A002; `archcalc help all` lists the codes.
    """
    if len(words) == 1 and (words[0] == "all" or re.fullmatch(r"[aA]\d{1,3}", words[0])):
        from archcalc.cli._codes import explained

        write(explained(words[0]), None)
        return
    context = click.Context(cli, info_name="archcalc", **cli.context_settings)
    if words:
        _refuse_operator(context, words[0])
        name, found, _ = cli.resolve_command(context, list(words))
        assert found is not None
        context = click.Context(found, info_name=name, parent=context)
    write(f"{context.command.get_help(context)}\n", None)


def _refuse_operator(context: click.Context, word: str) -> None:
    """Raise an error for an operator's name, ours or another framework's: another command explains it."""
    from archcalc.language.synonyms import operators_called

    called = operators_called(word) if word not in cli.list_commands(context) else []
    if called:
        help_ = help_line(f"for an operator: archcalc operators {' '.join(called)}")
        raise click.UsageError(f"unknown command {quote(word)}{help_}")
