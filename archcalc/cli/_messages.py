"""The look of messages: their color on a terminal, and the words for a command line that click refuses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TextIO

import click

from archcalc.words import help_line, nearest, printable, quote

_PARTS = re.compile(
    r"^(?:(?P<place>\S+:\d+:\d+): )?"
    r"(?:(?P<error>error(?:\[\w+\])?)|(?P<warning>warning(?:\[\w+\])?)|(?P<help>help|note))(?=:)"
    r"|(?<=\| )(?P<mark> *\^~*)$",
    re.MULTILINE,
)
_COLORS = {"place": "white", "error": "red", "warning": "yellow", "help": "cyan", "mark": "red"}


def colored(text: str, stream: TextIO) -> str:
    """Return messages in color if the stream is a terminal and NO_COLOR is not set."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return _PARTS.sub(_colored, text)


def _colored(found: re.Match[str]) -> str:
    styled = [click.style(part, fg=_COLORS[name], bold=True) for name, part in found.groupdict().items() if part]
    return ": ".join(styled)


def refusal(error: click.ClickException) -> str:
    """Return the message for a command line that click refuses: what, and how to fix it."""
    context = getattr(error, "ctx", None)
    page = f"{context.command_path} --help" if context is not None else "archcalc --help"
    hint = help_line(f"see {page}")
    if isinstance(error, click.NoSuchOption):
        known = [word for each in context.command.get_params(context) for word in each.opts] if context else []
        statement, hint = f"unknown option '{error.option_name}'", _meant(error.option_name, known) or hint
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.get_error_hint(context) if context is not None else error.param.name
        statement = f"missing {error.param.param_type_name} {name}"
        example = getattr(context.command, "example", "") if context is not None else ""
        hint = help_line(f"for example: {example}") if example else hint
    elif isinstance(error, click.BadParameter) and error.param is not None:
        option = (
            " or ".join(error.param.opts) if isinstance(error.param, click.Option) else error.param.human_readable_name
        )
        statement = f"{option}: {_lowered(error.message).replace('valid integer range', 'valid integer')}"
        hint = "" if "\nhelp: " in statement else hint
    else:
        statement = _lowered(error.format_message())
        if "extra argument" in statement:
            hint = help_line(f"quote a name that has spaces; see {page}")
        hint = "" if "\nhelp: " in statement else hint
    code = "A002" if re.match(r"(--?[\w-]+: )?unknown ", statement) else "A201"
    return f"error[{code}]: {printable(statement, keep=chr(10))}{printable(hint, keep=chr(10))}"


def _meant(option: str, known: Iterable[str]) -> str:
    """Return a help line with the nearest option; its dashes make nothing alike."""
    names = {word.lstrip("-"): word for word in known}
    guess = nearest(option.lstrip("-"), names)
    return help_line(f"did you mean {quote(names[guess])}?") if guess else ""


def _lowered(message: str) -> str:
    """Return a message of click's in our style: lower case, and no final period."""
    return (message[:1].lower() + message[1:]).rstrip(".")
