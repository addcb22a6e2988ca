"""An analysis as a drawing, in any format."""

from __future__ import annotations

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.render.drawing.colors import DARK_STYLE, LIGHT, THEMES
from archcalc.render.drawing.courses import crossings
from archcalc.render.drawing.dot import to_dot
from archcalc.render.drawing.engine import lay_out
from archcalc.render.drawing.mermaid import to_mermaid
from archcalc.render.drawing.paint import Paint, by_category, by_cost
from archcalc.render.drawing.part import PictureOptions, part_of
from archcalc.render.drawing.picture import Picture, compose, group_depths
from archcalc.render.drawing.repetition import collapse
from archcalc.structs import replace

FORMATS = ("svg", "dot", "mermaid")
LONG = 40
"""A drawing with more nodes than this is collapsed by default."""
LONGEST = 250
"""A collapsed drawing with more nodes than this shows its deepest groups as boxes by default."""
MOST_NODES = 4_000
"""More than this no engine lays out in reasonable time, and nobody reads."""
MOST_CROSSINGS = 40_000
"""More than this is not laid out: it would take minutes and gigabytes."""


class DrawingOptions(PictureOptions):
    """The options of a drawing of a network's graph."""

    direction: str = "TB"
    heat: str | None = None
    """The cost that colors nodes, a key of `quantities.table.HEAT`; None: nodes are colored by operator."""


class TooLarge(UserError):
    """A drawing that no engine lays out in reasonable time; the message says what to do instead."""


PLAIN = DrawingOptions()
"""A drawing as it is if nothing is asked for."""


def draw(analysis: Analysis, format: str, style: DrawingOptions = PLAIN) -> bytes:
    """Return the drawing in one of `FORMATS`.

    Raises `TooLarge`, and `ValueError` where no engine can write the format.
    """
    picture = picture_of(analysis, style)
    if format == "mermaid":
        return to_mermaid(picture, _paint(picture, style), style.direction, style.labels).encode()
    if format == "dot":
        return _dot(picture, style).encode()
    if style.theme == "light":
        return _adaptable(lay_out(transparent_dot(picture, style))).encode()
    _check_crossings(picture)
    return lay_out(_dot(picture, style)).encode()


def transparent_dot(picture: Picture, style: DrawingOptions) -> str:
    """Return a light picture's DOT without its background, for a page to lay out. Raises `TooLarge`."""
    _check_crossings(picture)
    return _dot(picture, style).replace(f'bgcolor="{LIGHT.paper}"', "bgcolor=transparent", 1)


def _dot(picture: Picture, style: DrawingOptions) -> str:
    surroundings = THEMES[style.theme].surroundings
    return to_dot(picture, _paint(picture, style), surroundings, style.direction, style.labels)


def _paint(picture: Picture, style: DrawingOptions) -> Paint:
    theme = THEMES[style.theme]
    return by_category(picture, theme) if style.heat is None else by_cost(picture, style.heat, theme)


def _check_crossings(picture: Picture) -> None:
    crossed = crossings(picture)
    if crossed > MOST_CROSSINGS:
        coarser = "try --depth 1, or " if picture.network.groups else ""
        raise TooLarge(
            f"the {len(picture.edges):,} lines of {picture.network.name}'s drawing cross {crossed:,} rows, the most "
            f"that is laid out is {MOST_CROSSINGS:,}: {coarser}"
            "draw --format mermaid or dot"
        )


def picture_of(analysis: Analysis, style: DrawingOptions) -> Picture:
    """Return the picture that the options ask for; by default as much as a person can read.

    A long drawing is collapsed; one that is still too long then goes no deeper than it must. Raises `TooLarge` where
    even so there are more nodes than can be drawn.
    """
    picture = compose(analysis, depth=style.depth, every_layer=style.every_layer)
    collapsed = size(picture) > LONG if style.collapsed is None else style.collapsed
    if collapsed:
        picture = collapse(picture)
        if style.collapsed is None and style.depth is None and size(picture) > LONGEST:
            for depth in group_depths(analysis):
                picture = collapse(compose(analysis, depth=depth, every_layer=style.every_layer))
                if size(picture) <= LONGEST:
                    break
    if size(picture) > MOST_NODES:
        hint = ": try --depth 1" if group_depths(analysis) else ""
        raise TooLarge(f"{analysis.network.name} has {size(picture):,} boxes to draw, the most is {MOST_NODES:,}{hint}")
    shown = part_of(picture, style)
    return replace(shown, root=shown.root.unwrapped())


def size(picture: Picture) -> int:
    """Return the number of nodes in a picture."""
    return sum(1 for _ in picture.root.nodes())


def _adaptable(svg: str) -> str:
    head, tag, rest = svg.partition("<svg ")
    attributes, end, body = rest.partition(">")
    return f"{head}{tag}{attributes}{end}\n<style>{DARK_STYLE}</style>{body}"
