"""The types in which an operator describes itself: work, access, memory, gradients, PyTorch module."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from archcalc.arithmetic import Dim, Shape
from archcalc.ops.layout import Layout
from archcalc.ops.reads import Reads
from archcalc.structs import Struct

Work = dict[str, Dim]
"""Counts of primitive operations for one sample.

A multiply-add with a weight is a `mac`; one of two computed tensors (the scores of attention) is a `matmul`. The first
term of a sum counts like the others.
"""

PRIMITIVES = ("mac", "matmul", "add", "mul", "div", "compare", "exp", "log", "sqrt", "tanh", "erf")


class AxisAccess(NamedTuple):
    """How an operator reads one axis, if not by `Reads`."""

    keeps_position: bool
    reads: bool = True


SAME_POSITION = Reads()
WHOLE_AXIS = AxisAccess(keeps_position=False)
"""Every output depends on the whole axis, and has no position along it (linear, global pooling)."""
GLANCE = AxisAccess(keeps_position=True)
"""Every output depends on the whole axis but keeps its own position along it (attention, group normalization)."""
UNREAD = AxisAccess(keeps_position=False, reads=False)
"""Nothing of the input is read (a trained tensor, a constant)."""

Access = tuple[Reads | AxisAccess, ...]
"""How an operator reads an input, for each axis without the batch."""


class Workspace(Struct):
    """Memory beside inputs, output and weights: what an operator uses while it runs, or what autograd saves."""

    elements: Any = 0
    """Elements, per sample."""
    shared: Any = 0
    """Elements, per batch."""
    bytes: Any = 0
    """Bytes of integers and masks, per sample: the index of each window's largest element."""
    shared_bytes: Any = 0
    """Bytes of integers and masks, per batch."""
    precise: Any = 0
    """Elements, per sample, that take at least 4 bytes, whatever the dtype."""
    shared_precise: Any = 0
    """Such elements per batch."""


class SavedTensors(Workspace):
    """Tensors that autograd saves for a layer's backward pass on a CPU, without weights and buffers.

    Besides inputs and the output, these are statistics, a mask, copies in another order.
    """

    inputs: bool | tuple[bool, ...] = False
    """True if all inputs are saved; or whether each is."""
    output: bool = False

    def input(self, number: int) -> bool:
        """Return True if input ``number`` is saved."""
        return self.inputs if isinstance(self.inputs, bool) else self.inputs[number]


GRADIENT = -1
"""Number of the output's gradient, beside the numbers of inputs."""


class EarlyGradient(NamedTuple):
    """The gradient of an input that is there before the backward pass of its operator ends."""

    position: int
    """Number of the input."""
    before: int
    """The first point of `Workspaces.backward` after it."""
    workspace: Workspace
    """What is live when it is there, with itself."""
    released: frozenset[int]
    """Numbers of saved inputs, or `GRADIENT`, that are freed by then."""


class Workspaces(Struct):
    """Temporary tensors that are alive while the operator runs, one entry per point in time.

    Lists every point that can be the peak for some batch size; inputs and weights are not included. Empty if a run
    allocates only its results. These are the output, in training also the saved tensors, and in the backward pass the
    gradients of inputs and weights.
    """

    inference: tuple[Workspace, ...] = ()
    training: tuple[Workspace, ...] = ()
    backward: tuple[Workspace, ...] = ()
    """Saved tensors that are freed before such a point are subtracted."""
    frees: tuple[tuple[int, int], ...] = ()
    """Numbers of saved inputs, or `GRADIENT`, each with the first point of `backward` at which it is freed, if nothing
    else holds it."""
    afterwards: tuple[Workspace, ...] = ()
    """Forward, when the output is there and the inputs are freed, if nothing else holds them."""
    gives: tuple[EarlyGradient, ...] = ()
    """The gradients of inputs that come early. They are part of the points, and are added to others that wait."""


class GradientKind(Enum):
    """The storage of an input's gradient."""

    NEW = "a storage of its own"
    SAME = "the gradient of the output"
    PART = "a part of the gradient of the output, whose whole storage it holds"


class InputGradient(Struct):
    """The gradient of one input, as the backward pass returns it."""

    kind: GradientKind
    layout: Layout
    is_view: bool = False
    """True if it is a view of a computed tensor: PyTorch then adds no other gradient to it in place."""
    elements: int | None = None
    """Elements of a new storage, for the whole batch. None if as many as the input's."""


class Backward(NamedTuple):
    """Multiply-adds of the backward pass, per sample."""

    weights: Any
    """For the gradients of the weights."""
    inputs: Any
    """For the gradients of the inputs, which are needed only if a layer before is trained."""
    inner: Any = 0
    """For gradients inside the operator, which lead to its weights and to its inputs."""
    groups: Any = 1


class Autocast(Enum):
    """What PyTorch's autocast does with an operator."""

    LOWER = "casts floating inputs and weights to the lower type"
    FLOAT32 = "casts inputs and weights to float32"
    INSIDE = "takes inputs as they are, and has a step in float32"
    WIDEST = "computes in the widest of its inputs"


class Example(NamedTuple):
    """Input shapes and arguments with which the conformance test runs an operator."""

    inputs: tuple[Shape, ...]
    arguments: dict[str, Any]


def example(*inputs: Shape, **arguments: Any) -> Example:
    """Return an `Example`, written as the operator would be called."""
    return Example(inputs, arguments)


class Torch(Struct):
    """The PyTorch call that an operator is, as data; `runtime` makes a module or a line of source of it.

    ``target`` is a path: `nn.Conv2d` is a module, `torch.cat` a function, `archcalc.X` a module of `runtime.modules`.
    A function takes its inputs first, as one list if ``listed``, then the arguments. ``then`` is a function that takes
    the output out of what a module returns.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    listed: bool = False
    then: str = ""


@cache
def same_axes(count: int) -> tuple[tuple[int, ...], ...]:
    """Return `Operator.axes` of an operator that keeps the axes in place."""
    return tuple((axis,) for axis in range(count))


def shape_text(shape: Shape) -> str:
    """Return a shape as people write it: ``3×227×227``."""
    return "×".join(str(size) for size in shape) or "1"


def compact(values: Any) -> Any:
    """Return one value for a tuple of equal values, as PyTorch's arguments and tables have it."""
    return values[0] if isinstance(values, tuple) and len(set(values)) == 1 else values
