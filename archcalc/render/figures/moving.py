"""Frames as an animation: GIF, animated PNG, or an SVG that moves where its reader allows it."""

from __future__ import annotations

import io
from dataclasses import replace

from archcalc.render.figures.pdf import to_png
from archcalc.render.figures.scene import Scene
from archcalc.render.figures.svg import items_svg, to_svg

FRAME_TIME = 700
"""Milliseconds of a frame."""
MARGIN = 6


def to_moving(scenes: list[Scene], format: str) -> bytes:
    """Return an animation that goes on for ever, as ``gif``, ``apng`` or ``moving svg``; frames are equally large."""
    whole = _equally_large(scenes)
    if format == "moving svg":
        return _svg(whole).encode()
    from PIL import Image

    images = [Image.open(io.BytesIO(to_png(scene))).convert("RGB").quantize(64) for scene in whole]
    target = io.BytesIO()
    kind = "GIF" if format == "gif" else "PNG"
    images[0].save(target, kind, save_all=True, append_images=images[1:], duration=FRAME_TIME, loop=0)
    return target.getvalue()


def _equally_large(scenes: list[Scene]) -> list[Scene]:
    edges = [scene.bounds() for scene in scenes]
    left, top = min(edge[0] for edge in edges) - MARGIN, min(edge[1] for edge in edges) - MARGIN
    right, bottom = max(edge[2] for edge in edges) + MARGIN, max(edge[3] for edge in edges) + MARGIN
    whole = []
    for scene in scenes:
        whole.append(Scene(scene.font, scene.paper, scene.title))
        whole[-1].add(scene, -left, -top)
        whole[-1].width, whole[-1].height = right - left, bottom - top
    return whole


def _svg(scenes: list[Scene]) -> str:
    """Return an SVG in which one frame after the other is visible; the first alone without animations."""
    time = FRAME_TIME * len(scenes)
    style = (
        f".frame{{visibility:hidden;animation:frame {time}ms step-end infinite}}.frame.first{{visibility:visible}}"
        f"@keyframes frame{{0%{{visibility:visible}}{100 / len(scenes):.4f}%{{visibility:hidden}}}}"
        "@media(prefers-reduced-motion:reduce){.frame{animation:none}}"
    )
    groups = "\n".join(
        f'<g class="frame{"" if index else " first"}" style="animation-delay:{index * FRAME_TIME}ms">\n'
        f"{items_svg(scene.items)}\n</g>"
        for index, scene in enumerate(scenes)
    )
    empty = replace(scenes[0], items=[])
    return to_svg(empty).replace("</svg>", f"<style>{style}</style>\n{groups}\n</svg>")
