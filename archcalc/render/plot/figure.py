"""A figure of matplotlib without a display, and its bytes in any format."""

from __future__ import annotations

import io
from typing import Any

from archcalc.render.drawing.colors import LIGHT, Surroundings, mix
from archcalc.requirements import need
from archcalc.words import printable

FORMATS = ("svg", "png", "pdf")
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#777777", "#B8A500")
"""Colors for the color-blind: Okabe and Ito, Color Universal Design, 2008; its black and yellow toned down."""
THIN = 0.6
"""Width of axes and their ticks in points, as of the outlines in figures of networks."""
FONTS: Any = {"svg.hashsalt": "archcalc", "svg.fonttype": "none", "pdf.fonttype": 42}
"""Text stays text in SVG; PDF has TrueType fonts, because publishers refuse those of type 3."""
OUTLINES = ("-", "--", ":")
PAGE = 6.68
"""The width of an A4 page without margins of 2 cm, in inches."""
TITLE, AXIS, SMALL = 8.5, 8.0, 7.0
"""Sizes of texts in points: of titles, of axes, and of the rest."""
SMALLEST = 6.2
DPI = 216
INK, LINE = LIGHT.ink, LIGHT.line


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure of a size in inches, as it is meant to be printed.

    Raises `MissingExtra` if matplotlib is not installed.
    """
    need("matplotlib", "plot")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=DPI)


def save(figure: Any, format: str, surroundings: Surroundings = LIGHT) -> bytes:
    """Return the figure in one of `FORMATS`, in the colors of what is around it.

    The same figure gives the same bytes.
    """
    import matplotlib

    stream = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[format]
    for axes in figure.axes:
        _style(axes)
    if surroundings is not LIGHT:
        _recolor(figure, surroundings)
    with matplotlib.rc_context(FONTS):
        figure.savefig(stream, format=format, metadata=metadata)
    return stream.getvalue()


def _style(axes: Any) -> None:
    """Give axes the look of figures of networks: thin lines, no frame, and text of one ink and two sizes."""
    axes.tick_params(width=THIN, length=2.5, color=LINE, labelcolor=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=AXIS, color=INK)
        axis.offsetText.set(fontsize=SMALL, color=INK)
        for text in axis.get_ticklabels(which="both"):
            text.set_fontsize(min(text.get_fontsize(), SMALL))
    axes.title.set(fontsize=TITLE, color=INK)
    for side, spine in axes.spines.items():
        spine.set(linewidth=THIN, color=LINE)
        if side in ("top", "right"):
            spine.set_visible(False)


def _recolor(figure: Any, surroundings: Surroundings) -> None:
    """Give ink, lines and paper other colors; what is colored stays as it is."""
    from matplotlib.colors import to_hex, to_rgba

    new = {
        "#000000": surroundings.ink,
        LIGHT.ink: surroundings.ink,
        LIGHT.line: surroundings.line,
        LIGHT.paper: surroundings.paper,
    }
    for axes in figure.axes:
        axes.tick_params(color=surroundings.line, labelcolor=surroundings.ink)
    for artist in figure.findobj():
        for name in ("color", "facecolor", "edgecolor"):
            if not (hasattr(artist, f"get_{name}") and hasattr(artist, f"set_{name}")):
                continue
            color = getattr(artist, f"get_{name}")()
            try:
                changed = new.get(to_hex(color)) if to_rgba(color)[3] else None
            except ValueError:  # an array of colors
                continue
            if changed:
                getattr(artist, f"set_{name}")(changed)


def pale(color: str) -> str:
    """Return a color for areas, as the fills of networks' figures are."""
    return mix(color, "#ffffff", 0.25)


def label(text: str) -> str:
    """Return a text that matplotlib shows as it is: `$` would begin a formula."""
    return printable(text).replace("$", r"\$")
