"""A long strip, such as a graph, cut into pieces that are side by side on a page.

A cut runs where only edges and outlines of clusters pass. An edge that is cut has the same letter at both ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from string import ascii_uppercase

from archcalc.render.drawing.curves import Point, on_curves
from archcalc.render.figures.scene import Path, Scene, TextLine, extent
from archcalc.structs import Struct, replace

MOST_PIECES = 12
BETWEEN, MARGIN = 26.0, 16.0
"""Between two pieces, and room for letters at a cut."""
LETTER = 8.0
CLUSTER_WORTH = 3.0
"""Cutting a cluster is as bad as cutting this many edges."""
STRETCH = (0.72, 1.12)
"""Lengths of a piece, in parts of equal lengths."""


class _Item(Struct):
    shape: Path | TextLine
    start: float
    end: float

    @property
    def divides(self) -> bool:
        """True if it may be cut."""
        return isinstance(self.shape, Path) and self.shape.role in ("edge", "cluster")


class Strip:
    """A scene that is read along one axis: 1 downwards, 0 to the right."""

    def __init__(self, scene: Scene, heading: Scene, axis: int) -> None:
        self.scene = scene
        self.heading = heading
        self.axis = axis
        self.items = [self._item(item) for item in scene.items]
        self.start = min(item.start for item in self.items)
        self.end = max(item.end for item in self.items)

    def _item(self, shape: Path | TextLine) -> _Item:
        along = [point[self.axis] for point in extent(shape, self.scene.font)]
        return _Item(shape, min(along), max(along))

    def wraps(self) -> Iterator[Scene]:
        """Yield it whole, then in two pieces, in three, and so on."""
        yield self._wrapped([])
        places = self._places()
        for count in range(2, MOST_PIECES + 1):
            cuts = self._cuts(places, count)
            if cuts:
                yield self._wrapped(cuts)

    def _places(self) -> list[tuple[float, float]]:
        """Return where it may be cut, in order, and what each cut costs."""
        taken = sorted((item.start, item.end) for item in self.items if not item.divides)
        places, end = [], taken[0][1]
        for start, next_end in taken[1:]:
            if start - end > 4:
                place = (start + end) / 2
                cut = [item for item in self.items if item.divides and item.start < place < item.end]
                clusters = len([item for item in cut if isinstance(item.shape, Path) and item.shape.role == "cluster"])
                places.append((place, len(cut) + (CLUSTER_WORTH - 1) * clusters))
            end = max(end, next_end)
        return places

    def _cuts(self, places: Sequence[tuple[float, float]], count: int) -> list[float]:
        """Return the cheapest cuts into pieces of about equal length; none if there is no place for one."""
        length = (self.end - self.start) / count
        cuts: list[float] = []
        start = self.start
        while self.end - start > STRETCH[1] * length:
            low, high = (start + part * length for part in STRETCH)
            here = places[bisect_left(places, (low, 0.0)) : bisect_left(places, (high, 0.0))]
            if not here:
                return []
            cuts.append(min(here, key=lambda place: (place[1], -place[0]))[0])
            start = cuts[-1]
        return cuts

    def _wrapped(self, cuts: list[float]) -> Scene:
        result = Scene(self.scene.font, self.scene.paper, self.scene.title)
        letters = self._letters(cuts)
        left, top, _, bottom = self.heading.bounds()
        result.add(self.heading, -left, -top)
        below = bottom - top + BETWEEN / 2
        place = 0.0 if self.axis else below
        for begin, end in zip([self.start, *cuts], [*cuts, self.end], strict=True):
            piece = self._piece(begin, end, letters)
            left, top, right, bottom = piece.bounds()
            if self.axis:
                result.add(piece, place - left, below - top)
                place += right - left + BETWEEN
            else:
                result.add(piece, -left, place - top)
                place += bottom - top + BETWEEN
        return result

    def _letters(self, cuts: list[float]) -> dict[tuple[int, float], str]:
        """Return the letter of each edge at each cut."""
        letters: dict[tuple[int, float], str] = {}
        for cut in cuts:
            for index, item in enumerate(self.items):
                if isinstance(item.shape, Path) and item.shape.role == "edge" and item.start < cut < item.end:
                    number, turn = len(letters) % 26, len(letters) // 26
                    letters[index, cut] = ascii_uppercase[number] + (str(turn + 1) if turn else "")
        return letters

    def _piece(self, begin: float, end: float, letters: dict[tuple[int, float], str]) -> Scene:
        piece = Scene(self.scene.font)
        marks: list[tuple[float, Point, str, str]] = []
        for index, item in enumerate(self.items):
            shape = item.shape
            if item.end <= begin or item.start >= end:
                continue
            if item.start >= begin and item.end <= end:
                piece.items.append(shape)
            elif isinstance(shape, Path) and shape.role == "cluster":
                piece.items += self._outline(shape, item, begin, end)
            elif isinstance(shape, Path):
                for part in self._within(on_curves(shape.points), begin, end):
                    piece.items.append(replace(shape, points=tuple(part), curved=False))
                    marks += [
                        (cut, point, letters[index, cut], shape.stroke)
                        for point in (part[0], part[-1])
                        for cut in (begin, end)
                        if (index, cut) in letters and abs(point[self.axis] - cut) < 0.01
                    ]
        for cut in (begin, end):
            self._mark(piece, [mark for mark in marks if mark[0] == cut], outward=-1 if cut == begin else 1)
        return piece

    def _within(self, points: Sequence[Point], begin: float, end: float) -> list[list[Point]]:
        """Return the parts of a line between two cuts."""
        parts: list[list[Point]] = []
        for first, last in pairwise(points):
            low, high = first[self.axis], last[self.axis]
            ends = sorted((0.0, 1.0, *((cut - low) / (high - low) for cut in (begin, end) if low != high)))
            inside = [
                part for part in ends if 0 <= part <= 1 and begin - 0.001 <= low + part * (high - low) <= end + 0.001
            ]
            if len(inside) < 2 or inside[0] == inside[-1]:
                continue
            start, stop = (
                (first[0] + part * (last[0] - first[0]), first[1] + part * (last[1] - first[1]))
                for part in (inside[0], inside[-1])
            )
            if parts and parts[-1][-1] == start:
                parts[-1].append(stop)
            else:
                parts.append([start, stop])
        return parts

    def _outline(self, shape: Path, item: _Item, begin: float, end: float) -> list[Path]:
        """Return the outline of a cluster, open where it is cut."""
        across = [point[1 - self.axis] for point in shape.points]
        near, far = min(across), max(across)
        first, last = max(begin, item.start), min(end, item.end)
        if item.start >= begin:
            lines = [[(near, last), (near, first), (far, first), (far, last)]]
        elif item.end <= end:
            lines = [[(near, first), (near, last), (far, last), (far, first)]]
        else:
            lines = [[(near, first), (near, last)], [(far, first), (far, last)]]
        return [
            replace(
                shape,
                points=tuple(line if self.axis else [(y, x) for x, y in line]),
                closed=False,
                curved=False,
                fill="",
            )
            for line in lines
        ]

    def _mark(self, piece: Scene, marks: list[tuple[float, Point, str, str]], outward: int) -> None:
        """Add the letters of the edges at a cut, in a second row where there is no room in the first."""
        last, level = float("-inf"), 0
        for _, point, letter, stroke in sorted(marks, key=lambda mark: mark[1][1 - self.axis]):
            across = point[1 - self.axis]
            level = (level + 1) % 3 if across - last < 13 else 0
            last = across
            along = point[self.axis] + outward * (5.5 + 12 * level)
            x, y = (across, along) if self.axis else (along, across)
            if level:
                piece.line((point, (x, y)), stroke, width=0.6)
            wide = max(10.0, piece.measure(letter, LETTER) + 3)
            piece.box(x - wide / 2, y - 5.5, wide, 11, self.scene.paper or "#ffffff", stroke, "mark")
            piece.text(x, y + 2.9, letter, LETTER, stroke)
