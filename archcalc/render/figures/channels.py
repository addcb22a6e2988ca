"""The style `arithmetic` on several maps: groups, each with a color, and a depthwise separable convolution."""

from __future__ import annotations

from archcalc.render.figures.arithmetic import CELL, Cell, Sliding, draw_map
from archcalc.render.figures.fonts import Font
from archcalc.render.figures.look import SMALL, TEXT, Look
from archcalc.render.figures.scene import Scene

APART, BETWEEN = 5.0, 26.0
"""Between maps above each other, and between columns of them."""
Column = tuple[Cell, int, list[tuple[str, set[Cell]]]]
"""The size of its maps, their padding, and the color and the marked cells of each."""


def channel_frames(sliding: Sliding, look: Look, font: Font, title: str) -> list[Scene]:
    """Return a scene for each place of the window: of each group, or first depthwise and then across all maps."""
    if sliding.kind == "separable":
        return _separable(sliding, look, font, title)
    paints = [look.stages[group % len(look.stages)] for group in range(sliding.groups)]
    ins, outs = sliding.channels // sliding.groups, sliding.filters // sliding.groups
    scenes = []
    for place in sliding.places:
        for group in range(sliding.groups):
            seen = set(sliding.seen(place))
            given = [(color, seen if at == group else set()) for at, color in enumerate(paints)]
            made = [(color, {place} if at == group else set()) for at, color in enumerate(paints)]
            columns: list[Column] = [
                (sliding.size, sliding.padding, [one for one in given for _ in range(ins)]),
                (sliding.output, 0, [one for one in made for _ in range(outs)]),
            ]
            says = f"group {group + 1}" if sliding.groups > 1 else ""
            scenes.append(_frame(columns, says, look, font, title))
    return scenes


def _separable(sliding: Sliding, look: Look, font: Font, title: str) -> list[Scene]:
    paints = [look.stages[channel % len(look.stages)] for channel in range(sliding.channels)]
    mixed = look.fill("linear")
    scenes = []
    for is_pointwise in (False, True):
        for place in sliding.places:
            seen = set() if is_pointwise else set(sliding.seen(place))
            columns: list[Column] = [
                (sliding.size, sliding.padding, [(paint, seen) for paint in paints]),
                (sliding.output, 0, [(paint, {place}) for paint in paints]),
                (sliding.output, 0, [(mixed, {place} if is_pointwise else set())] * sliding.filters),
            ]
            says = "1×1: across the maps" if is_pointwise else "depthwise: each map by itself"
            scenes.append(_frame(columns, says, look, font, title))
    return scenes


def _frame(columns: list[Column], says: str, look: Look, font: Font, title: str) -> Scene:
    """Return columns of maps, each centered on y = 0, with arrows between them, and words below."""
    scene, x = Scene(font, look.paper, title), 0.0
    for at, ((height, width), padding, maps) in enumerate(columns):
        tall, wide = (height + 2 * padding) * CELL, (width + 2 * padding) * CELL
        y = -(tall * len(maps) + APART * (len(maps) - 1)) / 2
        for paint, marked in maps:
            draw_map(scene, (x, y), (height, width), padding, marked, paint, CELL, look)
            y += tall + APART
        x += wide
        if at + 1 < len(columns):
            scene.arrow(((x + 4, 0), (x + BETWEEN - 4, 0)), look.line)
            x += BETWEEN
    if says:
        left, _, right, bottom = scene.bounds()
        scene.text((left + right) / 2, bottom + TEXT * 1.3, says, SMALL, look.ink)
    return scene
