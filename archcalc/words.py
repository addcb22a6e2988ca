"""The words of messages: how to fix what they say, what a user wrote, and text that is safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """Return the possible word that is most like this one; None if none is close enough."""
    # Imported only now: a spec without errors does not need difflib.
    from difflib import get_close_matches

    by_lower = {option.lower(): option for option in possible}
    close = get_close_matches(word.lower()[:80], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


_HELP = "\nhelp: "


def help_line(fix: str) -> str:
    """Return the end of a message: a line of its own that says how to fix what the message says."""
    return f"{_HELP}{fix}" if fix else ""


def split_help(message: str) -> tuple[str, str]:
    """Return what a message states, and the fix on its help line; the fix is empty if there is none."""
    statement, _, fix = message.partition(_HELP)
    return statement, fix


def in_one_line(message: str) -> str:
    """Return a message for a cell of a table: its help line follows a semicolon."""
    return message.replace(_HELP, "; ")


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """Return a help line with the nearest possible word, or with all of them if they are few; else nothing."""
    possible = sorted(set(possible))
    guess = nearest(word, possible)
    if guess is not None:
        return help_line(f"did you mean {quote(guess)}?")
    return help_line(f"use one of: {', '.join(possible)}") if 0 < len(possible) <= 12 else ""


def quote(text: str) -> str:
    """Return a word of the user in quotes, cut if it is long."""
    return f"'{text if len(text) <= 60 else text[:57] + '…'}'"


def printable(text: str, keep: str = "") -> str:
    """Return the text with everything that could steer a terminal (escapes, direction marks) spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in keep or (unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029")
        else " "
        if character == "\t"
        else f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\u{ord(character):04x}"
        for character in text
    )
