"""A line on a terminal that says what a command does, and for how long, while it writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from archcalc.cli._characters import spelled
from archcalc.words import printable

if TYPE_CHECKING:
    from threading import Event, Lock

FIRST = 1.0
"""Seconds before the line appears."""
LONGEST = 76


class _Line:
    """The line, and the thread that writes it every second until the end."""

    def __init__(self, label: str, stream: TextIO) -> None:
        from threading import Event, Lock, Thread
        from time import monotonic

        self.label, self.stream = label, stream
        self.began = monotonic()
        self.shown = 0
        self.is_paused = False
        self.lock: Lock = Lock()
        self.ended: Event = Event()
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        from time import monotonic

        while not self.ended.wait(FIRST):
            with self.lock:
                if not self.is_paused:
                    self._write(f"{printable(self.label)} … {monotonic() - self.began:.0f} s")

    def _write(self, text: str) -> None:
        shown = spelled(text, self.stream.encoding)[:LONGEST]
        self.stream.write(f"\r{shown.ljust(self.shown)}")
        self.stream.flush()
        self.shown = len(shown)

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        with self.lock:
            if self.shown:
                self._write("")
                self.stream.write("\r")
                self.stream.flush()
                self.shown = 0

    def end(self) -> None:
        """Take the line away for good."""
        self.ended.set()
        self.thread.join()
        self.clear()


_line: _Line | None = None


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Say on a terminal what is done if it takes over a second; inside another, it is said instead."""
    global _line
    if _line is not None:
        before, _line.label = _line.label, label
        try:
            yield
        finally:
            _line.label = before
        return
    if not sys.stderr.isatty():
        yield
        return
    _line = _Line(label, sys.stderr)  # what is done may replace the stream
    try:
        yield
    finally:
        line, _line = _line, None
        line.end()


def clear_waiting() -> None:
    """Take the line away, before something else is written."""
    if _line is not None:
        _line.clear()


@contextmanager
def without_waiting() -> Iterator[None]:
    """Show no such line: something else shows the progress, or waits for the user."""
    if _line is None:
        yield
        return
    before, _line.is_paused = _line.is_paused, True
    _line.clear()
    try:
        yield
    finally:
        if _line is not None:
            _line.is_paused = before
