"""The words of messages: how to fix what they say, what a user wrote, and text that is safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """Return the possible word that is most like this one; None if none is close enough."""
    # Imported only now: a spec without errors does not need difflib.
    from difflib import get_close_matches

    by_lower = {option.lower(): option for option in possible}
    close = get_close_matches(word.lower()[:80], by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def is_slip(word: str, meant: str) -> bool:
    """Return True if a word is so like another one that it is that one, misspelt."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, word.lower()[:80], meant.lower()).ratio() >= 0.75


def as_written(word: str, possible: Iterable[str], others: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the possible word that is meant: case and separators do not count, and ``others`` are other names of it.

    A word that is none of them is returned as it is. A `-` before it, as in `-macs`, stays.
    """
    if word in possible:
        return word
    if word.startswith("-"):  # the other direction of an order
        return "-" + as_written(word[1:], possible, others)
    known = {**{bare(name): name for name in others}, **{bare(name): name for name in possible}}
    found = known.get(bare(word), word)
    return others.get(found, found)


_SEPARATORS = re.compile(r"(?<![0-9])[^a-z0-9#]+|[^a-z0-9#]+(?![0-9])")
"""What separates words, except between digits: regnet_x_1_6gf is not regnet_x_16gf."""


def bare(word: str) -> str:
    """Return a word in lower case without separators: `ResNet-50` and `resnet 50` are `resnet50`."""
    return re.sub(r"[^a-z0-9#]+", "_", _SEPARATORS.sub("", word.lower()))


def listed(words: str | Iterable[str]) -> tuple[str, ...]:
    """Return the words of a sequence, or of a text with commas: `params,macs`."""
    return tuple(words.split(",") if isinstance(words, str) else words)


def counted(number: int, what: str) -> str:
    """Return `1 spec`, `2 specs`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def is_digits(text: str, most: int = 9) -> bool:
    """Return True if a text is one to ``most`` digits, which `int` reads at once."""
    return text.isascii() and text.isdigit() and len(text) <= most


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


def nearest_or_all(word: str, possible: Iterable[str]) -> str:
    """Return a help line with the nearest possible word, else with all of them in their order."""
    words = [*possible]
    guess = nearest(word, words)
    return help_line(f"use one of: {', '.join(words)}" if guess is None else f"did you mean {quote(guess)}?")


def suggested(message: str) -> tuple[str, str] | None:
    """Return the word that a message quotes last and the word that `did_you_mean` names; None without them."""
    statement, fix = split_help(message)
    meant = fix.removeprefix("did you mean '").removesuffix("'?")
    parts = statement.split("'")
    if len(parts) < 3 or fix != f"did you mean '{meant}'?":
        return None
    return parts[-2], meant


def quote(text: str) -> str:
    """Return a word of the user in quotes, cut if it is long."""
    return f"'{text if len(text) <= 60 else text[:57] + '…'}'"


def printable(text: str, keep: str = "") -> str:
    """Return the text with everything that could steer a terminal (escapes, direction marks) spelled out."""
    if text.isprintable():
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
