"""The style `volumes` of a network whose maps get smaller and then larger again: a U, as U-Net's authors draw it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from archcalc.render.drawing.picture import DrawingNode
from archcalc.render.drawing.words import describe
from archcalc.render.figures.look import SMALL, Look, Page
from archcalc.render.figures.rows import Row, Volume
from archcalc.render.figures.scene import Point, Scene
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
    x: float = 0.0
    width: float = 0.0
    copied: float = 0.0
    """Width of its part that a skip brings."""


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
    levels = _levels(row)
    boxes = [_Box(volume, level) for volume, level in zip(row.volumes, levels, strict=True)]
    skips = {end: start for start, end in _across(row, levels)}
    largest = max(volume.tensor.height for volume in row.volumes)
    most = max(volume.tensor.channels for volume in row.volumes)

    def across(channels: int) -> float:
        return max(THINNEST, WIDTH * math.sqrt(channels / most))

    def up(volume: Volume) -> float:
        return max(LOWEST, HEIGHT * math.pow(volume.tensor.height / largest, POWER))

    kept: list[_Box] = []
    for at, box in enumerate(boxes):
        # The up-convolution before a concatenation is the colored part of the box that joins it to the copy.
        if at + 1 in skips and levels[at] == levels[at + 1] and levels[at - 1] > levels[at]:
            continue
        box.width = across(box.volume.tensor.channels)
        if at in skips and box.volume.node.concatenates:
            box.copied = box.width * row.volumes[skips[at]].tensor.channels / box.volume.tensor.channels
        if kept:
            last = kept[-1]
            if box.level > last.level:
                box.x = last.x
            elif box.level < last.level:
                box.x = max(last.x + (last.width + box.copied - box.width) / 2 - box.copied, _free(kept, box.level))
                box.x = max(box.x, last.x + last.width / 2 - box.copied - (box.width - box.copied) / 2)
            else:
                box.x = last.x + last.width + GAP
        kept.append(box)
    tops: dict[int, float] = {}
    y = 0.0
    for level in range(max(levels) + 1):
        tall = max(up(box.volume) for box in kept if box.level == level)
        tops[level] = y + tall
        y += tall + BELOW
    styles = {
        "along": _ArrowStyle(look.line, 0.8),
        "down": _ArrowStyle(look.kernel, 1.4),
        "up": _ArrowStyle(look.growth, 1.4),
        "copy": _ArrowStyle(look.skip, 1.4, dashed=True),
    }
    place = {id(box.volume): box for box in kept}
    for start, end in ((start, end) for end, start in skips.items()):
        first, last = place[id(row.volumes[start])], place[id(row.volumes[end])]
        line = tops[first.level] - 0.62 * min(up(first.volume), up(last.volume))
        styles["copy"].draw(scene, ((first.x + first.width + 1, line), (last.x - 1, line)))
    # Where convolutions are white, a copy would not be told apart.
    colored = look.fill("convolution") if look.fill("convolution") != look.paper else look.fill("linear")
    said: dict[str, list[str]] = {}
    size: tuple[int, ...] = ()
    for at, box in enumerate(kept):
        bottom, height = tops[box.level], up(box.volume)
        fill = look.paper if box.volume.kind == "input" else colored
        with scene.showing(box.volume.node.shown_layer):
            if box.copied:
                scene.box(box.x, bottom - height, box.copied, height, look.paper, look.line)
            scene.box(box.x + box.copied, bottom - height, box.width - box.copied, height, fill, look.line)
        middle = box.x + box.width / 2
        scene.text(middle, bottom - height - 3, str(box.volume.tensor.channels), SMALL, look.ink)
        if box.volume.maps != size or not at or kept[at - 1].level != box.level:
            size = box.volume.maps
            scene.text(box.x - 2.2, bottom, _size(size), SMALL, look.ink, anchor="start", angle=90.0)
        if not at:
            continue
        last = kept[at - 1]
        if box.level == last.level:
            line = bottom - min(height, up(last.volume)) + 5
            kind, points = "along", ((last.x + last.width + 1, line), (box.x - 1, line))
        elif box.level > last.level:
            x = last.x + last.width / 2
            kind, points = "down", ((x, tops[last.level] + 1), (x, bottom - height - 10))
        else:
            x = box.x + box.copied + (box.width - box.copied) / 2
            kind, points = "up", ((x, tops[last.level] - up(last.volume) - 10), (x, bottom + 1))
        styles[kind].draw(scene, points)
        words = _does(row, box, last)
        if words not in said.setdefault(kind, []):
            said[kind].append(words)
    _add_outputs(row, kept, tops, look, scene)
    if skips:
        said["copy"] = list(dict.fromkeys("copy" if row.volumes[end].node.concatenates else "added" for end in skips))
    x, y = scene.bounds()[0], y - BELOW + 18
    for kind, each in said.items():
        words = ", ".join(each)
        wide = KEY + 5 + scene.measure(words, SMALL)
        if x + wide > scene.bounds()[2]:
            x, y = scene.bounds()[0], y + 12
        styles[kind].draw(scene, ((x, y), (x + KEY, y)))
        scene.text(x + KEY + 4, y + 2.2, words, SMALL, look.ink, anchor="start")
        x += wide + 12


def _add_outputs(row: Row, kept: Sequence[_Box], tops: Mapping[int, float], look: Look, scene: Scene) -> None:
    """Add side outputs at the right, each with an arrow from the box that it takes."""
    right = scene.bounds()[2]
    taken: dict[int, int] = {}
    for head in row.heads:
        # A volume that is no box is the colored part of the next one.
        box = next(box for box in kept if row.volumes.index(box.volume) >= head.places[0])
        y = tops[box.level] - 6 - LINE * taken.get(box.level, 0)
        taken[box.level] = taken.get(box.level, 0) + 1
        last = head.volumes[-1]
        with scene.showing(last.node.shown_layer):
            scene.arrow(((box.x + box.width + 1, y), (right + 12, y)), look.line, dashed=True)
            words = f"{last.tensor.channels}, {_size(last.maps)}"
            scene.text(right + 15, y + 2.2, words, SMALL, look.ink, anchor="start")


def _free(kept: list[_Box], level: int) -> float:
    return max((box.x + box.width + GAP for box in kept if box.level == level), default=0.0)


def _size(maps: tuple[int, ...]) -> str:
    return f"{maps[0]}²" if len(maps) == 2 and maps[0] == maps[1] else "×".join(map(str, maps))


def _does(row: Row, box: _Box, last: _Box) -> str:
    """Return what leads to a box, without its number of filters."""
    at = row.volumes.index(box.volume)
    node = row.volumes[at - 1].node if box.copied and row.volumes[at - 1] is not last.volume else box.volume.node
    if not isinstance(node, DrawingNode):
        return node.name
    words = describe(node.main).partition(",")[0]
    kinds = dict.fromkeys(row.layer.op.kind for row in node.layers if row.layer.op.category == "activation")
    return " + ".join([words, *kinds])
