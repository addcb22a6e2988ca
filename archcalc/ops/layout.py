"""The layout of a tensor in memory: sizes and strides in elements, and PyTorch's rules for them.

The batch is the first axis. A view is another layout of the same storage. The output of an operator is dense:
contiguous, or in its inputs' order.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cached_property
from itertools import pairwise
from math import prod
from operator import mul
from typing import NamedTuple


class Layout:
    """Sizes and strides of a tensor, in elements."""

    def __init__(self, sizes: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.strides = strides

    @classmethod
    def in_order(cls, sizes: tuple[int, ...]) -> Layout:
        """Return the contiguous layout: the last axis innermost, without gaps."""
        return cls(sizes, _strides(sizes, range(len(sizes))))

    @classmethod
    def channels_last(cls, sizes: tuple[int, ...]) -> Layout:
        """Return the dense layout with the channels innermost (PyTorch's `channels_last`)."""
        return cls(sizes, _strides(sizes, (0, *range(2, len(sizes)), 1)))

    @classmethod
    def exchanged(cls, sizes: tuple[int, ...], first: int, second: int) -> Layout:
        """Return the dense layout in which two axes lie the other way round; the others are in order."""
        order = list(range(len(sizes)))
        order[first], order[second] = order[second], order[first]
        return cls(sizes, _strides(sizes, order))

    @cached_property
    def is_in_order(self) -> bool:
        """True if the elements are in the order of their indices (PyTorch's `is_contiguous`)."""
        expected = 1
        for size, stride in zip(reversed(self.sizes), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    @cached_property
    def is_dense(self) -> bool:
        """True if there are no gaps, whatever the order of axes (PyTorch's `is_non_overlapping_and_dense`)."""
        expected = 1
        long = [pair for pair in zip(self.strides, self.sizes, strict=True) if pair[1] != 1]
        for stride, size in sorted(long, key=lambda pair: pair[0]):
            if stride != expected:
                return False
            expected *= size
        return True

    @cached_property
    def is_channels_last(self) -> bool:
        """True if an image's channels are innermost, as PyTorch's `is_channels_last_strides` infers it."""
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
        """Return the layout with its axes in another order."""
        return Layout(tuple(self.sizes[axis] for axis in order), tuple(self.strides[axis] for axis in order))

    def restored(self, order: Sequence[int]) -> Layout:
        """Return the layout that becomes this one when its axes are put in that order."""
        return self.permuted([list(order).index(axis) for axis in range(len(order))])

    def part(self, axis: int, size: int, step: int = 1) -> Layout:
        """Return the layout of every ``step``-th position of an axis, ``size`` of them."""
        sizes, strides = list(self.sizes), list(self.strides)
        sizes[axis], strides[axis] = size, strides[axis] * step
        return Layout(tuple(sizes), tuple(strides))

    def viewed(self, sizes: tuple[int, ...]) -> Layout | None:
        """Return the layout of the same storage with other sizes; None if they need a copy.

        The rule of PyTorch's `computeStride` (`aten/src/ATen/TensorUtils.cpp`). Adjacent axes that can be merged form a
        run, and every new axis must lie within one run.
        """
        if self.strides == Layout.in_order(self.sizes).strides:
            return Layout.in_order(sizes)
        strides: list[int] = []
        left = list(sizes)
        run, innermost = 1, self.strides[-1]
        for axis in reversed(range(len(self.sizes))):
            run *= self.sizes[axis]
            if axis and (self.sizes[axis - 1] == 1 or self.strides[axis - 1] == run * innermost):
                continue
            taken = 1
            while left and (taken < run or left[-1] == 1):
                strides.append(taken * innermost)
                taken *= left.pop()
            if taken != run:
                return None
            run, innermost = 1, self.strides[axis - 1]
        return None if left else Layout(sizes, tuple(reversed(strides)))

    def joined(self, stop: int) -> Layout | None:
        """Return the layout of the same storage with the axes before ``stop`` as one; None if they need a copy."""
        return self.viewed((prod(self.sizes[:stop]), *self.sizes[stop:]))

    def for_samples(self, count: int) -> Layout:
        """Return the layout of one tensor that every sample has (`expand`): a batch of 1 keeps its stride."""
        stride = 0 if count > 1 else max(map(mul, self.sizes, self.strides), default=1)
        return Layout((count, *self.sizes), (stride, *self.strides))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (self.sizes, self.strides) == (other.sizes, other.strides)

    def __hash__(self) -> int:
        return hash((self.sizes, self.strides))

    def __repr__(self) -> str:
        return f"Layout({self.sizes}, {self.strides})"


class Order(Enum):
    """How the axes of an operator's output are ordered in memory."""

    OWN = "contiguous"
    IMAGE = "channels last if the input is, else contiguous"
    INPUTS = "as its inputs"

    def of(self, layouts: Sequence[Layout], sizes: tuple[int, ...]) -> Layout:
        """Return the layout of a tensor of these sizes, computed from inputs with these layouts."""
        if self is Order.INPUTS:
            return elementwise(layouts)
        if self is Order.IMAGE and layouts[0].is_channels_last:
            return Layout.channels_last(sizes)
        return Layout.in_order(sizes)


class InputTensors(NamedTuple):
    """The input tensors of a layer, as memory rules need them."""

    layouts: tuple[Layout, ...]
    names: tuple[str, ...]
    """Names of the tensors; a layer may take one tensor several times."""
    needs_gradient: tuple[bool, ...]
    """For each input, whether it needs a gradient; all False at inference."""
    training: bool = False
    trains_weights: bool = True
    """False if all weights of the layer are frozen."""
    dtype: str = "float32"
    """The type in which the layer computes."""
    autocast: bool = False
    """True under autocast: weights are float32, and so is what is computed of them without a product."""
    gradient: Layout | None = None
    """The layout of the output's gradient, in the backward pass; None for that of the output."""

    @classmethod
    def one_sample(cls, shapes: Sequence[tuple[int, ...]]) -> InputTensors:
        """Return inputs of one sample, in order, which all need gradients."""
        layouts = tuple(Layout.in_order((1, *shape)) for shape in shapes)
        names = tuple(str(number) for number in range(len(layouts)))
        return cls(layouts, names, (True,) * len(layouts), training=True)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a shape per sample with the batch before it."""
        return (self.layouts[0].sizes[0], *shape)


class Placement(NamedTuple):
    """Where an output is in memory."""

    layout: Layout
    is_view: bool = False
    """True if it shares the first input's storage."""
    is_same: bool = False
    """True if it is the first input itself, not a new view."""
    elements: int | None = None
    """Elements of its storage, for the whole batch; 0 for a view of a weight. None if as many as the output's."""


def elementwise(layouts: Sequence[Layout]) -> Layout:
    """Return the output layout of an elementwise operation.

    The rule of PyTorch's `TensorIterator`: contiguous if all inputs are, else in the order of the first input that
    decides it.
    """
    first = layouts[0]
    if all(layout.sizes == first.sizes for layout in layouts):
        if all(layout.is_in_order for layout in layouts):
            return Layout.in_order(first.sizes)
        if first.is_dense and all(layout.strides == first.strides for layout in layouts):
            return first
    sizes = tuple(max(layout.sizes[axis] for layout in layouts) for axis in range(len(first.sizes)))
    strides = [
        tuple(0 if n == 1 != m else stride for n, m, stride in zip(layout.sizes, sizes, layout.strides, strict=True))
        for layout in layouts
    ]
    order = list(reversed(range(len(sizes))))  # the innermost first
    for start in range(1, len(order)):
        current = start
        for before in reversed(range(start)):
            swap = _comes_later(order[before], order[current], sizes, strides)
            if swap > 0:
                order[before], order[current] = order[current], order[before]
                current = before
            elif swap < 0:
                break
    return Layout(sizes, _strides(sizes, list(reversed(order))))


def _comes_later(left: int, right: int, sizes: tuple[int, ...], strides: Sequence[tuple[int, ...]]) -> int:
    """Return 1 if axis ``left`` is outside of ``right``, -1 if it is inside, 0 if no input decides it."""
    for own in strides:
        if own[left] == 0 or own[right] == 0:
            continue
        if own[left] != own[right]:
            return 1 if own[left] > own[right] else -1
        if sizes[left] > sizes[right]:
            return 1
    return 0


def _strides(sizes: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a dense tensor with its axes in ``order``, the outermost first."""
    strides = [1] * len(sizes)
    for outer, inner in reversed(list(pairwise(order))):
        strides[outer] = strides[inner] * max(sizes[inner], 1)
    return tuple(strides)
