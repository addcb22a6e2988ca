"""Writing a document: in the format that was chosen, at the width of the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from archcalc.cli._streams import write

if TYPE_CHECKING:
    from archcalc.render.document import Document


def show(document: Document, format: str, output: str | None) -> None:
    """Write a document to a file, or to the terminal, whose width its text fits."""
    from archcalc.render.writers import write_document

    if format != "text":
        write(write_document(document, format), output)
        return
    from archcalc.render.writers import text

    on_terminal = output is None and sys.stdout.isatty()
    write(
        text.write(document, _width(on_terminal), _bold if on_terminal and not os.environ.get("NO_COLOR") else str),
        output,
    )


def _width(on_terminal: bool) -> int | None:
    """Return the width to fit: the terminal's, or COLUMNS; None for a file or a pipe."""
    if on_terminal or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def _bold(text: str) -> str:
    return click.style(text, bold=True)
