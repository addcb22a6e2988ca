"""The description of a file format."""

from __future__ import annotations

from archcalc.structs import Struct


class Format(Struct):
    """A format that a command can write."""

    name: str
    """Its name in `--format`."""
    suffixes: tuple[str, ...]
    """The suffixes of its files, the usual one first."""
    help: str
    """Its use, in a few words."""
    is_binary: bool = False
    """True if a terminal cannot show it."""
