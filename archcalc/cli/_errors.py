"""Errors of the command line's own."""

from __future__ import annotations


class MissingExtra(Exception):
    """A command needs a package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}, which is not installed: pip install 'archcalc[{extra}]'")
