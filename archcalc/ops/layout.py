"""Where a tensor's elements lie in its memory: sizes and strides, the batch first, and PyTorch's rules for them.

A view is another layout of the same memory. What an operator makes is dense: in order, or in its inputs' order.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from archcalc.arithmetic import product


class Layout:
    """Sizes and strides, in elements."""

    def __init__(self, sizes: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.strides = strides

    @classmethod
    def in_order(cls, sizes: tuple[int, ...]) -> Layout:
        """One row after another, without a gap."""
        return cls(sizes, _strides(sizes, range(len(sizes))))

    @classmethod
    def channels_last(cls, sizes: tuple[int, ...]) -> Layout:
        """An image's channels innermost."""
        return cls(sizes, _strides(sizes, (0, *range(2, len(sizes)), 1)))

    @cached_property
    def is_in_order(self) -> bool:
        """Whether the elements lie in the order of their indices (PyTorch's `is_contiguous`)."""
        expected = 1
        for size, stride in zip(reversed(self.sizes), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    @cached_property
    def is_dense(self) -> bool:
        """Whether they lie without a gap, in any order of axes."""
        expected = 1
        for stride, size in sorted((pair for pair in self._long()), key=lambda pair: pair[0]):
            if stride != expected:
                return False
            expected *= size
        return True

    def _long(self) -> list[tuple[int, int]]:
        """Stride and size of every axis of more than one position."""
        return [(stride, size) for size, stride in zip(self.sizes, self.strides, strict=True) if size != 1]

    @cached_property
    def is_channels_last(self) -> bool:
        """Whether an image's channels lie innermost, as PyTorch guesses it from strides."""
        spatial = range(len(self.sizes) - 1, 1, -1)
        if len(spatial) < 2 or self.strides[1] == 0:
            return False
        least = 0
        for axis in (1, *spatial, 0):
            stride = self.strides[axis]
            if stride < least or (axis == 0 and least == self.strides[1]):
                return False
            least = stride * self.sizes[axis]
        return True

    def permuted(self, order: Sequence[int]) -> Layout:
        """The axes in another order."""
        return Layout(tuple(self.sizes[axis] for axis in order), tuple(self.strides[axis] for axis in order))

    def restored(self, order: Sequence[int]) -> Layout:
        """What gives this layout when its axes are put in that order."""
        return self.permuted([list(order).index(axis) for axis in range(len(order))])

    def part(self, axis: int, size: int, step: int = 1) -> Layout:
        """Some positions of an axis."""
        sizes, strides = list(self.sizes), list(self.strides)
        sizes[axis], strides[axis] = size, strides[axis] * step
        return Layout(tuple(sizes), tuple(strides))

    def viewed(self, sizes: tuple[int, ...]) -> Layout | None:
        """The same memory under other sizes; None where only a copy can have them.

        Axes that lie behind each other as one are a run; every run must be cut into new axes of its own.
        """
        runs: list[tuple[int, int]] = []  # elements and stride of each
        for size, stride in zip(self.sizes, self.strides, strict=True):
            if size == 1:
                continue
            if runs and runs[-1][1] == size * stride:
                runs[-1] = (runs[-1][0] * size, stride)
            else:
                runs.append((size, stride))
        strides: list[int] = []
        left, last = (runs or [(1, 1)])[-1]
        for size in reversed(sizes):
            if size != 1 and left == 1:
                if len(runs) <= 1:
                    return None
                runs.pop()
                left, last = runs[-1]
            if left % size:
                return None
            strides.append(last)
            left, last = left // size, last * size
        return Layout(sizes, tuple(reversed(strides)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (self.sizes, self.strides) == (other.sizes, other.strides)

    def __hash__(self) -> int:
        return hash((self.sizes, self.strides))

    def __repr__(self) -> str:
        return f"Layout({self.sizes}, {self.strides})"


class Order(Enum):
    """In what order the axes of a tensor lie that an operator makes."""

    OWN = "that of its indices"
    IMAGE = "channels last if those of its input are"
    INPUTS = "that of its inputs"

    def of(self, layouts: Sequence[Layout], sizes: tuple[int, ...]) -> Layout:
        """The layout of what is made from inputs that lie like this."""
        if self is Order.INPUTS:
            return elementwise(layouts)
        if self is Order.IMAGE and layouts[0].is_channels_last:
            return Layout.channels_last(sizes)
        return Layout.in_order(sizes)


class Given(NamedTuple):
    """How the inputs of one application come to it."""

    layouts: tuple[Layout, ...]
    tensors: tuple[str, ...]
    """What they are called: an operator may be given one tensor several times."""
    wanted: tuple[bool, ...]
    """Of each, whether it needs a gradient; at inference none does."""
    training: bool = False

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape per sample with this batch before it."""
        return (self.layouts[0].sizes[0], *shape)


class Placed(NamedTuple):
    """Where an output lies."""

    layout: Layout
    is_view: bool = False
    """Whether it is in the first input's memory."""
    is_same: bool = False
    """Whether it is the very tensor that the first input is."""


def elementwise(layouts: Sequence[Layout]) -> Layout:
    """Of what is computed element by element: in order if all are, else in the order of the first that says it.

    The rule of PyTorch's `TensorIterator`.
    """
    first = layouts[0]
    if all(one.sizes == first.sizes for one in layouts):
        if all(one.is_in_order for one in layouts):
            return Layout.in_order(first.sizes)
        if first.is_dense and all(one.strides == first.strides for one in layouts):
            return first
    sizes = tuple(max(one.sizes[axis] for one in layouts) for axis in range(len(first.sizes)))
    strides = [
        tuple(0 if n == 1 != m else stride for n, m, stride in zip(one.sizes, sizes, one.strides, strict=True))
        for one in layouts
    ]
    order = list(reversed(range(len(sizes))))  # the innermost first
    for start in range(1, len(order)):
        at = start
        for before in reversed(range(start)):
            swap = _comes_later(order[before], order[at], sizes, strides)
            if swap > 0:
                order[before], order[at] = order[at], order[before]
                at = before
            elif swap < 0:
                break
    return Layout(sizes, _strides(sizes, list(reversed(order))))


def _comes_later(one: int, other: int, sizes: tuple[int, ...], strides: Sequence[tuple[int, ...]]) -> int:
    """Whether axis ``one`` lies outside of ``other`` (1), inside (-1), or nothing says it (0)."""
    for own in strides:
        if own[one] == 0 or own[other] == 0:
            continue
        if own[one] != own[other]:
            return 1 if own[one] > own[other] else -1
        if sizes[one] > sizes[other]:
            return 1
    return 0


def _strides(sizes: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Strides of a dense tensor whose axes lie in ``order``, the outermost first."""
    strides = [1] * len(sizes)
    for outer, inner in reversed(list(pairwise(order))):
        strides[outer] = strides[inner] * max(sizes[inner], 1)
    return tuple(strides)


def elements(layout: Layout) -> int:
    """How many there are."""
    count: int = product(layout.sizes)
    return count
