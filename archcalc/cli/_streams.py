"""Write results and status messages to the terminal, a pipe or a file."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from archcalc.cli._characters import spelled
from archcalc.cli._messages import colored
from archcalc.cli._waiting import clear_waiting, without_waiting

T = TypeVar("T")


def prepare() -> None:
    """Prepare standard output and standard error, however archcalc was started.

    A closed stream (`>&-`) is replaced, because the next file that is opened would get its number. Characters that the
    encoding lacks are escaped in whatever `write` and `remark` do not print.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def write(result: str | bytes, output: str | None) -> None:
    """Write the result to the terminal, or to a file, which appears whole or not at all."""
    if output is not None and output != "-":
        write_file(result, output)
        remark(f"wrote {output}")
        return
    clear_waiting()
    try:
        if isinstance(result, str):
            sys.stdout.write(spelled(result, sys.stdout.encoding))
        else:
            sys.stdout.buffer.write(result)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe (`archcalc table vgg16 | head`).
        drop_output()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def write_file(result: str | bytes, output: str) -> None:
    """Write a file so that it appears whole or not at all."""
    from archcalc.files import whole_file

    with whole_file(Path(output)) as temporary:
        Path(temporary).write_bytes(result.encode(errors="replace") if isinstance(result, str) else result)


def remark(text: str) -> None:
    """Print a status message to standard error. Errors while printing are ignored."""
    clear_waiting()
    try:
        sys.stderr.write(colored(spelled(text, sys.stderr.encoding), sys.stderr) + "\n")
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)


@contextmanager
def progress(length: int, label: str, hidden: bool = False) -> Iterator[Any]:
    """Show a progress bar on a terminal: `bar.update(1)`, `bar.label`; ``hidden`` where it would mix with results."""
    with open(os.devnull, "w") as nowhere, without_waiting():
        stream = sys.stderr if sys.stderr.isatty() and not hidden else nowhere
        with click.progressbar(length=length, label=label, file=stream) as bar:
            yield bar


def until_interrupted(
    length: int, label: str, compute: Callable[[Callable[[str], None]], Iterable[T]]
) -> tuple[list[T], bool]:
    """Collect results with a progress bar; an interrupt ends it, and the finished ones are kept.

    Args:
        length: number of results.
        label: what is done, before anything is announced.
        compute: yields the results; it is given a function that changes the label.

    Returns:
        The results, and True if the user interrupted.
    """
    results: list[T] = []
    with progress(length, label) as bar:

        def announce(name: str) -> None:
            bar.label = name
            bar.render_progress()

        try:
            for result in compute(announce):
                results.append(result)
                bar.update(1)
        except KeyboardInterrupt:
            return results, True
    return results, False


def drop_output() -> None:
    """Discard the buffered output, so that Python reports no error about it when it ends."""
    _to_nowhere(sys.stdout)


def _to_nowhere(stream: TextIO) -> None:
    # A notebook's stream has no number, and holds nothing back.
    with suppress(io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
