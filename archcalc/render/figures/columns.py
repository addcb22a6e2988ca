"""The style `paper`: columns of boxes on a page, as few as hold a network, all about equally full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.picture import Cluster, Picture
from archcalc.render.figures.column import ASIDE, GAPS, ColumnBlock, ColumnStyle
from archcalc.render.figures.flow import FlowStep, Fork, MainPath, Part
from archcalc.render.figures.look import SMALL, TEXT, Look, Page
from archcalc.render.figures.scene import Scene

BETWEEN = 26.0
"""Between columns."""
MOST_COLUMNS = 8


def draw_column(
    picture: Picture, flow: MainPath, labels: tuple[str, ...] | None, right: bool, look: Look, page: Page, scene: Scene
) -> None:
    """Add a column of layers to a scene; with ``right``, a row that is read from the left."""
    style = ColumnStyle(picture, flow, labels or ("op",), look, scene)
    if right:
        turned = style.new()
        _draw(style, Page(page.height, page.width), turned, -1.0)
        scene.items += turned.turned().items
    else:
        _draw(style, page, scene)


def _draw(style: ColumnStyle, page: Page, scene: Scene, sign: float = 1.0) -> None:
    """Add the whole flow, in as few columns of the page as hold it; ``sign`` -1 goes on to the left."""
    units = _units(style)
    x, connect = 0.0, None
    for begin, end in _columns(style, units, page):
        block = _column(style, [part for unit in units[begin:end] for part in unit])
        x += sign * (block.left if sign > 0 else block.right) if connect else 0.0
        scene.add(block.scene, x, 0.0)
        if connect:
            (last, bottom), between = connect
            low, high = bottom + style.gap, -2 * style.gap
            points = ((last, bottom), (last, low), (between, low), (between, high), (x, high), (x, 0.0))
            scene.arrow(points, style.look.line)
        side = block.right if sign > 0 else block.left
        connect = ((x, block.height), x + sign * (side + BETWEEN / 2))
        x += sign * (side + BETWEEN)


def _units(style: ColumnStyle) -> list[list[Part]]:
    """Return the main path in pieces that a column keeps together: a fork and its join, or a repeated block."""
    units: list[list[Part]] = []
    last: Cluster | None = None
    for part in style.flow.parts:
        block = style.block_of(part)
        if units and (isinstance(units[-1][-1], Fork) or (block is not None and block is last)):
            units[-1].append(part)
        else:
            units.append([part])
        last = block
    return units


def _columns(style: ColumnStyle, units: list[list[Part]], page: Page) -> list[tuple[int, int]]:
    """Return the first and last unit of each column, and give the style the gaps with which they fit the page."""
    for columns in range(1, MOST_COLUMNS + 1):
        for style.gap, style.padding in GAPS:
            heights = [style.sequence(unit).height + style.gap for unit in units]
            limit = _balanced(heights, columns)
            if limit <= page.height - (3 * style.gap if columns > 1 else 0):
                return list(_chunks(heights, limit))
    return list(_chunks(heights, limit))


def _column(style: ColumnStyle, parts: Sequence[Part]) -> ColumnBlock:
    """Return a column with the size of its maps at the left, and side heads at the right."""
    block, look = style.sequence(parts), style.look
    stage, far = -1, 0.0
    for node, (top, _) in block.spine.items():
        place = style.place(node)
        if place and style.stages[place] != stage:
            text = shape_text(place)
            block.scene.text(-block.left - 6, top + TEXT * 1.2, text, SMALL, look.ink, anchor="end")
            far = max(far, 6 + block.scene.measure(text, SMALL))
        stage = style.stages[place]
    block.left += far
    right = block.right
    for start, nodes in style.flow.heads:
        if start not in block.spine:
            continue
        head = style.sequence([FlowStep(node) for node in nodes if node.category != "shape"])
        top, bottom = block.spine[start]
        x = block.right + ASIDE + head.left
        y = bottom + style.gap / 2
        middle = (top + bottom) / 2
        block.scene.arrow(((style.widths[start] / 2, middle), (x, middle), (x, y)), look.line, dashed=True)
        block.scene.add(head.scene, x, y)
        right = max(right, x + head.right)
        block.height = max(block.height, y + head.height)
    block.right = right
    return block


def _balanced(heights: Sequence[float], columns: int) -> float:
    """Return the least height of a column such that so many hold everything."""
    low, high = max(heights), sum(heights)
    while high - low > 0.5:
        middle = (low + high) / 2
        if len(list(_chunks(heights, middle))) <= columns:
            high = middle
        else:
            low = middle
    return high


def _chunks(heights: Sequence[float], limit: float) -> Iterator[tuple[int, int]]:
    """Yield the first and last place of each column, filled up to a height."""
    begin, filled = 0, 0.0
    for place, height in enumerate(heights):
        if place > begin and filled + height > limit + 0.01:
            yield begin, place
            begin, filled = place, 0.0
        filled += height
    yield begin, len(heights)
