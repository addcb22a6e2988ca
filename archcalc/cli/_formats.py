"""Decide the format of a result, for all commands, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from archcalc.errors import UserError
from archcalc.words import quote

F = TypeVar("F", bound=Callable[..., Any])

SUFFIXES = {
    "text": (".txt",),
    "markdown": (".md", ".markdown"),
    "csv": (".csv",),
    "json": (".json",),
    "latex": (".tex",),
    "html": (".html", ".htm"),
    "xlsx": (".xlsx",),
    "junit": (".xml",),
    "parquet": (".parquet",),
    "svg": (".svg",),
    "png": (".png",),
    "pdf": (".pdf",),
    "dot": (".dot", ".gv"),
    "mermaid": (".mmd",),
    "python": (".py",),
    "torch": (".py",),
    "onnx": (".onnx",),
    "spec": (".yaml", ".yml"),
}
"""Every format that a command writes, with the suffixes of its files, the usual one first."""
DRAWINGS = ("svg", "png", "pdf")
BINARY = frozenset({"xlsx", "parquet", "png", "pdf", "onnx"})
"""Formats that a terminal cannot show."""


def format_of(file: str | None, chosen: str | None, formats: Sequence[str], option: str = "") -> str | None:
    """Return the ``chosen`` format, else that of the file's suffix; None if there is neither.

    Raises `UserError` for a suffix of none of the ``formats``, or of another format than the chosen one.
    """
    suffix = Path(file or "").suffix.lower()
    named = [name for name, suffixes in SUFFIXES.items() if suffix in suffixes]
    if chosen is not None:
        if named and chosen not in named:
            raise UserError(f"{option} {chosen} contradicts {quote(file or '')}, whose name says {named[0]}")
        return chosen
    possible = [name for name in named if name in formats]
    if suffix and not possible:
        known = ", ".join(one for name in formats for one in SUFFIXES[name])
        hint = f", or choose the format with {option}" if option else ""
        raise UserError(f"cannot write {quote(suffix)}; use one of {known}{hint}")
    return possible[0] if possible else None


def file_option(*words: str, formats: Sequence[str], **settings: Any) -> Callable[[F], F]:
    """Add an option that takes a file to write. Its suffix, if it has one, must be that of one of ``formats``."""

    def checked(context: click.Context, parameter: click.Parameter, file: str | None) -> str | None:
        format_of(file, None, formats)
        return file

    return click.option(*words, metavar="FILE", callback=checked, **settings)


def result_options(
    *formats: str, what: str = "Format", default_file: str = "", option: str = "--format", unsaid: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `-o` and `--format`; the command receives `output` and `format_`.

    Args:
        formats: what the command can write; the first is the default.
        what: the subject of the help of `--format`.
        default_file: the file that is written by default; without it, the result goes to the terminal.
        option: the name of `--format` in this command.
        unsaid: the error if neither option says the format; without it, the first format is the default.
    """
    first = "" if unsaid else f", else {formats[0]}"
    where = f"Where to; - for the terminal. [{default_file}]" if default_file else "Write to a file, not the terminal."

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def decided(*args: Any, output: str | None, format_: str | None, **values: Any) -> None:
            chosen = format_of(output, format_, formats, option)
            if chosen is None and unsaid:
                raise click.UsageError(unsaid)
            chosen = chosen or formats[0]
            if chosen in BINARY and output is None and not default_file:
                raise UserError(f"{chosen} needs a file: -o NAME{SUFFIXES[chosen][0]}")
            function(*args, output=output, format_=chosen, **values)

        form = click.option(
            option, "format_", type=click.Choice(formats), help=f"{what}. [as the file is called{first}]"
        )
        return form(click.option("-o", "--output", metavar="FILE", help=where)(decided))

    return decorate
