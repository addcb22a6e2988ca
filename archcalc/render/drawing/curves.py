"""Cubic curves, as SVG has them."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]


def on_curves(points: Sequence[Point], steps: int = 16) -> tuple[Point, ...]:
    """Return points on cubic curves, each of a start, two control points, and an end that the next starts from."""
    result = [points[0]]
    for first in range(0, len(points) - 3, 3):
        ends = points[first : first + 4]
        for step in range(1, steps + 1):
            t = step / steps
            parts = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x = sum(part * end[0] for part, end in zip(parts, ends, strict=True))
            y = sum(part * end[1] for part, end in zip(parts, ends, strict=True))
            result.append((x, y))
    return tuple(result)
