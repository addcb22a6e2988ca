"""Texts on a terminal: how wide they are, cut, padded and wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=4096)
def cells_wide(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def fit(text: str, width: int) -> str:
    """Return the text, or its two ends with `…` between them."""
    if cells_wide(text) <= width:
        return text
    head = (width - 1) // 2
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :]


def pad(text: str, width: int, right: bool) -> str:
    """Return the text with spaces up to a width."""
    spaces = " " * (width - cells_wide(text))
    return spaces + text if right else text + spaces


def wrap(text: str, width: int) -> list[str]:
    """Return words in lines of at most that width; a longer word has its own line."""
    lines = [""]
    for word in text.split():
        if lines[-1] and cells_wide(lines[-1]) + 1 + cells_wide(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def column_widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column: that of its longest cell, or of the longest word of its heading."""
    return [
        max(
            max((cells_wide(word) for word in heading.split()), default=0),
            max((cells_wide(row[index]) for row in rows), default=0),
        )
        for index, heading in enumerate(headings)
    ]


def heading_lines(headings: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Return headings over columns of these widths, in as many lines as they take; a short one is in the last."""
    wrapped = [wrap(text, width) for text, width in zip(headings, widths, strict=True)]
    height = max(map(len, wrapped), default=0)
    return [
        [lines[index - height] if len(lines) >= height - index else "" for lines in wrapped] for index in range(height)
    ]
