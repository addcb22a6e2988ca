"""A scene as SVG: plain attributes that Inkscape, Figma and browsers agree on; text stays text."""

from __future__ import annotations

from html import escape
from itertools import groupby

from archcalc.render.figures.scene import Path, Scene, TextLine
from archcalc.words import printable


def to_svg(scene: Scene) -> str:
    """Return the scene as an SVG document of its real size."""
    width, height = number(scene.width), number(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}" '
        f'font-family="{escape(scene.font.family)}">\n<title>{escape(printable(scene.title))}</title>\n'
    )
    paper = f'<rect width="{width}" height="{height}" fill="{scene.paper}"/>\n' if scene.paper else ""
    return head + paper + items_svg(scene.items) + "\n</svg>\n"


def items_svg(items: list[Path | TextLine]) -> str:
    """Return shapes and texts as elements of SVG, those of a layer in a group."""
    return "\n".join(_group(layer, list(group)) for layer, group in groupby(items, key=lambda item: item.of))


def _group(layer: str, items: list[Path | TextLine]) -> str:
    """Return shapes and texts; those of a layer in a group, which the live page lets the reader choose."""
    inside = "\n".join(map(_item, items))
    return f'<g class="node" data-layer="{escape(printable(layer))}">\n{inside}\n</g>' if layer else inside


def number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _item(item: Path | TextLine) -> str:
    if isinstance(item, TextLine):
        x, y = number(item.x), number(item.y)
        turn = f' transform="rotate({number(-item.angle)} {x} {y})"' if item.angle else ""
        weight = ' font-weight="bold"' if item.bold else ""
        return (
            f'<text x="{x}" y="{y}" font-size="{number(item.size)}" fill="{item.color}" '
            f'text-anchor="{item.anchor}"{weight}{turn}>{escape(printable(item.text))}</text>'
        )
    points = [f"{number(x)} {number(y)}" for x, y in item.points]
    join = " C " if item.curved else " L "
    first, rest = points[0], (" " if item.curved else " L ").join(points[1:])
    data = f"M {first}{join}{rest}" + (" Z" if item.closed else "")
    look = f'fill="{item.fill or "none"}"'
    if item.stroke:
        look += f' stroke="{item.stroke}" stroke-width="{number(item.width)}" stroke-linejoin="round"'
    if item.dashed:
        look += ' stroke-dasharray="2 1.6"'
    return f'<path d="{data}" {look}/>'
