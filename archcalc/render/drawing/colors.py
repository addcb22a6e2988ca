"""Colors of a drawing: a fill for every category of operator, a scale for costs, light and dark surroundings.

The fills grow lighter from one to the next, so that they differ in grey too, and were searched for the largest
smallest distance (OKLab) to each other as seen with normal vision, protanopia, deuteranopia and tritanopia. Text on
them is dark.
"""

from __future__ import annotations

from dataclasses import dataclass

FILLS = {
    "recurrent": "#ae6109",
    "linear": "#957ee7",
    "convolution": "#4ab0ab",
    "pooling": "#d59f01",
    "normalization": "#a5bf80",
    "attention": "#e89efe",
    "activation": "#92ddc0",
    "merge": "#edd954",
    "regularization": "#68fcfe",
    "shape": "#d6ffa8",
}
"""Category of an operator to the fill of its nodes."""
OTHER = "#e8eaed"
"""Fill of whole groups, and of a category without a color."""
ON_FILL = "#000000"
ON_DARK_FILL = "#ffffff"

HEAT = ("#fff7ec", "#fdd49e", "#fc8d59", "#d7301f", "#7f0000")
"""Colors from no cost to the largest, each darker than the last: OrRd of ColorBrewer (Harrower and Brewer, 2003)."""


@dataclass(frozen=True)
class Surroundings:
    """Colors of everything but nodes, one for each role."""

    paper: str
    ink: str
    """Titles and labels."""
    line: str
    """Edges and outlines of nodes."""
    faint: str
    """Outlines of clusters."""


LIGHT = Surroundings(paper="#ffffff", ink="#24292f", line="#57606a", faint="#afb8c1")
DARK = Surroundings(paper="#15181d", ink="#e6edf3", line="#9aa4af", faint="#4d5661")
THEMES = {"light": LIGHT, "dark": DARK}

DARK_RULES = "".join(
    f'[fill="{getattr(LIGHT, role)}"]{{fill:{getattr(DARK, role)}}}'
    f'[stroke="{getattr(LIGHT, role)}"]{{stroke:{getattr(DARK, role)}}}'
    for role in ("ink", "line", "faint")
)
"""A style that makes a light drawing dark: the light color of each role becomes its dark one."""
DARK_STYLE = (
    f"svg{{background:{LIGHT.paper}}}@media(prefers-color-scheme:dark){{svg{{background:{DARK.paper}}}{DARK_RULES}}}"
)
"""Style of an SVG that is dark where its reader wants that."""


def heat(part: float) -> str:
    """Return the color of a cost, given as its share (0 to 1) of the largest."""
    place = min(max(part, 0.0), 1.0) * (len(HEAT) - 1)
    index = min(int(place), len(HEAT) - 2)
    low, high = channels(HEAT[index]), channels(HEAT[index + 1])
    mixed = (round(a + (b - a) * (place - index)) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def channels(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: str) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in channels(color))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, other: str) -> float:
    """Return the contrast ratio, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(first), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(fill: str) -> str:
    """Return dark or light, whichever reads better on a fill."""
    return max((ON_FILL, ON_DARK_FILL), key=lambda color: contrast(color, fill))
