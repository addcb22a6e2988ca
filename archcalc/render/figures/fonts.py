"""The font of figures, and the widths of texts in it.

Bitstream Vera comes with reportlab. It is at least as wide as the fonts that an SVG falls back to, so what fits here
fits there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import quote

FALLBACKS = "DejaVu Sans, Bitstream Vera Sans, Helvetica, Arial, sans-serif"
ASCENT, DESCENT = 0.76, 0.24
"""Height above and below the baseline, for a size of 1."""


class Font(Struct):
    """A TrueType font, regular and bold, and how an SVG names it."""

    regular: str
    bold: str
    family: str

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Return the width of a text in points."""
        return float(_face(self.bold if bold else self.regular).stringWidth(text, size))

    def missing(self, text: str) -> str:
        """Return the characters of a text that the font lacks."""
        known = _face(self.regular).face.charToGlyph
        return "".join(sorted({character for character in text if ord(character) not in known}))


VERA = Font("Vera.ttf", "VeraBd.ttf", FALLBACKS)


def open_font(file: str | None) -> Font:
    """Return the font of a TrueType file; without one, `VERA`. Raises `UserError` for a file that is none."""
    if file is None:
        return VERA
    try:
        family = _face(file).face.familyName
    except Exception as error:  # reportlab raises its own, struct's and Python's for a broken file
        raise UserError(f"cannot use {quote(Path(file).name)} as a font: give a TrueType file (.ttf)") from error
    name = family.decode("utf-8", "replace") if isinstance(family, bytes) else str(family)
    return Font(file, file, f"{name}, {FALLBACKS}")


@cache
def _face(file: str) -> Any:
    from reportlab.pdfbase.ttfonts import TTFont

    return TTFont(Path(file).stem, file)
