"""A graph that Graphviz has laid out, as a scene: for PDF with embedded fonts, and for TikZ, without Graphviz's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import dropwhile
from xml.etree import ElementTree

from archcalc.analysis import Analysis
from archcalc.render.drawing.colors import THEMES
from archcalc.render.drawing.curves import Point
from archcalc.render.drawing.drawing import DrawingOptions, draw
from archcalc.render.drawing.picture import group_depths
from archcalc.render.figures.figure import LEAST_TEXT, fit, smallest, write_figure
from archcalc.render.figures.fonts import Font, open_font
from archcalc.render.figures.look import Page, open_page
from archcalc.render.figures.scene import Path, Scene, TextLine
from archcalc.render.figures.strips import Strip

ROUND = 0.5523
"""A quarter of a circle is a cubic curve whose control points are this far from its ends."""
SIDES = 9.0
"""Of a box, left and right of its text together."""
MOST_PART = 0.93
"""Of Graphviz's sizes of text: its lines are for Helvetica, whose letters are lower."""


def draw_graph(
    analysis: Analysis, format: str, options: DrawingOptions, page: str | None = None, font: str | None = None
) -> bytes:
    """Return the drawing of a network's graph, in any format of a figure or of Graphviz.

    Args:
        analysis: the network.
        format: one of `figure.FORMATS`, or dot or mermaid.
        options: what is drawn.
        page: the page that it is wrapped to, as `open_page` takes it; None for one strip of any length.
        font: a TrueType file; None for the font of figures.

    Raises:
        UserError: if it does not fit the page with text of 6 pt, or is too large to be laid out.
    """
    if format in ("dot", "mermaid") or (format == "svg" and page is None and font is None):
        return draw(analysis, format, options)
    if page is None:
        scene, heading = _scenes(analysis, options, font)
        scene.items += heading.items
        return write_figure(scene.cut(), format)
    room = open_page(page)
    return write_figure(fit(on_page(analysis, options, room, font), room, analysis.network.name), format)


def on_page(analysis: Analysis, options: DrawingOptions, page: Page, font: str | None = None) -> Iterator[Scene]:
    """Yield the drawing in one strip and in pieces; then with equal blocks drawn once, and with groups as boxes.

    What has a larger area than the page, with text as small as it may be, is left out.
    """
    axis = 1 if options.direction in ("TB", "BT") else 0
    for each in _ever_shorter(analysis, options):
        graph, heading = _scenes(analysis, each, font)
        left, top, right, bottom = graph.bounds()
        part = LEAST_TEXT / (page.scale * smallest(graph))
        if (right - left) * (bottom - top) * part**2 <= page.width * page.height:
            yield from Strip(graph, heading, axis).wraps()


def _ever_shorter(analysis: Analysis, options: DrawingOptions) -> Iterator[DrawingOptions]:
    yield options
    if options.collapsed is None:
        options = replace(options, collapsed=True)
        yield options
    if options.depth is None:
        yield from (replace(options, depth=depth) for depth in group_depths(analysis))


def _scenes(analysis: Analysis, options: DrawingOptions, font: str | None) -> tuple[Scene, Scene]:
    """Return the graph, and its name with the legend."""
    network, look = analysis.network, THEMES[options.theme].surroundings
    title = network.about.title or network.name
    graph, heading = Scene(open_font(font), look.paper, title), Scene(open_font(font), look.paper, title)
    items = list(_items(ElementTree.fromstring(draw(analysis, "svg", options)), ""))
    for role, item in _fitted(items, graph.font):
        (heading if role == "graph" else graph).items.append(item)
    return graph, heading


def _items(element: ElementTree.Element, role: str) -> Iterator[tuple[str, Path | TextLine]]:
    """Yield the shapes and texts of an SVG by Graphviz, each with what it is of; links and titles are left out."""
    kind = element.tag.rpartition("}")[2]
    if kind == "text":
        yield role, _text(element)
    elif kind in ("polygon", "polyline", "path", "ellipse") and not _is_invisible(element):
        points, curved = _points(element, kind)
        fill, stroke = (_color(element.get(name, "none")) for name in ("fill", "stroke"))
        width = float(element.get("stroke-width", "1")) * 0.8
        dashed = "stroke-dasharray" in element.attrib
        own = "head" if role == "edge" and kind == "polygon" else role
        yield role, Path(points, fill, stroke, width, kind in ("polygon", "ellipse"), curved, dashed, role=own)
    # Before the title, Graphviz draws the page, which the scene has itself.
    children = (
        dropwhile(lambda child: not child.tag.endswith("}text"), element)
        if element.get("class") == "graph"
        else element
    )
    for child in children:
        yield from _items(child, element.get("class", "") or role)


def _is_invisible(element: ElementTree.Element) -> bool:
    nothing = ("none", "transparent")
    return element.get("class") != "clear" and element.get("stroke") in nothing and element.get("fill") in nothing


def _color(color: str) -> str:
    return {"none": "", "transparent": "", "black": "#000000", "white": "#ffffff"}.get(color, color)


def _points(element: ElementTree.Element, kind: str) -> tuple[tuple[Point, ...], bool]:
    if kind == "ellipse":
        x, y, rx, ry = (float(element.get(name, "0")) for name in ("cx", "cy", "rx", "ry"))
        kx, ky = ROUND * rx, ROUND * ry
        quarters = ((1, 0), (1, ky / ry), (kx / rx, 1), (0, 1), (-kx / rx, 1), (-1, ky / ry), (-1, 0))
        lower = tuple((x + rx * a, y + ry * b) for a, b in quarters)
        return (*lower, *((x + rx * a, y - ry * b) for a, b in reversed(quarters[:-1]))), True
    text = element.get("d" if kind == "path" else "points", "")
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), kind == "path" and "C" in text


def _text(element: ElementTree.Element) -> TextLine:
    # The figure's font has no arrow.
    text = "".join(element.itertext()).replace(" → ", ": ")
    size, bold = float(element.get("font-size", "10")), element.get("font-weight") == "bold"
    x, y = float(element.get("x", "0")), float(element.get("y", "0"))
    return TextLine(x, y, text, size, element.get("fill", "#000000"), bold, element.get("text-anchor", "start"))


def _fitted(items: list[tuple[str, Path | TextLine]], font: Font) -> Iterator[tuple[str, Path | TextLine]]:
    """Yield items with all texts smaller by one factor, so that those in boxes have room: Graphviz measures Helvetica.

    A title is no wider than Graphviz has made room for.
    """
    from reportlab.pdfbase.pdfmetrics import stringWidth

    part, outline = MOST_PART, 0.0
    for _, item in items:
        if isinstance(item, Path):
            across = [x for x, _ in item.points]
            outline = max(across) - min(across)
        elif item.anchor == "middle" and len(item.text.strip()) > 1:
            part = min(part, max(outline - SIDES, 1) / font.width(item.text.strip(), item.size, item.bold))
    for role, item in items:
        if isinstance(item, TextLine):
            smaller = part
            if role == "cluster":
                room = stringWidth(item.text, "Helvetica", item.size)
                smaller = min(part, room / max(font.width(item.text, item.size, item.bold), 0.01))
            item = replace(item, text=item.text.strip(), size=item.size * smaller)
        yield role, item
