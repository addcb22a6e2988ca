"""What an operator is: one class that holds everything known of it, written as rules over any number system.

An instance is one *application* of the operator: its arguments, checked and normalized, bound to the shapes that it
is given. Shapes are per sample, without the batch: `[C, H, W]` for an image, `[C]` for a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, NamedTuple

from archcalc.arithmetic import Dim, Shape, Unmet, product, require
from archcalc.ops.arguments import Argument, BadArgument, declared
from archcalc.ops.layout import Given, Layout, Order, Placed

Work = dict[str, Dim]
"""Primitive operation to its count for one sample.

A multiply-add with a weight is one `mac`, one of two computed tensors (attention's scores) one `matmul`; the first
term of a sum counts like the others.
"""

PRIMITIVES = ("mac", "matmul", "add", "mul", "div", "compare", "exp", "log", "sqrt", "tanh", "erf")


class Edge(Enum):
    """What a window finds beyond the ends of an axis."""

    NOTHING = "nothing, or a constant"
    MIRRORED = "the axis again, backwards"
    REPEATED = "its last position again"
    WRAPPED = "the axis again, from its other end"

    def inside(self, position: int, size: int) -> int | None:
        """The position of the axis that is seen there; None where none is."""
        if 0 <= position < size:
            return position
        if self is Edge.MIRRORED:
            return -position if position < 0 else 2 * (size - 1) - position
        if self is Edge.REPEATED:
            return min(max(position, 0), size - 1)
        return position % size if self is Edge.WRAPPED else None


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
    edge: Edge = Edge.NOTHING

    def positions(self, position: int) -> list[int]:
        """The input positions that one output position looks at, those beyond the axis among them."""
        first, last = self.stride * position + self.first, self.stride * position + self.last
        if self.step is not None:
            taps = [first + tap * self.step for tap in range((last - first) // self.step + 1)]
            return [int(tap) for tap in taps if tap % 1 == 0]
        if self.with_ends:
            return list(range(-(-first // 1), last // 1 + 1))
        return list(range(first // 1 + 1, -(-last // 1)))


class Sight(NamedTuple):
    """How an operator looks along one axis beyond a `Window`."""

    keeps_position: bool


SAME_POSITION = Window()
WHOLE_AXIS = Sight(keeps_position=False)
"""Every output sees the whole axis, and its position along it is gone (linear, global pooling)."""
GLANCE = Sight(keeps_position=True)
"""Every output sees the whole axis, yet still stands at its own position (attention, group normalization)."""


class Keeps(NamedTuple):
    """What autograd keeps of one application for the backward pass, weights and buffers apart, on a CPU."""

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

    def input(self, at: int) -> bool:
        """Whether input number ``at`` is kept."""
        return self.inputs if isinstance(self.inputs, bool) else self.inputs[at]


class Held(NamedTuple):
    """Tensors that are there for a while."""

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


class Scratch(NamedTuple):
    """Moments of one application's run, each with the tensors that it then has made and not yet given back.

    All moments that may hold the most, whatever the batch is; inputs and weights are apart. None are given where a run
    makes what it must and no more: at inference its output, in training its output and what autograd keeps, in the
    backward pass the gradients of inputs and weights, after which all that it took is given back.
    """

    inference: tuple[Held, ...] = ()
    training: tuple[Held, ...] = ()
    backward: tuple[Held, ...] = ()
    """Of what was saved for the backward pass, what it gives back before such a moment is taken off."""
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


@dataclass(frozen=True)
class Torch:
    """What this application is in PyTorch, as data: `runtime` makes a module or a line of source of it.

    ``target`` is a path: `nn.Conv2d` is a module, `torch.cat` a function, `archcalc.X` a module of `runtime.modules`.
    A function gets its inputs first, as one list where ``listed``, then the arguments.
    """

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    listed: bool = False


class Operator(ABC):
    """Base of all operators. A subclass declares `kind`, `category`, `examples`, its arguments and its rules."""

    kind: ClassVar[str]
    """The operator's name in a spec."""
    synonyms: ClassVar[str] = ""
    """What PyTorch, Keras, TensorFlow, Caffe and ONNX call it, in lower case: a spec that says so is told our word."""
    category: ClassVar[str]
    """Its family in drawings and reports: convolution, pooling, linear, normalization, activation, …"""
    joins: ClassVar[bool] = False
    """Whether a spec gives it branches."""
    takes_indices: ClassVar[bool] = False
    """Whether its input is whole numbers that point at something, not numbers to compute with."""
    whole_numbers: ClassVar[tuple[str, ...]] = ()
    """Names of the buffers that are whole numbers of 8 bytes, whatever type the others are of."""
    is_view: ClassVar[bool] = False
    """Whether its output is its input's memory, seen otherwise, at inference."""
    memory_order: ClassVar[Order] = Order.OWN
    """How what it makes lies in memory; its inputs' gradients lie as the inputs would have it."""
    weights_by_views: ClassVar[bool] = False
    """Whether the gradients of its weights come as views (`Returned.is_view`)."""
    returns_in_parts: ClassVar[bool] = False
    """Whether its input's gradient comes in several parts, each added to what is there."""
    can_overwrite: ClassVar[bool] = False
    """Whether its module can write its output over its input (PyTorch's `inplace=True`)."""
    takes_value: ClassVar[bool] = True
    """Whether a spec may write its first argument as its own value: `dropout: 0.5`."""
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1
    arguments: ClassVar[dict[str, Argument]] = {}
    examples: ClassVar[tuple[Example, ...]] = ()

    inputs: tuple[Shape, ...]
    output: Shape
    _defaults_by_rank: ClassVar[dict[int, dict[str, Any]]]

    def __init_subclass__(cls) -> None:
        own = declared(cls, lambda name: delattr(cls, name))
        known = {**cls.arguments, **{argument.name: argument for argument in own}}
        cls.arguments = dict(sorted(known.items(), key=lambda item: not item[1].required))  # those it must have first
        cls._defaults_by_rank = {}

    def __init__(self, inputs: Sequence[Shape], **given: Any) -> None:
        self.inputs = tuple(inputs)
        self._check_arity()
        self.given = given
        rank = self.rank
        known = self.arguments
        values = self.__dict__
        values.update(self._defaults(rank))
        for name, value in given.items():
            try:
                argument = known[name]
            except KeyError:
                raise self._unknown(name) from None
            try:
                values[name] = argument.type.check(value, rank)
            except BadArgument as error:
                error.argument = name
                error.args = (f"{name} {error}",)
                raise
        for name, argument in known.items():
            if name not in values:
                self._fill(name, argument)
        self.output = self.output_shape()

    def _check_arity(self) -> None:
        count = len(self.inputs)
        if count < self.least_inputs or (self.most_inputs is not None and count > self.most_inputs):
            need = str(self.least_inputs)
            if self.most_inputs is None:
                need = f"at least {need}"
            elif self.most_inputs != self.least_inputs:
                need += f" to {self.most_inputs}"
            raise Unmet(f"{self.kind} takes {need} input{'' if need == '1' else 's'}, and is given {count}")

    @classmethod
    def _defaults(cls, rank: int) -> dict[str, Any]:
        """Plain defaults, normalized once per number of spatial dimensions."""
        cached = cls._defaults_by_rank.get(rank)
        if cached is None:
            cached = cls._defaults_by_rank[rank] = {
                name: argument.type.check(argument.default, rank)
                for name, argument in cls.arguments.items()
                if not argument.required and not callable(argument.default)
            }
        return cached

    def _fill(self, name: str, argument: Argument) -> None:
        if argument.required:
            error = BadArgument(f"{self.kind} needs {name}: {argument.doc}")
            error.argument = name
            raise error
        self.__dict__[name] = argument.default(self)

    def _unknown(self, name: str) -> BadArgument:
        error = BadArgument(f"{self.kind} has no argument {name}")
        error.argument = name
        return error

    # -- the input

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0]

    @property
    def channels_in(self) -> Dim:
        """The size of the first input's first axis."""
        self.need_axis()
        return self.inputs[0][0]

    @property
    def rank(self) -> int:
        """Number of spatial dimensions of the first input."""
        return len(self.inputs[0]) - 1

    def need_axis(self) -> None:
        """State that the input is no single number."""
        require(len(self.x) > 0, lambda: f"{self.kind} needs an input with an axis, and is given a single number")

    def need_spatial(self) -> None:
        """State that this operator needs an input of one to three spatial dimensions."""
        require(
            1 <= self.rank <= 3,
            lambda: f"{self.kind} needs an input [C, L], [C, H, W] or [C, D, H, W], and is given {shape_text(self.x)}",
        )

    @property
    def elements(self) -> Dim:
        """Number of elements of the output."""
        elements: Dim = product(self.output)
        return elements

    @property
    def is_view_in_training(self) -> bool:
        """The same, in training: dropout then makes a tensor of its own."""
        return self.is_view

    @property
    def survival(self) -> float:
        """The chance that training computes the branch that ends here."""
        return 1

    # -- the rules

    @classmethod
    def principal(cls) -> str | None:
        """The argument that a spec may write as the operator's own value."""
        return next(iter(cls.arguments), None) if cls.takes_value else None

    @classmethod
    def left_out_of_piece(cls, given: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """Arguments as a short piece (`conv 3x3 C->C`) means them where it does not give them; else the defaults hold.

        ``given`` are the arguments that the piece gives, not checked yet; ``rank`` is that of its input.
        """
        return {}

    @abstractmethod
    def output_shape(self) -> Shape:
        """The output's shape, per sample; raises `Unmet` where the input or an argument does not fit."""

    def weights(self) -> dict[str, Shape]:
        """Trainable tensors: name to shape, named as in PyTorch.

        The name of a tensor that is the layer itself (`class_token`) is empty.
        """
        return {}

    def buffers(self) -> dict[str, Shape]:
        """Tensors that are stored but not trained: name to shape, named as in PyTorch."""
        return {}

    @abstractmethod
    def work(self) -> Work:
        """Counts of primitive operations for one sample, at inference."""

    def backward(self) -> Backward:
        """Multiply-adds of the backward pass: each product of the forward pass has a gradient on both sides."""
        work = self.work()
        return Backward(weights=work.get("mac", 0), inputs=work.get("mac", 0) + 2 * work.get("matmul", 0))

    def further(self) -> Work:
        """Quantities beyond `work` that only the conventions of other tools count."""
        return {}

    def sight(self) -> tuple[Window | Sight, ...]:
        """How an output position looks along each axis of an only input (the channel axis included)."""
        raise NotImplementedError(f"{self.kind} must say what it sees")

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        """The same for every input."""
        return (self.sight(),)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """For each output axis, the input axes that it is made of."""
        return same_axes(len(self.output))

    def warning(self, sides: Sequence[bool]) -> str:
        """What is allowed but probably not meant; ``sides`` says which axes of the input are sides of an image."""
        return ""

    @abstractmethod
    def keeps(self) -> Keeps:
        """What autograd saves for the backward pass, in training."""

    def scratch(self) -> Scratch:
        """The moments at which it holds more than what it must make, on a CPU."""
        return Scratch()

    def gradients(self) -> tuple[Gradient, ...]:
        """For each input, what its gradient is made of."""
        return (Gradient.NEW,) * len(self.inputs)

    # -- memory, as it depends on how the inputs lie, and on which of them need a gradient; else as declared above

    def pairs(self) -> Sequence[Operator]:
        """Of a join that takes more than two inputs one after another, each as an operator of two."""
        return ()

    def place(self, given: Given) -> Placed:
        """Where the output lies: a tensor of its own, unless an operator says otherwise."""
        return Placed(self.memory_order.of(given.layouts, given.sizes(self.output)))

    def keeps_of(self, given: Given) -> Keeps:
        """What autograd saves for the backward pass, of inputs that are given in this way."""
        return self.keeps()

    def scratch_of(self, given: Given) -> Scratch:
        """The moments at which it holds more than what it must make, for inputs that are given in this way.

        Those of the backward pass are of the gradients of inputs, unless an operator says otherwise.
        """
        scratch = self.scratch()
        return scratch if any(given.wanted) else scratch._replace(backward=())

    @property
    def is_loose(self) -> bool:
        """Whether it may take more memory than is said."""
        return False

    def gives_weights_in_parts(self, given: Given) -> bool:
        """Whether the gradients of its weights come one after another: shared ones are then added on the way."""
        return False

    def widens_halves(self, given: Given) -> bool:
        """Whether it computes numbers of 2 bytes in tensors of 4."""
        return False

    def copied_weights(self, given: Given) -> Any:
        """Elements of gradients of weights that lie otherwise than the weights, and are copied."""
        return 0

    def is_nearly(self, given: Given) -> bool:
        """Whether its peaks are not to the byte."""
        return False

    def copies_gradient(self, given: Given, gradient: Layout) -> bool:
        """Whether the backward pass begins with a copy of its output's gradient, since that lies in another way."""
        return False

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """For each input, what its gradient is made of and how it lies, from the gradient of the output.

        None where it is part of another input's, which is the same tensor.
        """
        return tuple(
            Returned(
                kind, gradient if kind is Gradient.SAME else self.memory_order.of([layout, gradient], layout.sizes)
            )
            for kind, layout in zip(self.gradients(), given.layouts, strict=True)
        )

    @abstractmethod
    def torch(self) -> Torch:
        """The PyTorch module or function that this is."""

    def linearized(self) -> Operator | None:
        """A linear operator that sees the same positions: what stands for it where gradients measure what is seen.

        None where the input itself does. What an operator glances at is left out.
        """
        return self

    def facts(self) -> dict[str, Any]:
        """What the table's columns filters, kernel, stride and pad show of it."""
        return {}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self.given)
        return f"{self.kind}({shown})"


@cache
def same_axes(count: int) -> tuple[tuple[int, ...], ...]:
    """Every output axis is made of the input axis in its place."""
    return tuple((axis,) for axis in range(count))


def shape_text(shape: Shape) -> str:
    """A shape as people write it: ``3×227×227``."""
    return "×".join(str(size) for size in shape) or "1"


def example(*inputs: Shape, **arguments: Any) -> Example:
    """An `Example`, written as the operator would be called."""
    return Example(inputs, arguments)
