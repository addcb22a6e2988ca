"""A figure before it is written: shapes and texts, sizes in points, y downwards.

Shapes have what every format can draw alike: filled or stroked paths of lines and cubic curves. Arrowheads are
triangles. Later items cover earlier ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from archcalc.render.drawing.curves import Point, on_curves
from archcalc.render.figures.fonts import ASCENT, DESCENT, VERA, Font
from archcalc.structs import Struct, replace

HEAD = 5.0
"""Length of an arrowhead."""


class Path(Struct):
    """A path through points; with ``curved``, a start and then two control points and an end for each curve."""

    points: tuple[Point, ...]
    fill: str = ""
    stroke: str = ""
    width: float = 0.6
    closed: bool = False
    curved: bool = False
    dashed: bool = False
    role: str = ""
    """What it shows, for tests and for editing: `box`, `arrow`, …"""
    of: str = ""
    """The layer that it shows, if it shows one."""

    def moved(self, x: float, y: float, scale: float) -> Path:
        """Return it scaled about the origin, then moved."""
        points = tuple((px * scale + x, py * scale + y) for px, py in self.points)
        return replace(self, points=points, width=self.width * scale)


class TextLine(Struct):
    """A line of text at a point of its baseline; ``angle`` in degrees, counterclockwise."""

    x: float
    y: float
    text: str
    size: float
    color: str
    bold: bool = False
    anchor: str = "middle"
    """`start`, `middle` or `end`: which part of the text is at the point."""
    angle: float = 0.0
    of: str = ""
    """The layer that it says something about, if it does about one."""

    def moved(self, x: float, y: float, scale: float) -> TextLine:
        """Return it scaled about the origin, then moved."""
        return replace(self, x=self.x * scale + x, y=self.y * scale + y, size=self.size * scale)

    def corners(self, font: Font) -> tuple[Point, ...]:
        """Return the corners of its rectangle."""
        width = font.width(self.text, self.size, self.bold)
        left = {"start": 0.0, "middle": -width / 2, "end": -width}[self.anchor]
        top, bottom = -ASCENT * self.size, DESCENT * self.size
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        return tuple(
            (self.x + x * cosine + y * sine, self.y - x * sine + y * cosine)
            for x, y in ((left, top), (left + width, top), (left + width, bottom), (left, bottom))
        )


@dataclass
class Scene:
    """Shapes and texts in the order in which they are drawn."""

    font: Font = VERA
    paper: str = "#ffffff"
    title: str = ""
    items: list[Path | TextLine] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    @contextmanager
    def showing(self, layer: str) -> Iterator[None]:
        """Note of all that is added meanwhile that it shows a layer."""
        first = len(self.items)
        yield
        self.items[first:] = [replace(item, of=layer) for item in self.items[first:]]

    def polygon(self, points: Iterable[Point], fill: str, stroke: str, role: str = "", width: float = 0.6) -> None:
        """Add a filled polygon."""
        self.items.append(Path(tuple(points), fill, stroke, width, closed=True, role=role))

    def box(self, x: float, y: float, width: float, height: float, fill: str, stroke: str, role: str = "box") -> None:
        """Add a rectangle, given by its upper left corner."""
        corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        self.polygon(corners, fill, stroke, role)

    def line(self, points: Sequence[Point], stroke: str, dashed: bool = False, width: float = 0.8) -> None:
        """Add a line through points."""
        self.items.append(Path(tuple(points), "", stroke, width, dashed=dashed, role="line"))

    def arrow(self, points: Sequence[Point], stroke: str, dashed: bool = False, width: float = 0.8) -> None:
        """Add a line through points that ends in an arrowhead; one of no length is left out."""
        points = _without_repeats(points)
        if len(points) < 2:
            return
        (x, y), (tip_x, tip_y) = points[-2:]
        length = math.hypot(tip_x - x, tip_y - y)
        head = min(HEAD, length)
        dx, dy = (tip_x - x) / length, (tip_y - y) / length
        base = (tip_x - dx * head, tip_y - dy * head)
        self.items.append(Path((*points[:-1], base), "", stroke, width, dashed=dashed, role="arrow"))
        self._head((tip_x, tip_y), (dx, dy), head, stroke)

    def arc(self, start: Point, end: Point, reach: float, stroke: str) -> None:
        """Add a curve at the right of a column, from one point to another below it, that ends in an arrowhead.

        ``reach`` is how far to the right it goes.
        """
        (x, y), (tip_x, tip_y) = start, end
        base = tip_x + HEAD
        control = (4 * (max(x, base) + reach) - x / 2 - base / 2) / 3
        self.curve((start, (control, y), (control, tip_y), (base, tip_y)), stroke)
        self._head(end, (-1.0, 0.0), HEAD, stroke)

    def curve(self, points: Sequence[Point], stroke: str, dashed: bool = False) -> None:
        """Add a cubic curve: a start, two control points and an end."""
        self.items.append(Path(tuple(points), "", stroke, 0.8, curved=True, dashed=dashed, role="arc"))

    def _head(self, tip: Point, direction: Point, length: float, color: str) -> None:
        dx, dy = direction
        x, y = tip[0] - dx * length, tip[1] - dy * length
        half = 0.38 * length
        self.polygon((tip, (x - dy * half, y + dx * half), (x + dy * half, y - dx * half)), color, "", "head")

    def text(self, x: float, y: float, text: str, size: float, color: str, **look: object) -> None:
        """Add a line of text at a point of its baseline; without text, nothing."""
        if text:
            self.items.append(TextLine(x, y, text, size, color, **look))  # type: ignore[arg-type]

    def measure(self, text: str, size: float, bold: bool = False) -> float:
        """Return the width of a text."""
        return self.font.width(text, size, bold)

    def bounds(self) -> tuple[float, float, float, float]:
        """Return the left, upper, right and lower end of everything in it; control points count."""
        points = [point for item in self.items for point in extent(item, self.font)]
        xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
        return min(xs), min(ys), max(xs), max(ys)

    def add(self, other: Scene, x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> None:
        """Add another scene's items, scaled and then moved."""
        self.items += [item.moved(x, y, scale) for item in other.items]

    def turned(self) -> Scene:
        """Return it turned by 90 degrees: what was read downwards is read to the right, and right is up."""
        result = Scene(self.font, self.paper, self.title)
        for item in self.items:
            if isinstance(item, TextLine):
                result.items.append(replace(item, x=item.y, y=-item.x, angle=item.angle + 90))
            else:
                result.items.append(replace(item, points=tuple((y, -x) for x, y in item.points)))
        return result

    def cut(self, margin: float = 6.0, scale: float = 1.0) -> Scene:
        """Return it scaled and moved so that its own edge is ``margin`` from what is in it."""
        left, top, right, bottom = self.bounds()
        result = Scene(self.font, self.paper, self.title)
        result.add(self, margin - left * scale, margin - top * scale, scale)
        result.width, result.height = (right - left) * scale + 2 * margin, (bottom - top) * scale + 2 * margin
        return result


def extent(item: Path | TextLine, font: Font) -> tuple[Point, ...]:
    """Return points around an item: nothing of it is outside their rectangle."""
    if isinstance(item, TextLine):
        return item.corners(font)
    half = item.width / 2 if item.stroke else 0.0
    points = on_curves(item.points) if item.curved else item.points
    return tuple((x + side, y + side) for x, y in points for side in (-half, half))


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    return [point for index, point in enumerate(points) if not index or math.dist(point, points[index - 1]) > 0.01]
