"""Texts of figures: in boxes, stacked, and legends."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.render.drawing.curves import Point
from archcalc.render.figures.look import SMALL, TEXT, Look
from archcalc.render.figures.scene import Scene


def text_box(
    scene: Scene,
    middle: Point,
    width: float,
    texts: Sequence[str],
    pitch: float,
    padding: float,
    fill: str,
    look: Look,
    bold: bool = False,
) -> float:
    """Add a box with lines of text, the first larger; return its height.

    Args:
        scene: what it is added to.
        middle: the middle of its upper side.
        width: its width.
        texts: the lines.
        pitch: from one line to the next.
        padding: above and below the lines together.
        fill: its color.
        look: the other colors.
        bold: True if the first line is bold.
    """
    (x, y), height = middle, pitch * len(texts) + padding
    scene.box(x - width / 2, y, width, height, fill, look.line)
    for index, text in enumerate(texts):
        size = SMALL if index else TEXT
        place = y + padding / 2 + pitch * (index + 0.5) + size * 0.36
        scene.text(x, place, text, size, look.ink, bold=bold and not index)
    return height


def legend(scene: Scene, entries: Sequence[tuple[str, str]], look: Look, x: float, y: float, width: float) -> None:
    """Add fills and their words in rows no wider than ``width``."""
    left = x
    for fill, words in entries:
        wide = 14 + scene.measure(words, SMALL)
        if left > x and left + wide > x + width:
            left, y = x, y + 12
        scene.box(left, y, 8, 8, fill, look.line, "key")
        scene.text(left + 11, y + 6.4, words, SMALL, look.ink, anchor="start")
        left += wide + 10


def stack(scene: Scene, x: float, y: float, texts: Sequence[str], look: Look, bold: int = 0) -> None:
    """Add centered lines of text from ``y`` downwards, the first ``bold`` of them bold."""
    for index, text in enumerate(texts):
        scene.text(
            x, y + TEXT * (0.8 + 1.25 * index), text, TEXT if index < bold else SMALL, look.ink, bold=index < bold
        )
