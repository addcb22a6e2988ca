"""The words of messages: what was probably meant, what a user wrote, and text that is safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """The word that was probably meant, if any is close enough."""
    # Only now: difflib is of no use to a spec without mistakes.
    from difflib import get_close_matches

    by_lower = {option.lower(): option for option in possible}
    close = get_close_matches(word.lower()[:80], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """`; did you mean X?`, or the list of what is possible if it is short."""
    possible = sorted(set(possible))
    guess = nearest(word, possible)
    if guess is not None:
        return f"; did you mean {guess}?"
    if 0 < len(possible) <= 12:
        return f"; possible: {', '.join(possible)}"
    return ""


def quote(text: str) -> str:
    """A word of the user's in a message: in quotes, and cut if it is long."""
    return f"'{text if len(text) <= 60 else text[:57] + '…'}'"


_HARMLESS = "\t"


def printable(text: str, keep: str = "") -> str:
    """The text with everything that could steer a terminal (escapes, direction marks) spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one
        if one in keep or (unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029")
        else " "
        if one in _HARMLESS
        else f"\\x{ord(one):02x}"
        if ord(one) < 256
        else f"\\u{ord(one):04x}"
        for one in text
    )
