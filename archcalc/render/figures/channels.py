"""The style `arithmetic` on several maps: groups, each with a color, and a depthwise separable convolution."""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.render.figures.arithmetic import CELL, DrawnMap, MapColumn, Sliding, draw_columns
from archcalc.render.figures.fonts import Font
from archcalc.render.figures.look import Look
from archcalc.render.figures.scene import Scene

BETWEEN = 26.0
"""Between columns of maps."""


def channel_frames(sliding: Sliding, look: Look, font: Font, title: str) -> list[Scene]:
    """Return a scene for each place of the window: of each group, or first depthwise and then across all maps."""
    scenes = []
    for columns, words in (_separable if sliding.kind == "separable" else _grouped)(sliding, look):
        scenes.append(Scene(font, look.paper, title))
        draw_columns(scenes[-1], columns, CELL, BETWEEN, words, look)
    return scenes


def _grouped(sliding: Sliding, look: Look) -> Iterator[tuple[list[MapColumn], str]]:
    """Yield the maps of each frame, those of a group in its color, and the words below them."""
    colors = [look.stages[group % len(look.stages)] for group in range(sliding.groups)]
    ins, outs = sliding.channels // sliding.groups, sliding.filters // sliding.groups
    for place in sliding.places:
        for group in range(sliding.groups):
            seen = set(sliding.seen(place))
            given = [DrawnMap(color, seen if index == group else set()) for index, color in enumerate(colors)]
            made = [DrawnMap(color, {place} if index == group else set()) for index, color in enumerate(colors)]
            columns = [
                MapColumn(sliding.size, sliding.padding, [drawn for drawn in given for _ in range(ins)]),
                MapColumn(sliding.output, 0, [drawn for drawn in made for _ in range(outs)]),
            ]
            yield columns, f"group {group + 1}" if sliding.groups > 1 else ""


def _separable(sliding: Sliding, look: Look) -> Iterator[tuple[list[MapColumn], str]]:
    """Yield the maps of each frame, and the words below them: the depthwise step, then the pointwise step."""
    colors = [look.stages[channel % len(look.stages)] for channel in range(sliding.channels)]
    mixed = look.fill("linear")
    for is_pointwise in (False, True):
        for place in sliding.places:
            seen = set() if is_pointwise else set(sliding.seen(place))
            columns = [
                MapColumn(sliding.size, sliding.padding, [DrawnMap(color, seen) for color in colors]),
                MapColumn(sliding.output, 0, [DrawnMap(color, {place}) for color in colors]),
                MapColumn(sliding.output, 0, [DrawnMap(mixed, {place} if is_pointwise else set())] * sliding.filters),
            ]
            yield columns, "1×1: across the maps" if is_pointwise else "depthwise: each map by itself"
