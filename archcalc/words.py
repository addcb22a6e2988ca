"""Text for messages: suggestions, quotes of the user's words, and text that is safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """Return the possible word that is most like ``word``; None if none is close."""
    # Imported here, because a spec without mistakes does not need it.
    from difflib import get_close_matches

    by_lower = {option.lower(): option for option in possible}
    close = get_close_matches(word.lower()[:80], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, possible: Iterable[str]) -> str:
    """Return `; did you mean X?`, or the list of possible words if it is short, else nothing."""
    possible = sorted(set(possible))
    guess = nearest(word, possible)
    if guess is not None:
        return f"; did you mean {guess}?"
    if 0 < len(possible) <= 12:
        return f"; possible: {', '.join(possible)}"
    return ""


def quote(text: str) -> str:
    """Return the user's words for a message: in quotes, and shortened if they are long."""
    return f"'{text if len(text) <= 60 else text[:57] + '…'}'"


def printable(text: str, keep: str = "") -> str:
    """Return the text with control characters and direction marks escaped, except those in ``keep``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character in keep else _printable(character) for character in text)


def _printable(character: str) -> str:
    if unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029":
        return character
    code = ord(character)
    return " " if character == "\t" else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
