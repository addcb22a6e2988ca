"""`archcalc lint`: check specs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._choices import OneOf, Several, with_meaning
from archcalc.cli._completion import named
from archcalc.cli._formats import Output, result_options
from archcalc.cli._messages import colored
from archcalc.cli._options import Opener, import_options
from archcalc.cli._streams import remark, write, write_file
from archcalc.cli._waiting import waiting
from archcalc.errors import SpecError, UserError
from archcalc.words import counted, help_line, quote

if TYPE_CHECKING:
    from archcalc.errors import Diagnostic
    from archcalc.language.source import SpecDocument


CODES = Several(named("language.rules", "RULES"), listed=with_meaning("title"))


@click.command(
    cls=Command,
    topic="check",
    short_help="Find errors and probable mistakes in specs.",
    example="archcalc lint my.yaml specs --ignore A109 --fix",
)
@click.argument("files", nargs=-1, metavar="[FILE]…")
@click.option("--select", type=CODES, metavar="CODES", help="Report only these, such as A101 or A1. [all]")
@click.option("--ignore", type=CODES, metavar="CODES", help="Do not report these.")
@click.option("--fix", is_flag=True, help="Correct what has only one correction.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option(
    "--explain",
    type=OneOf(named("cli._codes", "EVERY"), listed=with_meaning("title")),
    metavar="CODE",
    help="Explain a code, as `archcalc help CODE` does; `all` lists them.",
)
@import_options
@result_options("text", "json", "github", "sarif", "junit")
def command(
    files: tuple[str, ...],
    opener: Opener,
    select: str | None,
    ignore: str | None,
    fix: bool,
    strict: bool,
    exit_zero: bool,
    explain: str | None,
    output: Output,
) -> int:
    """Check specs, each with all its variants, and print every error and warning with its place and code.

    FILE is a spec, a folder whose specs are checked, a bundled name, or - for standard input; with --fix, - writes the
    corrected spec.
    Of a network from elsewhere, such as timm:NAME, FILE.onnx or FILE.py:CLASS, the spec that `archcalc import` writes
    is checked; --input is for these.

    Exits 0 if no error is found, 1 if one is, 2 if a file cannot be read or a folder has no spec. A warning is about
    something that is allowed but probably not meant.
    """
    from archcalc.cli._codes import codes_of, explained
    from archcalc.imports.references import parse_source
    from archcalc.language.lint import lint_document
    from archcalc.language.rules import RULES
    from archcalc.render.diagnostics import write_diagnostics

    if explain is not None:
        output.write(explained(explain))
        return 0
    if not files:
        raise click.UsageError("missing argument FILE" + help_line("for example: archcalc lint my.yaml"))
    chosen = set(codes_of(select, RULES) if select else RULES) - set(codes_of(ignore, RULES) if ignore else ())
    found: dict[str, list[Diagnostic]] = {}
    unread: list[UserError] = []
    corrections = 0
    for document in _documents(files, opener, fix, unread):
        if fix:
            document, count = _corrected(document, chosen)
            corrections += count
        with waiting(f"lint {document.file}"):
            found[document.file] = [diagnostic for diagnostic in lint_document(document) if diagnostic.code in chosen]
    for error in unread:
        remark(error.report())
    if unread and not found:
        return UserError.exit_code
    if not (fix and "-" in files):
        text = write_diagnostics(found, output.format)
        output.write(colored(text, sys.stdout) if output.format == "text" and output.file is None else text)
    for file, diagnostics in found.items():
        if diagnostics and parse_source(file) is not None:
            remark(f"these lines are written by: {opener.import_line(file)}")
    every = [diagnostic for diagnostics in found.values() for diagnostic in diagnostics]
    errors = sum(not diagnostic.is_warning for diagnostic in every)
    counts = [counted(errors, "error") if errors else f"{counted(len(found), 'spec')} without errors"]
    counts += [counted(len(every) - errors, "warning")] if len(every) > errors else []
    counts += [counted(corrections, "correction")] if corrections else []
    remark(", ".join(counts))
    fixable = sum(bool(diagnostic.fixes) for diagnostic in every)
    if fixable and not fix:
        remark(f"{fixable} can be corrected with --fix")
    if unread:
        return UserError.exit_code
    return 1 if (errors or (strict and every)) and not exit_zero else 0


def _documents(files: Iterable[str], opener: Opener, fix: bool, unread: list[UserError]) -> Iterator[SpecDocument]:
    """Yield the specs; add to ``unread`` why a file is not among them."""
    for file in files:
        try:
            if file and Path(file).is_dir():
                specs = [*_specs_in(Path(file))]
                if not specs:
                    help_ = help_line("a spec is a file .yaml or .yml that has layers or extends")
                    raise UserError(f"there is no spec in {quote(file)}{help_}")
                yield from specs
            else:
                yield _document(file, opener, fix)
        except UserError as error:
            unread.append(error)


def _document(file: str, opener: Opener, fix: bool) -> SpecDocument:
    """Return the spec of a file, of standard input, or of a network that is bundled or from elsewhere.

    Only the first two can be corrected.
    """
    from archcalc.language.library import STANDARD_INPUT, bundled_file, find, standard_input
    from archcalc.language.source import read_document

    if file == STANDARD_INPUT:
        return standard_input()
    written = opener.written(file)
    if written is not None:
        if fix:
            help_ = help_line(f"write one first: {opener.import_line(file)}")
            raise SpecError(f"--fix needs a spec, and {quote(file)} is imported{help_}")
        return written
    own = None if Path(file).exists() else bundled_file(file)
    if own is not None and fix:
        raise SpecError(f"--fix needs a spec of yours, and {quote(file)} is bundled")
    if own is None and not Path(file).exists() and Path(file).name == file and not Path(file).suffix:
        find(file)  # says which bundled network may be meant
    return read_document(own or Path(file))


def _specs_in(folder: Path) -> Iterator[SpecDocument]:
    """Yield the specs of a folder and those below it, in order: YAML with layers or extends. Hidden ones are not."""
    from archcalc.language.library import SUFFIXES
    from archcalc.language.source import read_document

    for path in sorted(folder.rglob("*")):
        if path.suffix not in SUFFIXES or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            document = read_document(path)
        except SpecError:
            continue
        if any(line.startswith(("layers:", "extends:")) for line in document.lines):
            yield document


def _corrected(document: SpecDocument, chosen: set[str]) -> tuple[SpecDocument, int]:
    """Return a spec with its corrections, which are written to its file, or to the terminal for standard input."""
    from archcalc.language.lint import fixed
    from archcalc.language.source import SpecDocument

    text, count = fixed(document, chosen)
    if document.path is None:
        write(text, None)
    elif count:
        write_file(text, str(document.path))
    return SpecDocument(text, document.file, document.path), count
