"""The batch of an example: a prime, so that the axis which it divides is the batch, also where rows are folded into it.

Nothing of PyTorch or ONNX is imported here: both readers follow their models with this batch.
"""

from __future__ import annotations

from collections.abc import Sequence

BATCH = 7919
"""A prime that no size of a network is a multiple of."""


def has_batch(size: int) -> bool:
    """Return True if a size is a multiple of the batch."""
    return size != 0 and size % BATCH == 0


def batch_axes(sizes: Sequence[int]) -> list[int]:
    """Return the axes that hold the batch."""
    return [axis for axis, size in enumerate(sizes) if has_batch(size)]


def batch_axis(sizes: Sequence[int]) -> tuple[int | None, int]:
    """Return the axis that holds the batch, None without one, and how many rows of it belong to a sample."""
    found = batch_axes(sizes)
    return (found[0], sizes[found[0]] // BATCH) if len(found) == 1 else (None, 1)


def for_batch(size: int, batch: int) -> int:
    """Return what a size is for another batch."""
    return size // BATCH * batch if has_batch(size) else size
