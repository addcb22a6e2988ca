"""What an operator is: one class that holds everything known of it, written as rules over any number system.

An instance is one *application* of the operator: its arguments, checked and normalized, bound to the shapes that it
is given. Shapes are per sample, without the batch: `[C, H, W]` for an image, `[C]` for a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, NoReturn

from archcalc.arithmetic import Dim, Shape, ShapeError, product, require
from archcalc.errors import UserError
from archcalc.ops.arguments import Argument, BadArgument, declared
from archcalc.ops.layout import Given, Layout, Order, Placed
from archcalc.ops.vocabulary import (
    AxisAccess,
    Backward,
    Example,
    Gradient,
    Returned,
    SavedTensors,
    Torch,
    Window,
    Work,
    Workspaces,
    same_axes,
    shape_text,
)


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
    is_opaque: ClassVar[bool] = False
    """Whether its numbers are given by the spec, not known by a rule."""
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
    given: Mapping[str, Any]
    """The arguments as they were given, not normalized; the others have their defaults."""
    _defaults_by_rank: ClassVar[dict[int, dict[str, Any]]]

    def __init_subclass__(cls) -> None:
        own = declared(cls)
        for argument in own:
            delattr(cls, argument.name)
        known = {**cls.arguments, **{argument.name: argument for argument in own}}
        cls.arguments = dict(sorted(known.items(), key=lambda item: not item[1].required))  # those it must have first
        cls._defaults_by_rank = {}

    def __init__(self, inputs: Sequence[Shape], **given: Any) -> None:
        values = self.__dict__
        values["inputs"] = tuple(inputs)
        values["given"] = given
        self._check_arity()
        rank = self.rank
        known = self.arguments
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
                values[name] = self._default(argument)
        values.update(self.resolved())
        values["output"] = self.output_shape()

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{self.kind} is bound to its inputs and arguments: make a new one to change {name}")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def with_shapes(self, inputs: Sequence[Shape], output: Shape) -> Operator:
        """Return a copy with other shapes, whatever the rule for them gives; its other rules then count with these."""
        other = copy(self)
        other.__dict__.update(inputs=tuple(inputs), output=output)
        return other

    def _check_arity(self) -> None:
        count = len(self.inputs)
        if count < self.least_inputs or (self.most_inputs is not None and count > self.most_inputs):
            need = str(self.least_inputs)
            if self.most_inputs is None:
                need = f"at least {need}"
            elif self.most_inputs != self.least_inputs:
                need += f" to {self.most_inputs}"
            raise ShapeError(f"{self.kind} takes {need} input{'' if need == '1' else 's'}, and is given {count}")

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

    def _default(self, argument: Argument) -> Any:
        """The default that other arguments decide; `BadArgument` where there is none."""
        if argument.required:
            error = BadArgument(f"{self.kind} needs {argument.name}: {argument.doc}")
            error.argument = argument.name
            raise error
        return argument.default(self)

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
        """Raise `ShapeError` if the input is a single number."""
        require(len(self.x) > 0, lambda: f"{self.kind} needs an input with an axis, got a single number")

    def need_spatial(self) -> None:
        """Raise `ShapeError` unless the input has one to three spatial dimensions."""
        require(
            1 <= self.rank <= 3,
            lambda: f"{self.kind} needs an input [C, L], [C, H, W] or [C, D, H, W], got {shape_text(self.x)}",
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

    def resolved(self) -> dict[str, Any]:
        """Return the arguments whose value other arguments or the input decide (`padding: same`), as they then are."""
        return {}

    @abstractmethod
    def output_shape(self) -> Shape:
        """The output's shape, per sample; raises `ShapeError` where the input or an argument does not fit."""

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

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        """How an output position looks along each axis of an only input (the channel axis included)."""
        raise NotImplementedError(f"{self.kind} must say what it sees")

    @property
    def loose_sight(self) -> Mapping[str, str]:
        """Where `sight` says more than is true, with the reason: along `channels` or `positions` it is a bound only.

        Under `nan` the reason why a NaN in the input cannot show what is seen.
        """
        return {}

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        """The same for every input."""
        return (self.sight(),)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """For each output axis, the input axes that it is made of."""
        return same_axes(len(self.output))

    def warning(self, sides: Sequence[bool]) -> str:
        """What is allowed but probably not meant; ``sides`` says which axes of the input are sides of an image."""
        return ""

    def keeps(self) -> SavedTensors:
        """What autograd saves for the backward pass, in training.

        An operator that leaves this out leaves its memory unmodelled.
        """
        raise UserError(f"memory of {self.kind} is not modelled: it does not say what autograd saves")

    def scratch(self) -> Workspaces:
        """The moments at which it holds more than what it must make, on a CPU."""
        return Workspaces()

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

    def keeps_of(self, given: Given) -> SavedTensors:
        """What autograd saves for the backward pass, of inputs that are given in this way."""
        return self.keeps()

    def scratch_of(self, given: Given) -> Workspaces:
        """The moments at which it holds more than what it must make, for inputs that are given in this way.

        Those of the backward pass are of the gradients of inputs, unless an operator says otherwise.
        """
        scratch = self.scratch()
        return scratch if any(given.wanted) else scratch._replace(backward=())

    def models_memory(self) -> bool:
        """Whether it says what autograd saves; if not, only its output and its weights are known."""
        return type(self).keeps is not Operator.keeps

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
        """Return a linear operator with the same receptive field, for the gradient check; None if the identity has it.

        Dependence on a whole axis (`GLANCE`) is ignored.
        """
        return self

    def facts(self) -> dict[str, Any]:
        """What the table's columns filters, kernel, stride and padding show of it."""
        return {}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self.given)
        return f"{self.kind}({shown})"
