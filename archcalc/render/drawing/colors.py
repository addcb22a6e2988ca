"""Colors of a drawing: a fill for every category of operator, a scale for costs, light and dark surroundings.

The fills grow lighter from one to the next, so that they differ in grey too, and were searched for the largest
smallest distance (OKLab) to each other as seen with normal vision, protanopia, deuteranopia and tritanopia. Text on
them is dark.
"""

from __future__ import annotations

from collections.abc import Mapping

from archcalc.structs import Struct

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
OKABE_ITO = {
    "convolution": "#56b4e9",
    "pooling": "#e69f00",
    "linear": "#cc79a7",
    "attention": "#d55e00",
    "recurrent": "#0072b2",
    "normalization": "#009e73",
    "merge": "#f0e442",
    "activation": "#ffffff",
    "regularization": "#bdbdbd",
    "shape": "#dddddd",
}
"""Fills of the theme for color-blind readers: Okabe and Ito, Color Universal Design, 2008. The rest is gray."""
GRAYS = {
    "convolution": "#ffffff",
    "pooling": "#bdbdbd",
    "linear": "#dedede",
    "normalization": "#ededed",
    "activation": "#cfcfcf",
    "merge": "#f7f7f7",
    "attention": "#d4d4d4",
    "recurrent": "#c8c8c8",
}
OTHER = "#e8eaed"
"""Fill of whole groups, and of a category without a color."""
ON_FILL = "#000000"
ON_DARK_FILL = "#ffffff"


def mix(color: str, other: str, part: float) -> str:
    """Return a color with a ``part`` (0 to 1) of another."""
    pairs = zip(channels(color), channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def channels(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def tinted(fills: Mapping[str, str], paper: str, part: float) -> dict[str, str]:
    """Return fills, each with a ``part`` (0 to 1) of the paper's color; of other categories too."""
    return {name: mix(fill, paper, part) for name, fill in {**fills, "other": OTHER}.items()}


PALE = tinted(FILLS, "#ffffff", 0.35)
"""Fills of the light theme: black text is easy to read on all."""
PALE_OKABE_ITO = tinted(OKABE_ITO, "#ffffff", 0.25)

HEAT = ("#fff7ec", "#fdd49e", "#fc8d59", "#d7301f", "#7f0000")
"""Colors from no cost to the largest, each darker than the last: OrRd of ColorBrewer (Harrower and Brewer, 2003)."""
TINTS = {"depthwise": ("#ffffff", 0.6), "grouped": ("#ffffff", 0.3), "dilated": ("#000000", 0.3)}
"""What is mixed with the fill of convolutions for those of a kind, and how much of it."""
GRAY_TINTS = {"depthwise": ("#000000", 0.1), "grouped": ("#000000", 0.2), "dilated": ("#000000", 0.3)}
GRAY_HEAT = ("#ffffff", "#5a5a5a")


class Surroundings(Struct):
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
BLACK = Surroundings(paper="#ffffff", ink="#000000", line="#000000", faint="#6b6b6b")


class Theme(Struct):
    """All colors of a drawing."""

    surroundings: Surroundings
    fills: dict[str, str]
    """Category of an operator to its fill."""
    heat: tuple[str, ...] = HEAT
    """Colors from no cost to the largest."""
    tints: Mapping[str, tuple[str, float]] = TINTS
    """What is mixed with the fill of a kind of convolution, and how much of it."""

    def fill(self, category: str) -> str:
        return self.fills.get(category, OTHER)


THEMES = {
    "light": Theme(LIGHT, PALE),
    "dark": Theme(DARK, FILLS),
    "print": Theme(BLACK, GRAYS, GRAY_HEAT, GRAY_TINTS),
    "color-blind": Theme(LIGHT, PALE_OKABE_ITO),
}
"""What `--theme` may name."""

DARK_RULES = (
    "".join(
        f'[fill="{getattr(LIGHT, role)}"]{{fill:{getattr(DARK, role)}}}'
        f'[stroke="{getattr(LIGHT, role)}"]{{stroke:{getattr(DARK, role)}}}'
        for role in ("ink", "line", "faint")
    )
    + f".clear{{fill:{DARK.paper}}}"
)
"""A style that makes a light drawing dark: the light color of each role becomes its dark one."""
DARK_STYLE = (
    f"svg{{background:{LIGHT.paper}}}@media(prefers-color-scheme:dark){{svg{{background:{DARK.paper}}}{DARK_RULES}}}"
)
"""Style of an SVG that is dark where its reader wants that."""


def heat(part: float, scale: tuple[str, ...] = HEAT) -> str:
    """Return the color of a cost, given as its share (0 to 1) of the largest."""
    place = min(max(part, 0.0), 1.0) * (len(scale) - 1)
    index = min(int(place), len(scale) - 2)
    return mix(scale[index], scale[index + 1], place - index)


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
