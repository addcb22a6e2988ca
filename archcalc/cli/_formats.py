"""The format of a result, decided before anything is computed, and the file or terminal that it goes to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from archcalc.cli._streams import write
from archcalc.errors import UserError
from archcalc.render.format import Format
from archcalc.render.writers import formats as document_formats
from archcalc.structs import Struct
from archcalc.words import help_line, quote

if TYPE_CHECKING:
    from archcalc.render.document import Document

F = TypeVar("F", bound=Callable[..., Any])
Run: TypeAlias = "Callable[..., int | None]"
"""The function of a command, which returns its exit code; None for 0."""

DRAWINGS = ("svg", "png", "pdf")
_OTHERS = (
    Format("svg", (".svg",), "a vector drawing"),
    Format("png", (".png",), "a drawing of pixels", is_binary=True),
    Format("pdf", (".pdf",), "a vector drawing for a paper", is_binary=True),
    Format("gif", (".gif",), "an animation", is_binary=True),
    Format("apng", (".apng",), "an animation", is_binary=True),
    Format("tikz", (".tex",), "a drawing in TikZ, alone or for \\input"),
    Format("dot", (".dot", ".gv"), "a drawing for Graphviz"),
    Format("mermaid", (".mmd",), "a drawing for Markdown pages"),
    Format("junit", (".xml",), "a test report, for continuous integration"),
    Format("sarif", (".sarif",), "what lint finds, for code scanning"),
    Format("github", (), "what lint finds, as annotations of a pull request"),
    Format("parquet", (".parquet",), "a table of plain numbers, compressed", is_binary=True),
    Format("python", (".py",), "functions without dependencies"),
    Format("torch", (".py",), "source of a torch.nn.Module"),
    Format("onnx", (".onnx",), "a model for other tools", is_binary=True),
    Format("moodle", (".xml",), "questions for Moodle"),
    Format("canvas", (".zip",), "a QTI package for Canvas", is_binary=True),
    Format("spec", (".yaml", ".yml"), "a spec, with blocks and loops for what repeats"),
)
FORMATS = {**document_formats(), **{other.name: other for other in _OTHERS}}
"""Every format that a command writes: those of documents, then those that only some commands have."""


def format_of(file: str | None, chosen: str | None, formats: Sequence[str], option: str = "") -> str | None:
    """Return the ``chosen`` format, else that of the file's suffix; None if there is neither.

    Raises `UserError` for a suffix of none of the ``formats``, or of another format than the chosen one.
    """
    suffix = Path(file or "").suffix.lower()
    named = [name for name, known in FORMATS.items() if suffix in known.suffixes]
    if chosen is not None:
        if named and chosen not in named:
            raise UserError(f"{option} {chosen} contradicts {quote(file or '')}, which names the format {named[0]}")
        return chosen
    possible = [name for name in named if name in formats]
    if suffix and not possible:
        usable = ", ".join(known for name in formats for known in FORMATS[name].suffixes)
        other = f", or choose the format with {option}" if option else ""
        raise UserError(f"cannot write {quote(suffix)}{help_line(f'use one of {usable}{other}')}")
    return possible[0] if possible else None


class Output(Struct):
    """Where a command's result goes, and its format."""

    chosen: Format
    file: str | None
    """The file of `-o`; None if it is not given."""

    @property
    def format(self) -> str:
        """The name of the format."""
        return self.chosen.name

    def show(self, document: Document) -> None:
        """Write a document; text fits the width of the terminal."""
        from archcalc.render.writers import text, write_document

        if self.format != "text":
            self.write(write_document(document, self.format))
            return
        on_terminal = self.file is None and sys.stdout.isatty()
        is_bold = on_terminal and not os.environ.get("NO_COLOR")
        self.write(text.write(document, _width(on_terminal), partial(click.style, bold=True) if is_bold else str))

    def write(self, content: str | bytes, name: str = "") -> None:
        """Write a result in its format; ``name`` is that of the default file, without its suffix."""
        write(content, self.file or (name + self.chosen.suffixes[0] if name else None))


def _width(on_terminal: bool) -> int | None:
    """Return the width to fit: the terminal's, or COLUMNS; None for a file or a pipe."""
    if on_terminal or os.environ.get("COLUMNS", "").isdigit():
        from shutil import get_terminal_size

        return get_terminal_size().columns
    return None


def file_option(*words: str, formats: Sequence[str], **settings: Any) -> Callable[[F], F]:
    """Add an option that takes a file to write. Its suffix, if it has one, must be that of one of ``formats``."""

    def checked(context: click.Context, parameter: click.Parameter, file: str | None) -> str | None:
        format_of(file, None, formats)
        if file == "-" and "--output" not in words:
            raise UserError(f"{words[0]} takes the name of a file, got '-': the terminal is for the result")
        return file

    return click.option(*words, metavar="FILE", callback=checked, **settings)


def write_drawing(figure: Any, file: str) -> None:
    """Write a chart to a file, in the format of its suffix; svg without one."""
    from archcalc.render.plot.figure import save

    write(save(figure, format_of(file, None, DRAWINGS) or "svg"), file)


def result_options(
    *formats: str, default_file: str = "", option: str = "--format", unsaid: str = ""
) -> Callable[[Run], Run]:
    """Add `-o` and `--format`; the command receives `output`, an `Output`.

    Args:
        formats: what the command can write; the first is the default.
        default_file: the file that is written by default; without it, the result goes to the terminal.
        option: the name of `--format` in this command.
        unsaid: the error if neither option says the format; without it, the first format is the default.
    """
    first = "" if unsaid else f", else {formats[0]}"
    where = f"Write to FILE, or - for the terminal. [{default_file or '-'}]"

    def decorate(function: Run) -> Run:
        @wraps(function)
        def decided(*args: Any, output: str | None, format_: str | None, **values: Any) -> int | None:
            chosen = format_of(output, format_, formats, option)
            if chosen is None and unsaid:
                raise click.UsageError(unsaid)
            chosen = chosen or formats[0]
            if FORMATS[chosen].is_binary and output is None and not default_file:
                raise UserError(f"{chosen} needs a file: -o NAME{FORMATS[chosen].suffixes[0]}")
            return function(*args, output=Output(FORMATS[chosen], output), **values)

        form = click.option(
            option, "format_", type=click.Choice(formats), help=f"Format of the result. [from FILE's suffix{first}]"
        )
        return form(click.option("-o", "--output", metavar="FILE", help=where)(decided))

    return decorate


def document_options(*others: str, default: str = "text") -> Callable[[Run], Run]:
    """Add `-o` and `--format` to a command that shows a document, with ``others`` beside the formats of documents."""
    return result_options(default, *(name for name in document_formats() if name != default), *others)
