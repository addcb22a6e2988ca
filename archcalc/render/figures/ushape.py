"""The style `volumes` of a network whose maps get smaller and then larger again: a U, as U-Net's authors draw it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.curves import Point
from archcalc.render.drawing.picture import DrawingNode
from archcalc.render.drawing.words import describe
from archcalc.render.figures.look import SMALL, Look, Page
from archcalc.render.figures.rows import Row, Volume
from archcalc.render.figures.scene import Scene
from archcalc.structs import Struct

HEIGHT, WIDTH, LOWEST, THINNEST = 100.0, 20.0, 34.0, 3.0
POWER = 0.35
"""Heights follow this power of a size: the deepest maps keep room for their labels."""
GAP, BELOW = 16.0, 24.0
LEAST_LEVELS = 3
LINE = 10.0
"""Between two side outputs of a level."""
KEY = 16.0
"""Length of an arrow in the legend."""


@dataclass
class _Box:
    volume: Volume
    level: int
    width: float
    height: float
    copied: float = 0.0
    """Width of its part that a skip brings."""
    x: float = 0.0

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def own_middle(self) -> float:
        """The middle of the part that no skip brings, from its left edge."""
        return self.copied + (self.width - self.copied) / 2


class _ArrowStyle(Struct):
    color: str
    width: float
    dashed: bool = False

    def draw(self, scene: Scene, points: Sequence[Point]) -> None:
        scene.arrow(points, self.color, self.dashed, self.width)


def is_u(row: Row) -> bool:
    """True if maps get smaller at least twice, then larger again, with arrows across, and nothing that a U hides.

    That is a side input, an arrow between levels, and a second arrow to a volume that has one.
    """
    if any(head.enters or len(head.places) > 1 for head in row.heads):
        return False
    levels = _levels(row)
    deepest = max(levels)
    across = _across(row, levels)
    between = [(start, end) for start, end, _ in row.skips if levels[start] != levels[end] or (start, end) in across]
    is_shown = between == across and len({end for _, end in across}) == len(across)
    return deepest + 1 >= LEAST_LEVELS and levels[-1] <= deepest - 2 and len(across) >= 2 and is_shown


def _levels(row: Row) -> list[int]:
    """Return how often the maps have been made smaller before each volume."""
    levels = [0]
    for before, after in pairwise(row.volumes):
        old, new = before.tensor.height, after.tensor.height
        down, up = 3 * new <= 2 * old, 2 * new >= 3 * old
        levels.append(levels[-1] + down - (up and levels[-1] > 0))
    return levels


def _across(row: Row, levels: list[int]) -> list[tuple[int, int]]:
    deepest = levels.index(max(levels))
    return [(start, end) for start, end, _ in row.skips if start < deepest < end and levels[start] == levels[end]]


def draw_u(row: Row, look: Look, page: Page, scene: Scene) -> None:
    """Add a U: a level for each size, channels above each box, sizes at its left; copied maps are white."""
    _UDrawing(row, look, scene).draw()


class _UDrawing:
    """The boxes of a U, and what is said about each kind of arrow."""

    def __init__(self, row: Row, look: Look, scene: Scene) -> None:
        self.row, self.look, self.scene = row, look, scene
        levels = _levels(row)
        self.skips = {end: start for start, end in _across(row, levels)}
        self.boxes = self._boxes(levels)
        self.bottoms: list[float] = []
        """The lower end of the boxes of each level."""
        below = 0.0
        for level in range(max(levels) + 1):
            self.bottoms.append(below + max(box.height for box in self.boxes if box.level == level))
            below = self.bottoms[-1] + BELOW
        self.styles = {
            "along": _ArrowStyle(look.line, 0.8),
            "down": _ArrowStyle(look.kernel, 1.4),
            "up": _ArrowStyle(look.growth, 1.4),
            "copy": _ArrowStyle(look.skip, 1.4, dashed=True),
        }
        self.said: dict[str, list[str]] = {}
        """Kinds of arrows to what those in the figure do."""

    def _boxes(self, levels: Sequence[int]) -> list[_Box]:
        """Return the boxes from left to right, each with its size and place."""
        volumes, boxes = self.row.volumes, list[_Box]()
        largest = max(volume.tensor.height for volume in volumes)
        most = max(volume.tensor.channels for volume in volumes)
        for index, (volume, level) in enumerate(zip(volumes, levels, strict=True)):
            # The up-convolution before a concatenation is the colored part of the box that joins it to the copy.
            if index + 1 in self.skips and levels[index] == levels[index + 1] and levels[index - 1] > levels[index]:
                continue
            width = max(THINNEST, WIDTH * math.sqrt(volume.tensor.channels / most))
            height = max(LOWEST, HEIGHT * math.pow(volume.tensor.height / largest, POWER))
            box = _Box(volume, level, width, height)
            if index in self.skips and volume.node.concatenates:
                box.copied = width * volumes[self.skips[index]].tensor.channels / volume.tensor.channels
            if boxes:
                box.x = _place(box, boxes)
            boxes.append(box)
        return boxes

    def draw(self) -> None:
        """Add all to the scene."""
        self._add_copies()
        size: tuple[int, ...] = ()
        for index, box in enumerate(self.boxes):
            last = self.boxes[index - 1] if index else None
            self._add_box(box)
            if last is None or box.volume.maps != size or last.level != box.level:
                size = box.volume.maps
                place = (box.x - 2.2, self.bottoms[box.level])
                self.scene.text(*place, _size(size), SMALL, self.look.ink, anchor="start", angle=90.0)
            if last is not None:
                self._add_arrow(last, box)
        self._add_outputs()
        self._add_legend()

    def _add_copies(self) -> None:
        """Add the arrows across."""
        drawn = {box.volume: box for box in self.boxes}
        for end, start in self.skips.items():
            first, last = drawn[self.row.volumes[start]], drawn[self.row.volumes[end]]
            line = self.bottoms[first.level] - 0.62 * min(first.height, last.height)
            self.styles["copy"].draw(self.scene, ((first.right + 1, line), (last.x - 1, line)))

    def _add_box(self, box: _Box) -> None:
        """Add a box, the part that is copied in white, with its channels above."""
        look, scene, top = self.look, self.scene, self.bottoms[box.level] - box.height
        # Where convolutions are white, a copy would look the same.
        colored = look.fill("convolution") if look.fill("convolution") != look.paper else look.fill("linear")
        fill = look.paper if box.volume.kind == "input" else colored
        with scene.showing(box.volume.node.shown_layer):
            if box.copied:
                scene.box(box.x, top, box.copied, box.height, look.paper, look.line)
            scene.box(box.x + box.copied, top, box.width - box.copied, box.height, fill, look.line)
        scene.text(box.x + box.width / 2, top - 3, str(box.volume.tensor.channels), SMALL, look.ink)

    def _add_arrow(self, last: _Box, box: _Box) -> None:
        """Add the arrow from one box to the next, and note what it does."""
        bottom, before = self.bottoms[box.level], self.bottoms[last.level]
        if box.level == last.level:
            line = bottom - min(box.height, last.height) + 5
            kind, points = "along", ((last.right + 1, line), (box.x - 1, line))
        elif box.level > last.level:
            x = last.x + last.width / 2
            kind, points = "down", ((x, before + 1), (x, bottom - box.height - 10))
        else:
            x = box.x + box.own_middle
            kind, points = "up", ((x, before - last.height - 10), (x, bottom + 1))
        self.styles[kind].draw(self.scene, points)
        words = _does(self.row, box, last)
        if words not in self.said.setdefault(kind, []):
            self.said[kind].append(words)

    def _add_outputs(self) -> None:
        """Add side outputs at the right, each with an arrow from the box that it takes."""
        look, scene = self.look, self.scene
        right = scene.bounds()[2]
        taken: Counter[int] = Counter()
        for head in self.row.heads:
            # A volume that is no box is the colored part of the next one.
            box = next(box for box in self.boxes if self.row.volumes.index(box.volume) >= head.places[0])
            y = self.bottoms[box.level] - 6 - LINE * taken[box.level]
            taken[box.level] += 1
            last = head.volumes[-1]
            with scene.showing(last.node.shown_layer):
                scene.arrow(((box.right + 1, y), (right + 12, y)), look.line, dashed=True)
                words = f"{last.tensor.channels}, {_size(last.maps)}"
                scene.text(right + 15, y + 2.2, words, SMALL, look.ink, anchor="start")

    def _add_legend(self) -> None:
        """Add an arrow of each kind, with what it does."""
        scene = self.scene
        if self.skips:
            copies = ("copy" if self.row.volumes[end].node.concatenates else "added" for end in self.skips)
            self.said["copy"] = list(dict.fromkeys(copies))
        x, y = scene.bounds()[0], self.bottoms[-1] + 18
        for kind, each in self.said.items():
            words = ", ".join(each)
            wide = KEY + 5 + scene.measure(words, SMALL)
            if x + wide > scene.bounds()[2]:
                x, y = scene.bounds()[0], y + 12
            self.styles[kind].draw(scene, ((x, y), (x + KEY, y)))
            scene.text(x + KEY + 4, y + 2.2, words, SMALL, self.look.ink, anchor="start")
            x += wide + 12


def _place(box: _Box, before: Sequence[_Box]) -> float:
    """Return the left edge of a box: below or beside the last one, or above it where there is room."""
    last = before[-1]
    if box.level > last.level:
        return last.x
    if box.level == last.level:
        return last.right + GAP
    free = max((other.right + GAP for other in before if other.level == box.level), default=0.0)
    centered = last.x + (last.width + box.copied - box.width) / 2 - box.copied
    return max(centered, free, last.x + last.width / 2 - box.own_middle)


def _size(maps: tuple[int, ...]) -> str:
    return f"{maps[0]}²" if len(maps) == 2 and maps[0] == maps[1] else shape_text(maps)


def _does(row: Row, box: _Box, last: _Box) -> str:
    """Return what leads to a box, without its number of filters."""
    index = row.volumes.index(box.volume)
    node = row.volumes[index - 1].node if box.copied and row.volumes[index - 1] is not last.volume else box.volume.node
    if not isinstance(node, DrawingNode):
        return node.name
    words = describe(node.main).partition(",")[0]
    kinds = dict.fromkeys(row.layer.op.kind for row in node.layers if row.layer.op.category == "activation")
    return " + ".join([words, *kinds])
