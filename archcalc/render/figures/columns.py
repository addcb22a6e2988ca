"""Heights put into columns: as few as hold them, all about equally full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def balanced(heights: Sequence[float], columns: int) -> float:
    """Return the least height of a column such that so many hold everything."""
    low, high = max(heights), sum(heights)
    while high - low > 0.5:
        middle = (low + high) / 2
        if len(list(chunks(heights, middle))) <= columns:
            high = middle
        else:
            low = middle
    return high


def chunks(heights: Sequence[float], limit: float) -> Iterator[tuple[int, int]]:
    """Yield the first and last place of each column, filled up to a height."""
    begin, filled = 0, 0.0
    for at, height in enumerate(heights):
        if at > begin and filled + height > limit + 0.01:
            yield begin, at
            begin, filled = at, 0.0
        filled += height
    yield begin, len(heights)
