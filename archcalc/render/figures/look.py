"""The colors of figures: light, dark, for color-blind readers, and print, which needs gray ink only."""

from __future__ import annotations

from archcalc.errors import UserError
from archcalc.render.drawing.colors import DARK, FILLS, GRAYS, LIGHT, OKABE_ITO, PALE, PALE_OKABE_ITO, mix, tinted
from archcalc.structs import Struct

TEXT = 7.0
"""Size of every label, in points."""
SMALL = 6.2
"""Size of the least important labels: no text is smaller on a page."""


class Look(Struct):
    """The colors of a figure, one for each role."""

    paper: str
    ink: str
    line: str
    faint: str
    """Brackets, and outlines that only help."""
    skip: str
    """Arrows around layers."""
    kernel: str
    """Windows, and arrows to smaller maps."""
    growth: str
    """Arrows to larger maps."""
    fills: dict[str, str]
    """Category of an operator to its fill."""
    stages: tuple[str, ...]
    """Fills of stages, in turn."""

    def fill(self, category: str) -> str:
        """Return the fill of a category."""
        return self.fills.get(category, self.fills["other"])


_PASTELS = ("#d9cfee", "#cfe6c6", "#f9dcb8", "#c6def2", "#f5cdd2", "#f2ecb4", "#cdebe7")
_GRAYS = {**GRAYS, "other": "#e6e6e6"}
_GRAY_STAGES = ("#ffffff", "#d9d9d9", "#f2f2f2", "#c4c4c4")
LOOKS = {
    "light": Look(
        LIGHT.paper, LIGHT.ink, "#4a4f57", "#8a929c", "#3b6ea8", "#b3261e", "#1b7f4d", PALE, _PASTELS
    ),
    "dark": Look(
        DARK.paper, DARK.ink, "#b9c2cc", "#6c7682", "#8ab8f0", "#ff8a80", "#7fd1a0", tinted(FILLS, DARK.paper, 0.55),
        tuple(mix(color, DARK.paper, 0.64) for color in _PASTELS),
    ),
    "print": Look("#ffffff", "#000000", "#000000", "#6b6b6b", "#000000", "#000000", "#6b6b6b", _GRAYS, _GRAY_STAGES),
    "color-blind": Look(
        LIGHT.paper, LIGHT.ink, "#4a4f57", "#8a929c", OKABE_ITO["recurrent"], OKABE_ITO["attention"],
        OKABE_ITO["normalization"],
        PALE_OKABE_ITO,
        tuple(mix(OKABE_ITO[name], "#ffffff", 0.55) for name in (
            "convolution", "pooling", "normalization", "linear", "merge", "attention", "recurrent"
        )),
    ),
}  # fmt: skip


class Page(Struct):
    """The room of a figure, in points; a figure is laid out at 1 / ``scale`` of its size."""

    width: float
    height: float
    scale: float = 1.0


MARGIN = 57.0
"""2 cm on every side of a sheet of paper."""
PAGES = {
    "a4": Page(595 - 2 * MARGIN, 842 - 2 * MARGIN),
    "letter": Page(612 - 2 * MARGIN, 792 - 2 * MARGIN),
    "16:9": Page(456, 246, 2.0),
}
"""Text on paper is 7 pt; on a slide of 960 × 540 pt it is twice that."""
UNITS = {"mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0, "pt": 1.0}
LEAST, MOST = 100.0, 15_000.0


def open_page(text: str) -> Page:
    """Return the room that `--page` names: a4, letter, 16:9, or WIDTHxHEIGHT in mm, or with cm, in or pt."""
    if text in PAGES:
        return PAGES[text]
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    sides = text[: len(text) - len(unit)].replace("×", "x").split("x")
    try:
        width, height = (float(side) * UNITS[unit or "mm"] for side in sides)
    except ValueError:
        width = height = 0.0
    if not (LEAST <= width <= MOST and LEAST <= height <= MOST):
        raise UserError(
            "--page takes a4, letter, 16:9, or WIDTHxHEIGHT such as 85x120mm or 7x9in, each side 100 to 15,000 pt"
        )
    return Page(width, height)
