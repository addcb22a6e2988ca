"""The style `volumes`: feature maps as boxes to scale, in a row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.curves import Point
from archcalc.render.drawing.labels import cut, lines, operation
from archcalc.render.drawing.picture import DrawingNode, InputNode
from archcalc.render.drawing.words import output
from archcalc.render.figures.labels import legend, stack
from archcalc.render.figures.lanes import lanes
from archcalc.render.figures.look import SMALL, TEXT, Look, Page
from archcalc.render.figures.rows import Row, SideHead, Volume
from archcalc.render.figures.scene import Scene
from archcalc.render.figures.sheets import Sheets
from archcalc.render.figures.solids import SLAB, DrawingScale
from archcalc.structs import replace

PARTS = (1.0, 0.88, 0.76, 0.66, 0.56, 0.48, 0.4)
"""The parts of full size at which a row is tried before it is wrapped."""
GAP, CLOSE = 12.0, 2.0
"""Between solids, and between those of one stage."""
ASIDE = 12.0
"""From an arrow up to the side head that it leads to."""
LANE = 9.0
"""Between arrows around layers."""
SHORT = 16
"""Letters of an operator below its box."""


@dataclass
class VolumeCell:
    """Volumes with one label below them."""

    volumes: list[Volume]
    words: list[str]
    bold: int

    @property
    def left(self) -> float:
        """Left edge of its first solid."""
        return self.volumes[0].x

    @property
    def right(self) -> float:
        """Right edge of its last front."""
        return self.volumes[-1].x + self.volumes[-1].solid.across

    @property
    def end(self) -> float:
        """Right end of its last solid."""
        return self.right + self.volumes[-1].solid.right

    def label_width(self, scene: Scene) -> float:
        """Return the width of its label."""
        return max((scene.measure(text, TEXT, index < self.bold) for index, text in enumerate(self.words)), default=0.0)


def draw_row(
    row: Row, labels: tuple[str, ...] | None, scales: type[DrawingScale], look: Look, page: Page, scene: Scene
) -> None:
    """Add a row of volumes to a scene, wrapped at the width of the page.

    ``scales`` says what they are: `DrawingScale` for boxes, `FlatScale` for stacks. Few volumes have a label each; of
    many, their channels, and their size once for each stage.
    """
    levels = [_each(row, labels or ("name", "op", "shape"))]
    if labels is None:
        levels += [_with_slabs(row), _stages(row)]
    for cells in levels:
        for part in PARTS:
            _size(row, scales, part)
            if _place(cells, scene) <= page.width:
                _draw(row, [cells], look, scene)
                return
    # As few lines as the smallest solids take, and the largest solids that take no more and fit the page.
    fewest = len(_wrapped(levels[-1], row, page.width, scene))
    for part in PARTS:
        _size(row, scales, part)
        tried = Scene(scene.font)
        wrapped = _wrapped(levels[-1], row, page.width, scene)
        _draw(row, wrapped, look, tried)
        _, top, _, bottom = tried.bounds()
        if len(wrapped) == fewest and bottom - top <= page.height:
            break
    scene.items += tried.items


def _size(row: Row, scales: type[DrawingScale], part: float) -> None:
    """Give every volume its solid, at a part of full size."""
    scale = scales.of([volume.tensor for volume in row.all_volumes], part)
    for volume in row.all_volumes:
        solid = scale.solid(volume.tensor)
        volume.solid = replace(solid, across=SLAB) if volume.thin and scales is DrawingScale else solid


def _each(row: Row, labels: tuple[str, ...]) -> list[VolumeCell]:
    return [VolumeCell([volume], _words(volume, labels), 1 if "name" in labels else 0) for volume in row.volumes]


def _words(volume: Volume, labels: tuple[str, ...]) -> list[str]:
    node = volume.node
    if isinstance(node, InputNode):
        return [node.name, output(node)]
    # The name of a group says what it is.
    words = lines(node, [label for label in labels if label != "op" or not node.group or "name" not in labels])
    if volume.words and "op" in labels:
        words = [cut(volume.inside), cut(volume.words), output(node)]
    return words + ([f"×{volume.count}"] if volume.count > 1 else [])


def _with_slabs(row: Row) -> list[VolumeCell]:
    """Return a cell for each volume that is not a slab; a slab is beside the volume before it."""
    cells: list[VolumeCell] = []
    for volume in row.volumes:
        if volume.thin and cells and volume.tensor.flat == cells[-1].volumes[-1].tensor.flat:
            cells[-1].volumes.append(volume)
        else:
            cells.append(VolumeCell([volume], [_short(volume), output(volume.node)], 0))
    return cells


def _short(volume: Volume) -> str:
    if isinstance(volume.node, InputNode):
        return volume.node.name
    said = volume.kind if volume.thin else (volume.words or operation(volume.node)).partition(",")[0]
    return cut(said, SHORT) + (f" ×{volume.count}" if volume.count > 1 else "")


def _stages(row: Row) -> list[VolumeCell]:
    """Return a cell for each stage: its channels, and the size that its layers share."""
    cells = []
    for _, group in groupby(row.volumes, key=lambda volume: (volume.tensor.place, volume.kind == "input")):
        volumes = list(group)
        runs = []
        shown = [volume for volume in volumes if volume.tensor.flat or not volume.thin] or volumes[-1:]
        for channels, same in groupby(shown, key=lambda volume: volume.tensor.channels):
            count = sum(volume.count for volume in same)
            runs.append(str(channels) + (f" ×{count}" if count > 1 else ""))
        size = "" if volumes[0].tensor.flat else shape_text(volumes[0].maps)
        cells.append(VolumeCell(volumes, [", ".join(runs), size], 0))
    return cells


def _place(cells: Sequence[VolumeCell], scene: Scene) -> float:
    """Give every volume its place; return the width of all."""
    x, label_end = 0.0, -math.inf
    for cell in cells:
        offset = 0.0
        for index, volume in enumerate(cell.volumes):
            volume.x = x + offset
            offset += volume.solid.across + (CLOSE if index + 1 < len(cell.volumes) else 0.0)
        wide = cell.label_width(scene)
        middle = (cell.left + cell.right) / 2
        push = max(0.0, label_end + 6.0 - (middle - wide / 2))
        for volume in cell.volumes:
            volume.x += push
        label_end = middle + push + wide / 2
        x = cell.end + GAP
    left = min(0.0, (cells[0].left + cells[0].right - cells[0].label_width(scene)) / 2)
    return max(x - GAP, label_end) - left


def _wrapped(cells: list[VolumeCell], row: Row, width: float, scene: Scene) -> list[list[VolumeCell]]:
    """Return cells in as few lines as are no wider than the page, all about as wide, broken where no arrow passes."""
    rows = _broken(cells, row, width, scene)
    low, high = width / len(rows), width
    while high - low > 1:
        middle = (low + high) / 2
        tried = _broken(cells, row, middle, scene)
        if len(tried) == len(rows) and all(_place(line, scene) <= middle for line in tried):
            rows, high = tried, middle
        else:
            low = middle
    for line in rows:
        _place(line, scene)
    return rows


def _broken(cells: list[VolumeCell], row: Row, width: float, scene: Scene) -> list[list[VolumeCell]]:
    """Return cells in lines, each as long as the width allows."""
    place = {volume: index for index, volume in enumerate(row.volumes)}
    spans = [skip[:2] for skip in row.skips] + [(head.places[0], head.places[-1]) for head in row.heads]
    rows: list[list[VolumeCell]] = []
    start = free = 0
    for index in range(1, len(cells) + 1):
        if _place(cells[start:index], scene) > width and free > start:
            rows.append(cells[start:free])
            start = free
        if index < len(cells):
            first = place[cells[index].volumes[0]]
            if not any(begin < first <= end for begin, end in spans):
                free = index
    rows.append(cells[start:])
    return rows


def _draw(row: Row, rows: list[list[VolumeCell]], look: Look, scene: Scene) -> None:
    top = 0.0
    for index, cells in enumerate(rows):
        part = Scene(scene.font)
        _draw_line(row, cells, look, part, index + 1 < len(rows))
        top -= part.bounds()[1]
        scene.add(part, 0.0, top)
        top += part.bounds()[3] + 16
    kinds = dict.fromkeys(volume.kind for volume in row.all_volumes if volume.kind != "input")
    legend(scene, [(look.fill(kind), kind) for kind in kinds], look, scene.bounds()[0], top - 2, 400)


def _draw_line(row: Row, cells: list[VolumeCell], look: Look, scene: Scene, goes_on: bool) -> None:
    volumes = [volume for cell in cells for volume in cell.volumes]
    low = max(volume.solid.outline for volume in volumes) / 2
    ends = {cell.volumes[-1] for cell in cells}
    for volume, after in zip(volumes, [*volumes[1:], None], strict=True):
        _add_solid(scene, volume, volume.x, look)
        if after is not None and volume in ends:
            _join(scene, volume, after, look)
    if goes_on:
        end = cells[-1].end
        scene.arrow(((end + 2, 0), (end + 16, 0)), look.line)
    here = row.places_of(volumes)
    _arrows_around(row, here, look, scene)
    _heads(row, here, look, scene)
    for cell in cells:
        middle, below = (cell.left + cell.right) / 2, low + 6
        if len(cell.volumes) > 1:
            scene.line(((cell.left, below - 1), (cell.right, below - 1)), look.faint, width=0.5)
        with scene.showing(cell.volumes[0].node.shown_layer if len(cell.volumes) == 1 else ""):
            stack(scene, middle, below, cell.words, look, cell.bold)


def _add_solid(scene: Scene, volume: Volume, x: float, look: Look) -> None:
    with scene.showing(volume.node.shown_layer):
        volume.solid.draw(scene, x, look.paper if volume.kind == "input" else look.fill(volume.kind), look)


def _join(scene: Scene, volume: Volume, after: Volume, look: Look) -> None:
    """Add the window that a layer looks through, or else an arrow."""
    window = _window(after)
    (left, top), (_, bottom) = after.solid.front(after.x)
    if window and not volume.tensor.flat and not (after.thin and not isinstance(after.solid, Sheets)):
        tip = (left, top + 0.3 * (bottom - top))
        sizes = (volume.tensor.height, volume.tensor.width)
        volume.solid.draw_window(scene, volume.x, window, sizes, tip, look)
        return
    start = volume.x + volume.solid.across + volume.solid.right
    scene.arrow(((start + 1.5, 0), (left - 1.0, 0)), look.line)


def _window(volume: Volume) -> tuple[int, int] | None:
    if not isinstance(volume.node, DrawingNode) or volume.node.group or volume.words:
        return None
    kernel = volume.node.op.hyperparameters().get("kernel")
    if not kernel or volume.kind not in ("convolution", "pooling"):
        return None
    return (kernel[-2] if len(kernel) > 1 else kernel[-1], kernel[-1] if len(kernel) > 1 else 1)


def _arrows_around(row: Row, here: Mapping[int, Volume], look: Look, scene: Scene) -> None:
    """Add the arrows between the volumes that are here, by their places."""
    skips = [skip for skip in row.skips if skip[0] in here and skip[1] in here]
    for (start, end, projects), lane in zip(skips, lanes([skip[:2] for skip in skips]), strict=True):
        first, last = here[start], here[end]
        high = max(here[place].solid.outline for place in range(start, end + 1)) / 2
        y = -high - 7 - LANE * lane
        (x, low), (to, top) = _top(first), _top(last)
        points = ((x + 2, low), (x + 2, y), (to - 2, y), (to - 2, top - 0.5))
        scene.arrow(points, look.skip, dashed=projects)


def _heads(row: Row, here: Mapping[int, Volume], look: Look, scene: Scene) -> None:
    """Add the side heads of the volumes that are here, each above a line and where no other one is."""
    taken: list[tuple[float, float, float]] = []
    """Where heads are: left and right end, and upper end."""
    arrows_into: Counter[int] = Counter()
    over_arrows = scene.bounds()[1]
    # From the right: an arrow up then passes no head but those farther to the right. Side inputs from the left.
    heads = sorted((head for head in row.heads if here.keys() >= {*head.places}), key=lambda head: -head.places[-1])
    for head in [head for head in heads if not head.enters] + [head for head in heads[::-1] if head.enters]:
        x, _ = _top(here[head.places[0 if head.enters else -1]])
        drawn = _head(head, look, Scene(scene.font))
        left, top, right, bottom = drawn.bounds()
        begin = x - ASIDE - (right - left) if head.enters else x
        end = x if head.enters else x + ASIDE + right - left
        under = [
            volume.solid.outline
            for volume in here.values()
            if volume.x < end and volume.x + volume.solid.across + volume.solid.right >= begin - ASIDE
        ]
        free = over_arrows if row.skips else -max(under) / 2
        y = min((high for low, far, high in taken if low < end + 6 and begin < far + 6), default=free - 6) - bottom
        taken.append((begin, end, y + top - 6))
        if not head.enters:
            scene.add(drawn, x + ASIDE - left, y)
            _lead_out(scene, [_top(here[place]) for place in head.places], y, look)
            continue
        scene.add(drawn, begin - left, y)
        for place in head.places:
            to, high = _top(here[place])
            to -= arrows_into[place] * 5
            arrows_into[place] += 1
            scene.arrow(((begin - left + _across(head) + 1, y), (to, y), (to, high - 0.5)), look.line)


def _lead_out(scene: Scene, feet: Sequence[Point], y: float, look: Look) -> None:
    """Add a dashed arrow from the last of these points up to the height of a side output, and lines from the others."""
    *others, (x, foot) = feet
    scene.arrow(((x, foot), (x, y), (x + ASIDE - 1, y)), look.line, dashed=True)
    for across, low in others:
        scene.line(((across, low), (across, y)), look.line, dashed=True)
    if others:
        scene.line(((others[0][0], y), (x, y)), look.line, dashed=True)


def _top(volume: Volume) -> Point:
    """Return where an arrow begins or ends above a volume."""
    return volume.x + volume.solid.across / 2 + volume.solid.right, -volume.solid.outline / 2


def _across(head: SideHead) -> float:
    """Return the width of its volumes."""
    return sum(volume.solid.across + volume.solid.right + CLOSE for volume in head.volumes) - CLOSE


def _head(head: SideHead, look: Look, scene: Scene) -> Scene:
    """Return the volumes of a side head or input in a row around y = 0, its name above."""
    x = 0.0
    for volume in head.volumes:
        _add_solid(scene, volume, x, look)
        x += volume.solid.across + volume.solid.right + CLOSE
    top = scene.bounds()[1]
    scene.text(0, top - 3, head.words, SMALL, look.ink, anchor="start")
    return scene
