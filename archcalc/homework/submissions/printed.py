"""Tables that Keras, torchsummary and torchinfo print, pasted as they are.

A row is a name, a shape in brackets, and numbers. A rule of `=`, `_` or `-` and lines without a shape are no rows, but
`Total params: N` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from archcalc.homework.cells import MOST_CHARACTERS, Cell

_BOX = re.compile("[│┃┆┊║|]")
_TREE = re.compile("[├└─│╰╭ ]*")
_SHAPE = re.compile(r"[\[(](?:None|-1|\?|\d)[\d, None?-]*[\])]")
_LINE = re.compile(r"layer \(type", re.IGNORECASE)
_TOTAL = re.compile(r"total params:\s*([\d,. ]*\d)", re.IGNORECASE)
_HEADING = re.compile(
    r"layer \(type[^)]*\)(?::[^ ]*)?|(?:input|output|kernel) shape|param(?:s| ?#)|mult-adds|trainable|connected to",
    re.IGNORECASE,
)


def is_printed(lines: Sequence[str]) -> bool:
    """Return True if a line is the headings of a printed summary: `Layer (type)  Output Shape  Param #`."""
    return any(_LINE.search(line[:200]) and "output shape" in line[:400].lower() for line in lines[:60])


def printed_rows(lines: Sequence[str]) -> Iterator[list[Cell]]:
    """Yield the headings, then a row for each layer, then the total."""
    headings: list[str] = []
    for line in (line[: 4 * MOST_CHARACTERS] for line in lines):
        if not headings:
            if _LINE.search(line):
                headings = _HEADING.findall(line)
                yield list(map(Cell, headings))
            continue
        total = _TOTAL.search(line)
        if total is not None:
            yield _placed(headings, "total", [], [total[1]])
            continue
        shapes = list(_SHAPE.finditer(line))
        if not shapes:
            continue
        name = _TREE.sub("", _BOX.sub(" ", line[: shapes[0].start()]), count=1).strip()
        after = _BOX.sub(" ", line[shapes[-1].end() :]).split()
        if name:
            yield _placed(headings, name, [shape[0] for shape in shapes], after)


def _placed(headings: Sequence[str], name: str, shapes: Sequence[str], numbers: Sequence[str]) -> list[Cell]:
    """Return a row: the name, the shapes below headings of shapes, the numbers below the others."""
    left_shapes, left_numbers = list(shapes), list(numbers)
    row = [Cell(name)]
    for heading in headings[1:]:
        is_shape = "shape" in heading.lower()
        source = left_shapes if is_shape else left_numbers
        if is_shape and "output" in heading.lower():  # without the other shapes it is the last one
            source = left_shapes[-1:]
        text = source.pop(0) if source else ""
        row.append(Cell("" if text == "--" else text))
    return row
