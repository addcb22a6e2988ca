"""Lanes beside a row or a column: which of them an arrow takes, so that no two lie on each other."""

from __future__ import annotations

from collections.abc import Sequence


def lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return a lane for each span, the innermost 0.

    Spans that only touch share a lane. A span lies outside those that it spans.
    """
    order = sorted(range(len(spans)), key=lambda index: (spans[index][1] - spans[index][0], spans[index]))
    taken: list[list[tuple[int, int]]] = []
    result = [0] * len(spans)
    for index in order:
        start, end = spans[index]
        lane = 0
        for number, others in enumerate(taken):
            if any(start < other_end and other_start < end for other_start, other_end in others):
                lane = number + 1
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        result[index] = lane
    return result
