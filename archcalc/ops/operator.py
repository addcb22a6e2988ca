"""The base class of operators: all that is known of one operator, as rules over any number system.

An instance is one use of the operator: its checked and normalized arguments, bound to the shapes of its inputs. Shapes
are per sample, without the batch: `[C, H, W]` for an image, `[C]` for a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, NoReturn

from archcalc.arithmetic import Dim, Shape, ShapeError, product, require
from archcalc.errors import UserError
from archcalc.ops.arguments import Argument, BadArgument, declared
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.naming import AxisNames, followed
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    Access,
    Backward,
    Example,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspaces,
    compact,
    same_axes,
    shape_text,
)


class Operator(ABC):
    """Base of all operators; a subclass declares `kind`, `category`, `examples`, arguments and rules."""

    kind: ClassVar[str]
    """The operator's name in a spec."""
    synonyms: ClassVar[str] = ""
    """Its names in PyTorch, Keras, TensorFlow, Caffe and ONNX, in lower case; an error suggests ours for them."""
    aten: ClassVar[str] = ""
    """The operations of PyTorch that it may be, without overload and trailing underscore: `conv1d conv2d conv3d`."""
    onnx: ClassVar[str] = ""
    """The operations of ONNX that it may be."""
    onnx_names: ClassVar[Mapping[str, str]] = {}
    """Its names of weights and buffers to ONNX's names of the inputs that hold them."""
    category: ClassVar[str]
    """Its family in drawings and reports: convolution, pooling, linear, normalization, activation, …"""
    joins: ClassVar[bool] = False
    """True if a spec gives it branches."""
    takes_indices: ClassVar[bool] = False
    """True if its input has integers that are indices."""
    gives_indices: ClassVar[bool] = False
    """True if its output has integers that may be indices."""
    ignores_numbers: ClassVar[bool] = False
    """True if it uses nothing of its input but the number of samples."""
    integer_buffers: ClassVar[tuple[str, ...]] = ()
    """Names of the buffers of 8-byte integers, which do not have the dtype of the others."""
    exactness: ClassVar[str] = "exact"
    """`exact` if rules give its numbers; `opaque` if the spec does; `generic` if an importer does."""
    moves_elements: ClassVar[bool] = False
    """True if it gives elements of what it takes as they are, so that indices stay indices."""
    numbers_are_given: ClassVar[bool] = False
    """True if its multiply-adds and weights are arguments, which no rule checks."""
    is_view: ClassVar[bool] = False
    """True if its output at inference is a view of its input."""
    memory_order: ClassVar[Order] = Order.OWN
    """The order of its output's axes in memory. The gradient of an input is ordered as the input decides."""
    weight_gradients_are_views: ClassVar[bool] = False
    """True if the gradients of its weights are views of computed tensors (`InputGradient.is_view`)."""
    saved: ClassVar[SavedTensors | None] = None
    """What autograd saves, if it does not depend on arguments; see `saved_tensors`."""
    can_overwrite: ClassVar[bool] = False
    """True if its module can write its output over its input (PyTorch's `inplace=True`)."""
    takes_value: ClassVar[bool] = True
    """True if a spec may write its first argument as the operator's own value: `dropout: 0.5`."""
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1
    """The largest number of inputs; None for any number."""
    arguments: ClassVar[dict[str, Argument]] = {}
    examples: ClassVar[tuple[Example, ...]] = ()

    called: str | None = None
    """The module of PyTorch that an imported layer was called as (`nn.ReLU`), empty for a function; tools that count
    modules tell them apart. None if it is what `torch` says."""
    inputs: tuple[Shape, ...]
    """Shapes of the inputs, per sample."""
    output: Shape
    given: Mapping[str, Any]
    """The arguments as the spec has them, not normalized, without defaults."""
    _defaults_by_rank: ClassVar[dict[int, dict[str, Any]]]

    def __init_subclass__(cls) -> None:
        own = declared(cls)
        for argument in own:
            delattr(cls, argument.name)
        known = {**cls.arguments, **{argument.name: argument for argument in own}}
        cls.arguments = dict(sorted(known.items(), key=lambda item: not item[1].required))  # required ones first
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
            if name not in known:
                raise self._bad_argument(name, f"{self.kind} has no argument {name}")
            try:
                values[name] = known[name].type.check(value, rank)
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
        """Return a copy with other shapes, without checking them; its other rules then use these."""
        other = copy(self)
        other.__dict__.update(inputs=tuple(inputs), output=output)
        return other

    def called_as(self, called: str | None) -> Operator:
        """Return a copy that was called as a module, or as a function; see `called`."""
        other = copy(self)
        other.__dict__["called"] = called
        return other

    def _check_arity(self) -> None:
        count = len(self.inputs)
        if count < self.least_inputs or (self.most_inputs is not None and count > self.most_inputs):
            need = str(self.least_inputs)
            if self.most_inputs is None:
                need = f"at least {need}"
            elif self.most_inputs != self.least_inputs:
                need += f" to {self.most_inputs}"
            raise ShapeError(f"{self.kind} needs {need} input{'' if need == '1' else 's'}, got {count}")

    @classmethod
    def _defaults(cls, rank: int) -> dict[str, Any]:
        """Return the plain defaults, normalized once per number of spatial dimensions."""
        cached = cls._defaults_by_rank.get(rank)
        if cached is None:
            cached = cls._defaults_by_rank[rank] = {
                name: argument.type.check(argument.default, rank)
                for name, argument in cls.arguments.items()
                if not argument.required and not callable(argument.default)
            }
        return cached

    def _default(self, argument: Argument) -> Any:
        """Return the default that other arguments decide. Raises `BadArgument` for a required argument."""
        if argument.required:
            raise self._bad_argument(argument.name, f"{self.kind} needs {argument.name}: {argument.doc}")
        return argument.default(self)

    @staticmethod
    def _bad_argument(name: str, message: str) -> BadArgument:
        error = BadArgument(message)
        error.argument = name
        return error

    def changed(self, *names: str) -> dict[str, Any]:
        """Return those of the named arguments that differ from their defaults, as PyTorch takes them.

        The same value for all spatial dimensions becomes one number.
        """
        defaults, found = self._defaults(self.rank), {}
        for name in names:
            value, default = getattr(self, name), defaults[name]
            if {value} != {default}:  # by hash, because a traced number would record the comparison
                found[name] = float(value) if isinstance(default, float) else compact(value)
        return found

    def changes_nothing(self) -> bool:
        """Return True if it gives its first input again, so that an imported network can leave it out."""
        return False

    # -- importing

    @classmethod
    def from_aten(cls, call: Call) -> Mapping[str, Any] | None:
        """Return the arguments with which it is a call of one of `aten`; None if it is not that call.

        It may raise `ShapeError` too. Its inputs are the call's computed tensors, its weights the stored ones of the
        same names, unless `call_inputs` and `call_weights` say otherwise.
        """
        return {}

    @classmethod
    def from_onnx(cls, call: Call) -> Mapping[str, Any] | None:
        """Return the arguments with which it is a call of one of `onnx`; None if it is not that call."""
        return {}

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        """Return the computed tensors that it takes."""
        return call.operands

    def call_weights(self, call: Call) -> Mapping[str, Stored]:
        """Return the stored tensors of a call that are its weights and buffers, by its names for them."""
        names = (*self.weights(), *self.buffers())
        if names == ("",):
            return {"": call.stored[0]} if call.stored else {}
        found = {name: call.arguments.get(name, call.arguments.get(self.onnx_names.get(name, ""))) for name in names}
        return {name: stored for name, stored in found.items() if isinstance(stored, Stored)}

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

    def axis_index(self, axis: int) -> int:
        """Return an axis as a number from 0; negative ones count from the end, as in PyTorch."""
        axes = len(self.x)
        require(-axes <= axis < axes, lambda: f"axis {axis} is not one of {shape_text(self.x)}")
        return axis % axes

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
        """Number of elements of the output, per sample."""
        elements: Dim = product(self.output)
        return elements

    @property
    def is_view_in_training(self) -> bool:
        """True if its output in training is a view of its input; dropout then makes a new tensor."""
        return self.is_view

    @property
    def work_is_known(self) -> bool:
        """False if its multiply-adds are not known, so that totals with it are lower bounds."""
        return True

    @property
    def survival(self) -> float:
        """Probability that training computes the branch that ends here."""
        return 1

    # -- the rules

    @classmethod
    def principal(cls) -> str | None:
        """Return the argument that a spec may write as the operator's own value."""
        return next(iter(cls.arguments), None) if cls.takes_value else None

    @classmethod
    def inline_defaults(cls, given: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """Return the arguments that an inline spec (`conv 3x3 C->C`) implies; for others the defaults hold.

        ``given`` are the arguments in the spec, not checked yet; ``rank`` is that of its input.
        """
        return {}

    def resolved(self) -> dict[str, Any]:
        """Return the final values of arguments that other arguments or the input decide (`padding: same`)."""
        return {}

    @abstractmethod
    def output_shape(self) -> Shape:
        """Return the output's shape, per sample. Raises `ShapeError` if the input or an argument does not fit."""

    def weights(self) -> dict[str, Shape]:
        """Return the shapes of trainable tensors by their names in PyTorch.

        The name of a tensor that is the layer itself (`class_token`) is empty.
        """
        return {}

    def buffers(self) -> dict[str, Shape]:
        """Return the shapes of stored tensors that are not trained, by their names in PyTorch."""
        return {}

    @abstractmethod
    def work(self) -> Work:
        """Return the counts of primitive operations for one sample, at inference."""

    def backward(self) -> Backward:
        """Return the multiply-adds of the backward pass: each product of the forward pass has two gradients."""
        work = self.work()
        return Backward(weights=work.get("mac", 0), inputs=work.get("mac", 0) + 2 * work.get("matmul", 0))

    def idle_params(self) -> Dim:
        """Return the trained elements that one sample position does not use: those of experts it is not given to."""
        return 0

    def work_per_batch(self) -> Work:
        """Return the counts of primitive operations that are done once for a batch, beside `work`."""
        return {}

    def backward_per_batch(self) -> Backward:
        """Return the multiply-adds of the backward pass of `work_per_batch`, per batch."""
        return Backward(weights=0, inputs=0)

    def tools_agree(self) -> bool:
        """Return False if the counts of torchinfo, thop and ptflops for it are not known."""
        return True

    def extra_work(self) -> Work:
        """Return quantities beyond `work` that only the conventions of other tools count."""
        return {}

    def access(self) -> Access:
        """Return how an output position reads each axis (channels included) of the only input.

        By default it reads its own position along every axis.
        """
        return (SAME_POSITION,) * len(self.x)

    @property
    def overestimates(self) -> Mapping[str, str]:
        """The axes (`channels`, `positions`) for which `access` is only an upper bound, with the reasons.

        Under `nan`, the reason why a NaN in the input does not show what is read.
        """
        return {}

    def accesses(self) -> tuple[Access, ...]:
        """Return `access` for every input."""
        return (self.access(),)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Return, for each output axis, the input axes that it is made of."""
        return same_axes(len(self.output))

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """Return the names of the output's axes from those of the inputs'; by default they follow `axes`."""
        return followed(inputs[0], self.axes())

    def expected_axes(self) -> AxisNames:
        """Return what the axes of an input are if nothing names them; empty if it may be anything."""
        return ()

    def warning(self, sides: Sequence[bool]) -> str:
        """Return a warning about a probable mistake, or nothing; ``sides`` marks an image's input axes."""
        return ""

    @abstractmethod
    def torch(self) -> Torch:
        """Return the PyTorch module or function that this operator is."""

    def linearized(self) -> Operator | None:
        """Return a linear operator with the same receptive field, for the gradient check.

        None if the identity has it. Dependence on a whole axis (`GLANCE`) is ignored.
        """
        return self

    def hyperparameters(self) -> dict[str, Any]:
        """Return what the table's columns filters, kernel, stride and padding show."""
        return {}

    # -- memory; an operator without `saved` or `saved_tensors` is not modelled

    def models_memory(self) -> bool:
        """Return True if the operator says what autograd saves; if not, only its output and weights are known."""
        return self.saved is not None or type(self).saved_tensors is not Operator.saved_tensors

    def saved_tensors(self) -> SavedTensors:
        """Return what autograd saves for the backward pass, in training."""
        if self.saved is None:
            raise UserError(f"memory of {self.kind} is not modelled: it does not say what autograd saves")
        return self.saved

    def workspaces(self) -> Workspaces:
        """Return the memory that it uses while it runs on a CPU, beside its results."""
        return Workspaces()

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        """Return the storage of each input's gradient."""
        return (GradientKind.NEW,) * len(self.inputs)

    def pairs(self) -> Sequence[Operator]:
        """Return a join of more than two inputs as operators of two, which run one after another."""
        return ()

    # -- the same, where it depends on the inputs' layouts or on which of them need a gradient

    def placement(self, tensors: InputTensors) -> Placement:
        """Return where the output is in memory; by default in a new storage."""
        return Placement(self.memory_order.of(tensors.layouts, tensors.sizes(self.output)))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """Return what autograd saves for the backward pass, for these inputs."""
        return self.saved_tensors()

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Return the memory that it uses while it runs, for these inputs.

        By default, `Workspaces.backward` is needed only for gradients of inputs.
        """
        workspaces = self.workspaces()
        return workspaces if any(tensors.needs_gradient) else workspaces._replace(backward=())

    @property
    def may_use_more_memory(self) -> bool:
        """True if PyTorch may use more memory than the rules say."""
        return False

    def is_approximate(self, tensors: InputTensors) -> bool:
        """Return True if the peaks are not exact to the byte."""
        return False

    def early_gradients(self, tensors: InputTensors) -> tuple[int, ...]:
        """Return the numbers of inputs whose gradients are added to others before the backward pass ends."""
        return ()

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        """Return True if 2-byte numbers are computed in 4-byte tensors."""
        return False

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        """Return True if its weights' gradients come one after another: shared ones are added early."""
        return False

    def copied_weight_gradients(self, tensors: InputTensors) -> Any:
        """Return the elements of weight gradients that are copied into the layout of the weights."""
        return 0

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        """Return True if the backward pass begins with a copy of its output's gradient in another layout."""
        return False

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """Return the gradient of each input, from the layout of the output's gradient.

        None for an input whose gradient is part of another input's, which is the same tensor.
        """
        return tuple(
            InputGradient(
                kind, gradient if kind is GradientKind.SAME else self.memory_order.of([layout, gradient], layout.sizes)
            )
            for kind, layout in zip(self.gradient_kinds(), tensors.layouts, strict=True)
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self.given)
        return f"{self.kind}({shown})"
