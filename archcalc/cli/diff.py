"""`archcalc diff`: what changed between two networks, or between two commits."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archcalc.cli import Command
from archcalc.cli._formats import Output, document_options
from archcalc.cli._options import CountingOpener, counting_options, network_options
from archcalc.cli._streams import write
from archcalc.errors import SpecError, UserError
from archcalc.words import help_line, quote

if TYPE_CHECKING:
    from archcalc.network import Network

GIT_WORDS = 7
"""What git gives a program of `diff.NAME.command`: path, then file, hash and mode of both sides."""
MISSING = "/dev/null"


@click.command(
    cls=Command,
    topic="explain",
    short_help="Show what changed between two networks or commits.",
    example="archcalc diff main:my.yaml my.yaml --format markdown",
)
@click.argument("networks", nargs=-1, metavar="BEFORE AFTER")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the layers differ.")
@network_options
@counting_options
@document_options()
def command(
    networks: tuple[str, ...],
    exit_code: bool,
    opener: CountingOpener,
    output: Output,
) -> int:
    """Show what changed from BEFORE to AFTER: layers added, removed and changed, and the change of each total.

    Each is a network as for `archcalc table`, or REVISION:FILE for a spec in a commit of git. Layers are matched by
    their names.

    As a driver of `git diff`: git config diff.archcalc.command "archcalc diff", and *.yaml diff=archcalc in
    .gitattributes.
    """
    from archcalc.analysis import analyze
    from archcalc.quantities.difference import difference
    from archcalc.render.difference import difference_document

    if len(networks) == GIT_WORDS:
        path, before, after = networks[0], networks[1], networks[4]
        if MISSING in (before, after):
            write(f"{path}: {'added' if before == MISSING else 'removed'}\n", None)
            return 0
        title = path
    elif len(networks) == 2:
        before, after = networks
        title = f"{before} → {after}"
    else:
        raise click.UsageError(f"expected two networks, got {len(networks)}")
    try:
        found = difference(*(analyze(_open(reference, opener), opener.counting) for reference in (before, after)))
    except UserError as error:
        if len(networks) != GIT_WORDS:
            raise
        write(f"{path}: {error.report()}\n", None)  # git stops at a driver that fails
        return 0
    output.show(difference_document(found, title))
    return 1 if exit_code and found else 0


def _open(reference: str, opener: CountingOpener) -> Network:
    """Return a network, or that of REVISION:FILE."""
    from archcalc.imports.references import parse_source
    from archcalc.language.library import open_document
    from archcalc.language.source import SpecDocument, decode

    revision, colon, path = reference.partition(":")
    if not colon or not path or Path(reference).exists() or parse_source(reference) is not None:
        return opener.open(reference)
    file, _, variant = path.partition("#")
    text = decode(_in_commit(revision, file), reference)
    return opener.of_spec(open_document(SpecDocument(text, f"{revision}:{file}", Path(file))), variant or None)


def _in_commit(revision: str, path: str) -> bytes:
    """Return a file as it is in a commit; a path is relative to the current folder."""
    if revision.startswith("-"):
        raise SpecError(f"expected a commit of git, got {quote(revision)}")
    relative = path if Path(path).is_absolute() else f"./{path}"
    try:
        done = subprocess.run(["git", "show", f"{revision}:{relative}"], capture_output=True, check=False)
    except OSError as error:
        raise SpecError(f"cannot run git: {error.strerror}") from None
    if done.returncode:
        messages = done.stderr.decode(errors="replace").strip().splitlines()
        reason = messages[0].removeprefix("fatal: ") if messages else "git failed"
        fix = "name a file, or run this in a clone" if "not a git repository" in reason else "list commits: git log"
        raise SpecError(f"{quote(f'{revision}:{path}')} is not in git: {reason}{help_line(fix)}")
    return done.stdout
