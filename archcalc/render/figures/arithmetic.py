"""The style `arithmetic`: a window that slides over a small map, a frame for each of its places.

    operator = KIND WINDOW {"s" N | "p" N | "d" N | "g" N | "f" N}
    KIND = "conv" | "separable" | "conv_transpose" | "max_pool" | "avg_pool"
    WINDOW = N | N "x" N

`conv 3x3 s2 p1` is a convolution with stride 2 and padding 1; `d2` is dilation 2. `g2` has two groups and
`f4` four filters, on several maps: see `channels`. The operator's own rule gives the output size and refuses what does
not fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from archcalc.analysis import analyze
from archcalc.arithmetic import ceil_div
from archcalc.errors import UserError
from archcalc.language.library import loads
from archcalc.render.drawing.colors import mix
from archcalc.render.drawing.curves import Point
from archcalc.render.figures.fonts import Font
from archcalc.render.figures.look import SMALL, TEXT, Look, Page
from archcalc.render.figures.scene import Scene
from archcalc.structs import Struct
from archcalc.words import quote

KINDS = ("conv", "separable", "conv_transpose", "max_pool", "avg_pool")
CELL, BETWEEN, BESIDE, ASIDE = 10.0, 22.0, 12.0, 18.0
APART = 5.0
"""Between maps above each other."""
MOST_CELLS = 16
"""Cells along a side of the padded input or of the output."""
MOST_FRAMES = 64
MOST_MAPS = 8
Cell = tuple[int, int]
Number = int | Fraction


class Sliding(Struct):
    """An operator on one map, and where its window is."""

    kind: str
    window: Cell
    stride: Cell
    padding: int
    dilation: int
    size: Cell
    """Height and width of its input."""
    output: Cell
    channels: int = 1
    filters: int = 1
    groups: int = 1

    @property
    def spreads(self) -> bool:
        """True if the window lies on the output: each input position adds to several output positions."""
        return self.kind == "conv_transpose"

    @property
    def places(self) -> list[Cell]:
        """The places of the window, in order: positions of the output, or of the input where the window spreads."""
        return _grid(self.size if self.spreads else self.output)

    def seen(self, place: Cell) -> list[Cell]:
        """Return the cells under the window; padding has indices below 0, or past the end."""
        (row, column), (down, right) = place, self.stride
        top, left = row * down - self.padding, column * right - self.padding
        return [(top + self.dilation * a, left + self.dilation * b) for a, b in _grid(self.window)]


def _grid(size: Cell) -> list[Cell]:
    """Return the cells of a map, row by row."""
    return [(row, column) for row in range(size[0]) for column in range(size[1])]


def parse(text: str, sizes: tuple[int, ...] | None) -> Sliding:
    """Return the operator of a text on an input of H × W. Raises `UserError` for a mistake in either."""
    words = text.split()
    kind = words[0] if words else ""
    window = re.fullmatch(r"([1-9]\d?)(?:[x×]([1-9]\d?))?", words[1]) if len(words) > 1 else None
    rest = [re.fullmatch(r"([spdgf])(\d{1,2})", word) for word in words[2:]]
    if kind not in KINDS or window is None or None in rest:
        raise UserError(
            f"--style arithmetic takes an operator such as 'conv 3x3 s2 p1', got {quote(text)}: one of "
            f"{', '.join(KINDS)}, a window, then s, p, d, g and f for stride, padding, dilation, groups and filters"
        )
    if sizes is None or len(sizes) not in (2, 3):
        raise UserError("--style arithmetic needs the sizes of its input: --input 5,5, or --input 4,5,5 for four maps")
    given = {match[1]: int(match[2]) for match in rest if match is not None}
    height = int(window[1])
    extent = (height, int(window[2] or height))
    step, padding, dilation = given.get("s"), given.get("p", 0), given.get("d", 1)
    usual = extent if kind.endswith("pool") else (1, 1)
    stride = usual if step is None else (step, step)
    size = (sizes[-2], sizes[-1])
    channels = sizes[0] if len(sizes) == 3 else 3 if kind == "separable" else given.get("g", 1)
    filters = given.get("f", channels)
    groups = channels if kind == "separable" else given.get("g", 1)
    if not kind.startswith(("conv", "separable")) and (channels > 1 or "g" in given or "f" in given):
        raise UserError(f"{kind} does the same on every map: draw one, with --input {size[0]},{size[1]}")
    if kind == "conv_transpose" and channels * filters > 1:
        raise UserError(f"a transposed convolution is drawn on one map: --input {size[0]},{size[1]}")
    arguments = f"kernel: [{extent[0]}, {extent[1]}], stride: [{stride[0]}, {stride[1]}], padding: {padding}"
    arguments += f", dilation: {dilation}" if "d" in given else ""
    arguments += f", groups: {groups}" if groups > 1 else ""
    if kind == "separable":
        layer = f"{{conv: {channels}, {arguments}}}"
    else:
        layer = f"{{{kind}: {filters}, {arguments}}}" if kind.startswith("conv") else f"{{{kind}, {arguments}}}"
    output = analyze(loads(f"input: [{channels}, {size[0]}, {size[1]}]\nlayers: [{layer}]\n")).rows[-1].output_shape
    sliding = Sliding(kind, extent, stride, padding, dilation, size, (output[1], output[2]), channels, filters, groups)
    largest = max(max(size) + 2 * padding, *sliding.output)
    steps = math.prod(size if sliding.spreads else sliding.output) * (2 if kind == "separable" else groups)
    if largest > MOST_CELLS or steps > MOST_FRAMES or max(channels, filters) > MOST_MAPS:
        raise UserError(
            f"a figure shows at most {MOST_FRAMES} places of the window, {MOST_CELLS} cells a side and "
            f"{MOST_MAPS} maps, got {steps:,} places, {largest:,} cells and {max(channels, filters):,} maps"
        )
    return sliding


def numbers(sliding: Sliding) -> tuple[dict[Cell, Number], dict[Cell, Number], list[str]]:
    """Return the input, the output, and how each place is computed: input and kernel count from 0, row by row."""
    cells = _grid(sliding.size)
    values: dict[Cell, Number] = {cell: value for value, cell in enumerate(cells)}
    results: dict[Cell, Number] = dict.fromkeys(_grid(sliding.output), 0) if sliding.spreads else {}
    said = []
    for place in sliding.places:
        seen = sliding.seen(place)
        if sliding.spreads:
            for weight, cell in enumerate(seen):
                if cell in results:
                    results[cell] += values[place] * weight
            said.append(f"{values[place]} · kernel, added")
            continue
        taken = [values.get(cell, 0) for cell in seen]
        if sliding.kind == "conv":
            results[place] = sum(value * weight for weight, value in enumerate(taken))
            said.append("+".join(f"{value}·{weight}" for weight, value in enumerate(taken)) + f" = {results[place]}")
        elif sliding.kind == "max_pool":
            real = [values[cell] for cell in seen if cell in values]
            results[place] = max(real)
            said.append(f"max({', '.join(map(str, real))}) = {results[place]}")
        else:
            results[place] = Fraction(sum(taken)) / len(taken)
            said.append(f"({'+'.join(map(str, taken))})/{len(taken)} = {_number(results[place])}")
    return values, results, said


def _number(value: Number) -> str:
    return str(value) if value == int(value) else f"{float(value):.1f}"


class DrawnMap(Struct):
    """A map in a frame."""

    color: str
    marked: set[Cell]
    """The cells that are darker."""
    numbers: dict[Cell, Number] = {}


class MapColumn(Struct):
    """Equally large maps above each other."""

    size: Cell
    padding: int
    maps: Sequence[DrawnMap]
    is_kernel: bool = False
    """True for a kernel, by which the maps before it are multiplied."""


def frames(sliding: Sliding, with_numbers: bool, look: Look, font: Font, title: str) -> list[Scene]:
    """Return a scene for each place of the window."""
    values, results, said = numbers(sliding)
    scenes = []
    widest = max(font.width(_number(value), SMALL) for value in (*values.values(), *results.values()))
    cell = max(CELL, widest + 3) if with_numbers else CELL
    weights: dict[Cell, Number] = {place: weight for weight, place in enumerate(_grid(sliding.window))}
    for index, place in enumerate(sliding.places):
        seen = set(sliding.seen(place))
        done = {} if sliding.spreads else {earlier: results[earlier] for earlier in sliding.places[: index + 1]}
        if index + 1 == len(sliding.places):
            done = results
        # The window lies on the output where it spreads, else on the input; the other map has its place.
        given, made = ({place}, seen) if sliding.spreads else (seen, {place})
        padding = (0, sliding.padding) if sliding.spreads else (sliding.padding, 0)
        inputs = DrawnMap(look.fill("linear"), given, values if with_numbers else {})
        outputs = DrawnMap(look.fill("convolution"), made, done if with_numbers else {})
        columns = [MapColumn(sliding.size, padding[0], [inputs]), MapColumn(sliding.output, padding[1], [outputs])]
        if with_numbers and sliding.kind.startswith("conv"):
            columns.insert(1, MapColumn(sliding.window, 0, [DrawnMap(look.kernel, set(), weights)], is_kernel=True))
        scene = Scene(font, look.paper, title)
        draw_columns(scene, columns, cell, BETWEEN, said[index] if with_numbers else "", look)
        scenes.append(scene)
    return scenes


def draw_columns(scene: Scene, columns: Sequence[MapColumn], cell: float, gap: float, words: str, look: Look) -> None:
    """Add columns of maps, each centered on y = 0, with arrows over the gaps between them, and words below."""
    x = 0.0
    for index, column in enumerate(columns):
        if column.is_kernel:
            scene.text(x + BESIDE / 2, TEXT * 0.55, "*", TEXT * 1.4, look.ink)
            x += BESIDE
        elif index:
            scene.arrow(((x + 4, 0), (x + gap - 4, 0)), look.line)
            x += gap
        tall, wide = ((size + 2 * column.padding) * cell for size in column.size)
        y = -(tall * len(column.maps) + APART * (len(column.maps) - 1)) / 2
        for drawn in column.maps:
            _draw_map(scene, (x, y), column, drawn, cell, look)
            y += tall + APART
        x += wide
    left, _, right, bottom = scene.bounds()
    scene.text((left + right) / 2, bottom + TEXT * 1.3, words, SMALL, look.ink)


def _draw_map(scene: Scene, corner: Point, column: MapColumn, drawn: DrawnMap, cell: float, look: Look) -> None:
    """Add the cells of a map and of its padding, from their upper left corner, with their numbers."""
    (height, width), padding, (x, y) = column.size, column.padding, corner
    for row, place in product(range(-padding, height + padding), range(-padding, width + padding)):
        real = 0 <= row < height and 0 <= place < width
        strong = (row, place) in drawn.marked
        fill = mix(drawn.color, look.paper, 0.0 if strong else 0.75) if real or strong else look.paper
        color, edge = (fill, look.line) if real else (mix(fill, look.paper, 0.5), look.faint)
        left, upper = x + (place + padding) * cell, y + (row + padding) * cell
        scene.box(left, upper, cell, cell, color, edge, "kernel" if column.is_kernel else "cell")
    for (row, place), number in drawn.numbers.items():
        left, upper = x + (place + padding) * cell, y + (row + padding) * cell
        scene.text(left + cell / 2, upper + cell / 2 + SMALL * 0.36, _number(number), SMALL, look.ink)


def draw_frames(scenes: list[Scene], page: Page, scene: Scene) -> None:
    """Add all frames, row by row, in as many columns as make them largest on the page."""
    bounds = [frame.bounds() for frame in scenes]
    width = max(right - left for left, _, right, _ in bounds) + ASIDE
    height = max(bottom - top for _, top, _, bottom in bounds) + ASIDE

    def part(columns: int) -> float:
        rows: int = ceil_div(len(scenes), columns)
        return min(1.0, page.width / (columns * width - ASIDE), page.height / (rows * height - ASIDE))

    rows = ceil_div(len(scenes), max(range(len(scenes), 0, -1), key=part))
    columns = ceil_div(len(scenes), rows)
    for place, frame in enumerate(scenes):
        left, top, _, _ = bounds[place]
        row, column = divmod(place, columns)
        scene.add(frame, column * width - left, row * height - top)
