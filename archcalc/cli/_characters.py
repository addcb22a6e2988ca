"""Substitutes for characters that the output's encoding lacks."""

from __future__ import annotations

import re
import unicodedata

STAND_INS = {
    **dict.fromkeys("−–—─‐", "-"),
    **dict.fromkeys("│", "|"),
    **dict.fromkeys("└", "+"),
    **dict.fromkeys("▁▂", "_"),
    **dict.fromkeys("▃▄▅", "-"),
    **dict.fromkeys("▆▇", "="),
    **dict.fromkeys("′’‘ʼ", "'"),
    **dict.fromkeys("“”", '"'),
    "█": "#",
    "×": "x",
    "·": "*",
    "÷": "/",
    "…": "...",
    "→": "->",
    "≠": "!=",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "√": "sqrt ",
    "½": "1/2",
    "⌊": "floor(",
    "⌈": "ceil(",
    "⌋": ")",
    "⌉": ")",
    "µ": "u",
    "№": "No.",
    "ᵀ": "^T",
    "α": "alpha",
    "β": "beta",
    "Φ": "Phi",
}
"""Letters with accents are not here: they lose them, as `á` becomes `a`."""
_EXPONENT = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_SEPARATOR = re.compile(r"(?<![^ \n])·(?![^ \n])")
"""A dot between spaces separates; any other multiplies."""


def spelled(text: str, encoding: str | None) -> str:
    """Return the text with substitutes for what an encoding lacks: `5 − 2` in ASCII is `5 - 2`.

    A character without a substitute is written by its number, as `\\u4e2d`. None is an encoding that has every
    character.
    """
    if encoding is None or text.isascii():
        return text
    lacking = {character for character in set(text) if not _has(encoding, character)}
    if not lacking:
        return text
    text = _EXPONENT.sub(lambda found: _exponent(found.group(), lacking), text)
    if "·" in lacking:
        text = _SEPARATOR.sub("-", text)
    return text.translate({ord(character): _stand_in(character) for character in lacking})


def _exponent(digits: str, lacking: set[str]) -> str:
    """Replace all of a number's digits, or none: `10¹⁰` in Latin-1, which has `¹`, is `10^10`."""
    return digits if lacking.isdisjoint(digits) else f"^{digits.translate(_DIGITS)}"


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _stand_in(character: str) -> str:
    known = STAND_INS.get(character) or "".join(filter(str.isascii, unicodedata.normalize("NFKD", character)))
    code = ord(character)
    return known or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
