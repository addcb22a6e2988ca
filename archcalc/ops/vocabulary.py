"""The words in which an operator says what it knows of itself: work, access, memory, gradients, PyTorch's module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from archcalc.arithmetic import Dim, Shape
from archcalc.ops.layout import Layout

Work = dict[str, Dim]
"""Primitive operation to its count for one sample.

A multiply-add with a weight is one `mac`, one of two computed tensors (attention's scores) one `matmul`; the first
term of a sum counts like the others.
"""

PRIMITIVES = ("mac", "matmul", "add", "mul", "div", "compare", "exp", "log", "sqrt", "tanh", "erf")


class PaddingMode(Enum):
    """What a window finds beyond the ends of an axis."""

    NOTHING = "nothing, or a constant"
    MIRRORED = "the axis again, backwards"
    REPEATED = "its last position again"
    WRAPPED = "the axis again, from its other end"

    def inside(self, position: int, size: int) -> int | None:
        """The position of the axis that is seen there; None where none is."""
        if 0 <= position < size:
            return position
        if self is PaddingMode.MIRRORED:
            return -position if position < 0 else 2 * (size - 1) - position
        if self is PaddingMode.REPEATED:
            return min(max(position, 0), size - 1)
        return position % size if self is PaddingMode.WRAPPED else None


class Window(NamedTuple):
    """What one output position sees along one axis: input positions ``stride·i + first … stride·i + last``.

    Bounds and stride may be fractions (upsampling); whole numbers between the bounds are seen.
    """

    stride: Any = 1
    first: Any = 0
    last: Any = 0
    step: Any = None
    """From one tap to the next, where whole numbers between taps are not seen."""
    with_ends: bool = True
    """Whether the bounds themselves are seen, where they are whole."""
    edge: PaddingMode = PaddingMode.NOTHING

    def positions(self, position: int) -> list[int]:
        """The input positions that one output position looks at, those beyond the axis among them."""
        first, last = self.stride * position + self.first, self.stride * position + self.last
        if self.step is not None:
            taps = [first + tap * self.step for tap in range((last - first) // self.step + 1)]
            return [int(tap) for tap in taps if tap % 1 == 0]
        if self.with_ends:
            return list(range(-(-first // 1), last // 1 + 1))
        return list(range(first // 1 + 1, -(-last // 1)))


class AxisAccess(NamedTuple):
    """How an operator looks along one axis beyond a `Window`."""

    keeps_position: bool
    sees: bool = True


SAME_POSITION = Window()
WHOLE_AXIS = AxisAccess(keeps_position=False)
"""Every output sees the whole axis, and its position along it is gone (linear, global pooling)."""
GLANCE = AxisAccess(keeps_position=True)
"""Every output depends on the whole axis but keeps its own position along it (attention, group normalization)."""
NOTHING = AxisAccess(keeps_position=False, sees=False)
"""Nothing of the input is seen (a trained tensor, a constant)."""


class SavedTensors(NamedTuple):
    """Tensors that autograd saves for the backward pass of one layer on a CPU, without weights and buffers."""

    inputs: bool | tuple[bool, ...] = False
    """All of them or none; or of each, whether it is kept."""
    output: bool = False
    elements: Any = 0
    """Elements of other tensors, per sample: statistics, a mask, copies in another order."""
    shared: Any = 0
    """Elements of other tensors that a batch has once."""
    index_bytes: Any = 0
    """Bytes of whole numbers, per sample: where each window's largest element was."""
    precise: Any = 0
    """Elements, per sample, that take 4 bytes at least, whatever the type of the others."""

    def input(self, number: int) -> bool:
        """True if input ``number`` is saved."""
        return self.inputs if isinstance(self.inputs, bool) else self.inputs[number]


class Workspace(NamedTuple):
    """Memory that an operator uses while it runs and then frees."""

    elements: Any = 0
    """Elements, per sample."""
    shared: Any = 0
    """Elements that a batch has once."""
    bytes: Any = 0
    """Bytes of whole numbers and masks, per sample."""
    shared_bytes: Any = 0
    """The same, once for a batch."""
    precise: Any = 0
    """Elements, per sample, that take 4 bytes at least."""


GRADIENT = -1
"""The gradient of the output, beside the numbers of inputs."""


class Workspaces(NamedTuple):
    """Temporary tensors that are alive while the operator runs, one entry per point in time.

    Lists every point that can be the peak for some batch size; inputs and weights are not included. Empty where a run
    makes no more than it must: at inference its output, in training its output and the saved tensors, in the backward
    pass the gradients of inputs and weights.
    """

    inference: tuple[Workspace, ...] = ()
    training: tuple[Workspace, ...] = ()
    backward: tuple[Workspace, ...] = ()
    """Saved tensors that are freed before such a point are subtracted."""
    frees: tuple[tuple[int, int], ...] = ()
    """Numbers of kept inputs, or `GRADIENT`, and from which of these moments on each is given back by the backward
    pass, if nothing else holds it."""


class Gradient(Enum):
    """What the gradient of an input is made of."""

    NEW = "a tensor of its own"
    SAME = "the gradient of the output"
    PART = "a part of the gradient of the output, whose whole memory it holds"


class Returned(NamedTuple):
    """The gradient of one input, as the backward pass returns it."""

    kind: Gradient
    layout: Layout
    is_view: bool = False
    """Whether it is a view of what was computed: then PyTorch adds no other gradient to it in place."""


class Backward(NamedTuple):
    """Multiply-adds of the backward pass, per sample."""

    weights: Any
    """For the gradients of the weights."""
    inputs: Any
    """For the gradients of the inputs, which are only needed where something before is trained."""
    inner: Any = 0
    """For gradients that go on to weights further inside."""
    groups: Any = 1


class Example(NamedTuple):
    """Arguments and input shapes that the conformance test runs an operator with."""

    inputs: tuple[Shape, ...]
    arguments: dict[str, Any]


def example(*inputs: Shape, **arguments: Any) -> Example:
    """An `Example`, written as the operator would be called."""
    return Example(inputs, arguments)


@dataclass(frozen=True)
class Torch:
    """What this application is in PyTorch, as data: `runtime` makes a module or a line of source of it.

    ``target`` is a path: `nn.Conv2d` is a module, `torch.cat` a function, `archcalc.X` a module of `runtime.modules`.
    A function gets its inputs first, as one list where ``listed``, then the arguments. ``then`` is a function of what
    a module gives, where that is more than the output.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    listed: bool = False
    then: str = ""


@cache
def same_axes(count: int) -> tuple[tuple[int, ...], ...]:
    """Every output axis is made of the input axis in its place."""
    return tuple((axis,) for axis in range(count))


def shape_text(shape: Shape) -> str:
    """A shape as people write it: ``3×227×227``."""
    return "×".join(str(size) for size in shape) or "1"
