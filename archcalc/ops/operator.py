"""The base class of operators: all that is known of one operator, as rules over any number system.

An instance is one use of the operator: its checked and normalized arguments, bound to the shapes of its inputs. Shapes
are per sample, without the batch: `[C, H, W]` for an image, `[C]` for a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, NoReturn

from archcalc.arithmetic import Dim, Shape, ShapeError
from archcalc.ops.arguments import BadArgument, Real
from archcalc.ops.calls import Call, Stored
from archcalc.ops.declaring import Argument, declared
from archcalc.ops.importing import Importable
from archcalc.ops.memory_rules import MemoryRules
from archcalc.ops.naming import AxisNames, followed
from archcalc.ops.vocabulary import SAME_POSITION, Access, Autocast, Backward, Example, Torch, Work, compact, same_axes


class Operator(Importable, MemoryRules, ABC):
    """Base of all operators; a subclass declares `kind`, `category`, `examples`, arguments and rules."""

    synonyms: ClassVar[str] = ""
    """Its names in PyTorch, Keras, TensorFlow, Caffe and ONNX, in lower case; an error suggests ours for them."""
    category: ClassVar[str]
    """Its family in drawings and reports: convolution, pooling, linear, normalization, activation, …"""
    joins: ClassVar[bool] = False
    """True if a spec gives it branches."""
    takes_indices: ClassVar[bool] = False
    """True if its input has integers that are indices."""
    gives_indices: ClassVar[bool] = False
    """True if its output has integers that may be indices."""
    integer_buffers: ClassVar[tuple[str, ...]] = ()
    """Names of the buffers of 8-byte integers, which do not have the dtype of the others."""
    exactness: ClassVar[str] = "exact"
    """`exact` if rules give its numbers; `opaque` if the spec does; `generic` if an importer does."""
    moves_elements: ClassVar[bool] = False
    """True if it gives elements of what it takes as they are, so that indices stay indices."""
    numbers_are_given: ClassVar[bool] = False
    """True if its multiply-adds and weights are arguments, which no rule checks."""
    scales_channels: ClassVar[bool] = False
    """True if at inference it scales and shifts each channel by constants."""
    adds: ClassVar[bool] = False
    """True if its output is the sum of its inputs."""
    sign: ClassVar[str] = ""
    """The sign of arithmetic that drawings show in place of its name."""
    spreads: ClassVar[bool] = False
    """True if its windows lie on its output: each element of its input is spread over one."""
    is_in_losses: ClassVar[bool] = False
    """True if the losses of classes compute it themselves, from the values before it."""
    has_linear: ClassVar[bool] = True
    """False if `linearized` gives none."""
    takes_value: ClassVar[bool] = True
    """True if a spec may write its first argument as the operator's own value: `dropout: 0.5`."""
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1
    """The largest number of inputs; None for any number."""
    examples: ClassVar[tuple[Example, ...]] = ()

    autocast: ClassVar[Autocast | None] = None
    """What PyTorch's autocast does with it, if that is not what its work says; see `autocast_policy`."""
    float32_ranks: ClassVar[tuple[int, ...]] = ()
    """Numbers of spatial dimensions for which autocast computes it in float32."""

    expects: ClassVar[AxisNames] = ()
    """What the axes of an input are if nothing names them, and if it has as many; see `expected_axes`."""
    torch_name: ClassVar[str]
    """The path of its PyTorch module or function, for `torch`."""
    torch_arguments: ClassVar[tuple[str, ...]] = ()
    """Its arguments that the module takes, in their order."""

    called: str | None = None
    """The module of PyTorch that an imported layer was called as (`nn.ReLU`), empty for a function; tools that count
    modules tell them apart. None if it is what `torch` says."""
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
                raise BadArgument(f"{self.kind} has no argument {name}", name)
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

    def with_output(self, output: Shape) -> Operator:
        """Return a copy with another output, without checking it; its other rules then use this one."""
        return self._changed(output=output)

    def remade(self, inputs: Sequence[Shape], given: Mapping[str, Any]) -> Operator:
        """Return the operator for other inputs and arguments, which are checked, called as this one."""
        return type(self)(inputs, **given).called_as(self.called)

    def called_as(self, called: str | None) -> Operator:
        """Return a copy that was called as a module, or as a function; see `called`."""
        return self._changed(called=called)

    def _changed(self, **attributes: Any) -> Operator:
        other = copy(self)
        other.__dict__.update(attributes)
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
            raise BadArgument(f"{self.kind} needs {argument.name}: {argument.doc}", argument.name)
        return argument.default(self)

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

    def autocast_policy(self) -> Autocast:
        """Return what PyTorch's autocast does with it on a CPU: by default, it casts what a product takes."""
        if self.rank in self.float32_ranks:
            return Autocast.FLOAT32
        if self.autocast is not None:
            return self.autocast
        return Autocast.LOWER if {"mac", "matmul"} & self.work().keys() else Autocast.WIDEST

    def call_weights(self, call: Call) -> Mapping[str, Stored]:
        """Return the stored tensors of a call that are its weights and buffers, by its names for them."""
        names = (*self.weights(), *self.buffers())
        if names == ("",):
            return {"": call.stored[0]} if call.stored else {}
        found = {name: call.arguments.get(name, call.arguments.get(self.onnx_names.get(name, ""))) for name in names}
        return {name: stored for name, stored in found.items() if isinstance(stored, Stored)}

    @property
    def work_is_known(self) -> bool:
        """False if its multiply-adds are not known, so that totals with it are lower bounds."""
        return True

    @property
    def counted_as(self) -> Operator:
        """The operator that conventions know: itself, or the one that it applies several times."""
        return self

    @property
    def survival(self) -> float:
        """Probability that training computes the branch that ends here."""
        return 1

    # -- the rules

    @classmethod
    def summary(cls) -> str:
        """Return the first paragraph of its documentation."""
        return " ".join((cls.__doc__ or "").split("\n\n")[0].replace("``", "`").split())

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

    def backward_for(self, needed: Sequence[bool]) -> Backward:
        """Return `backward` where the gradients of some inputs only are needed; ``needed`` says of which."""
        return self.backward()

    def idle_params(self) -> Dim:
        """Return the trained elements that one sample position does not use: those of experts it is not given to."""
        return 0

    def work_per_batch(self) -> Work:
        """Return the counts of primitive operations that are done once for a batch, beside `work`."""
        return {}

    def backward_per_batch(self) -> Backward:
        """Return the multiply-adds of the backward pass of `work_per_batch`, per batch."""
        return Backward(weights=0, inputs=0)

    @property
    def tools_agree(self) -> bool:
        """False if the counts of torchinfo, thop and ptflops for it are not known."""
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

    keeps_order: ClassVar[bool] = False
    """True if the output's elements are the input's in the same order, under another shape."""

    def stages(self) -> tuple[Operator, ...]:
        """Return operators that together read the same, one after another; by default itself alone."""
        return (self,)

    def laid_along(self) -> int | None:
        """Return the axis along which the inputs lie end to end, so that a position reads only one of them."""
        return None

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Return, for each output axis, the input axes that it is made of."""
        return same_axes(len(self.output))

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """Return the names of the output's axes from those of the inputs'; by default they follow `axes`."""
        return followed(inputs[0], self.axes())

    def expected_axes(self) -> AxisNames:
        """Return what the axes of an input are if nothing names them; empty if it may be anything."""
        return self.expects if len(self.x) == len(self.expects) else ()

    def warning(self, sides: Sequence[bool]) -> str:
        """Return a warning about a probable mistake, or nothing; ``sides`` marks an image's input axes."""
        return ""

    def torch(self) -> Torch:
        """Return the PyTorch module or function that this operator is."""
        return Torch(self.torch_name, tuple(map(self._torch_value, self.torch_arguments)))

    def _torch_value(self, name: str) -> Any:
        value = getattr(self, name)
        return float(value) if isinstance(self.arguments[name].type, Real) else value

    def linearized(self) -> Operator | None:
        """Return a linear operator with the same receptive field, for the gradient check.

        None if the identity has it. Dependence on a whole axis (`GLANCE`) is ignored.
        """
        return self if self.has_linear else None

    def cached_elements(self) -> Dim:
        """Return the elements of keys and values that generation keeps for each token; 0 without causal attention."""
        return 0

    def attending_to(self, keys: Dim) -> Operator:
        """Return the attention in it, without projections, of one token to so many keys."""
        raise TypeError(f"{self.kind} keeps no keys and values")

    def with_bias(self) -> Operator | None:
        """Return the same product with a bias, which can take in a batch normalization; None for anything else."""
        return None

    def sized_by(self) -> str:
        """Return the argument that is the number of output channels or features; empty if none is."""
        return ""

    def following(self, inputs: Sequence[Shape]) -> Mapping[str, Any]:
        """Return the arguments that follow the channels of other inputs: those of a depthwise convolution."""
        return {}

    def window_elements(self) -> Dim:
        """Return the positions that an output position reads."""
        return 1

    def absorbing(self, others: Sequence[Operator | None]) -> Operator | None:
        """Return the operator that is the sum of several on one tensor; None if no single one is.

        None among ``others`` is the tensor itself, its channels perhaps scaled.
        """
        return None

    def low_rank(self, rank: Dim) -> tuple[Operator, Operator] | None:
        """Return the two operators of an adapter of low rank (LoRA) beside it; None if it gets none."""
        return None

    def hyperparameters(self) -> dict[str, Any]:
        """Return what the table's columns filters, kernel, stride and padding show."""
        return {}

    def pairs(self) -> Sequence[Operator]:
        """Return a join of more than two inputs as operators of two, which run one after another."""
        return ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self.given)
        return f"{self.kind}({shown})"
