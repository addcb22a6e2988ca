"""Convolution, over one to three spatial dimensions, and what all convolutions share."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from archcalc.arithmetic import Dim, Shape, product
from archcalc.ops.arguments import BadArgument, Bool, Choice, Count, Extent, Padding, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Order
from archcalc.ops.naming import AxisNames, map_names
from archcalc.ops.onnx_calls import onnx_window
from archcalc.ops.operator import Operator
from archcalc.ops.reads import PaddingMode, Reads
from archcalc.ops.shapes import check_groups
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import WHOLE_AXIS, Access, Backward, SavedTensors, Torch, Work, compact, example
from archcalc.ops.windows import EDGES, check_edge, same_padding, sides, window_access, window_count

if TYPE_CHECKING:
    from archcalc.ops.tape.tape import Tape
    from archcalc.ops.tape.tensors import TapeTensor


def grouped_overestimates(groups: Dim) -> dict[str, str]:
    """Return `Operator.overestimates` for channels in groups, of which `WHOLE_AXIS` is only an upper bound."""
    return {"channels": "an output depends on the channels of its group only"} if groups > 1 else {}


class Convolution(Operator):
    """What all convolutions share."""

    category = "convolution"
    needs_images = True
    channels: Dim
    kernel: Shape
    stride: Extent
    padding: Any
    groups: Count
    bias: Bool

    @property
    def overestimates(self) -> Mapping[str, str]:
        return grouped_overestimates(self.groups)

    def check_groups(self) -> None:
        """Raise `ShapeError` unless the groups divide the channels on both sides."""
        check_groups(self.groups, self.channels_in, "input channels")
        check_groups(self.groups, self.channels, "output channels")

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return map_names(inputs[0])

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {
            **call.window("stride", "padding", "output_padding", "dilation"),
            "groups": call.get("groups", 1),
            "bias": call.get("bias") is not None,
        }

    def hyperparameters(self) -> dict[str, Any]:
        return {"filters": self.channels, "kernel": self.kernel, "stride": self.stride, "padding": self.padding}


class WindowConvolution(Convolution):
    """What convolutions share whose windows move over the padded input."""

    stride: Extent = option(1, "step between windows")
    padding: Padding = option(
        0, "zeros around the input: a number, one per dimension, [before, after] pairs, same (TensorFlow's) or valid"
    )
    dilation: Extent = option(1, "step between the window's taps")
    groups: Count = option(1, "groups of channels that do not see each other")

    def check_filters(self) -> None:
        """Raise `ShapeError` if the filters do not fit the input."""
        self.need_spatial()

    def resolved(self) -> dict[str, Any]:
        if self.padding == "valid":
            return {"padding": ((0, 0),) * self.rank}
        if self.padding != "same":
            return {}
        self.check_filters()
        return {"padding": same_padding(self.x[1:], self.kernel, self.stride, self.dilation)}

    def output_shape(self) -> Shape:
        self.check_filters()
        self.check_groups()
        sizes = map(window_count, self.x[1:], self.kernel, self.stride, self.padding, self.dilation)
        return (self.channels, *sizes)

    def padded_elements(self) -> Dim:
        sizes = (n + before + after for n, (before, after) in zip(self.x[1:], self.padding, strict=True))
        return self.channels_in * product(sizes)

    def windows(self) -> tuple[Reads, ...]:
        """Return what is read along each spatial dimension."""
        return window_access(self.kernel, self.stride, self.padding, self.dilation)

    def hyperparameters(self) -> dict[str, Any]:
        return {**super().hyperparameters(), "padding": tuple(sides(pair) for pair in self.padding)}


class TrainedConvolution(Convolution):
    """What convolutions share whose filters are weights."""

    memory_order = Order.IMAGE
    saved = SavedTensors(inputs=True)
    onnx_names = {"weight": "W", "bias": "B"}

    def sized_by(self) -> str:
        return "channels"

    def following(self, inputs: Sequence[Shape]) -> Mapping[str, Any]:
        """A depthwise convolution keeps a group, and its filters, for each channel of the input."""
        if self.groups != self.channels_in or self.groups == 1:
            return {}
        channels = inputs[0][0]
        return {"groups": channels, "channels": self.channels // self.channels_in * channels}

    def with_bias(self) -> Operator | None:
        return self.remade(self.inputs, {**self.given, "bias": True})

    def window_elements(self) -> Dim:
        return product(self.kernel)

    @abstractmethod
    def weight_channels(self) -> tuple[Dim, Dim]:
        """Return the first two sizes of the weight."""

    @classmethod
    @abstractmethod
    def channels_of(cls, weight: Shape, groups: Dim) -> Dim:
        """Return the output channels of a weight."""

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        weight, given = call.arguments["weight"].shape, super().from_aten(call) or {}
        return {**given, "channels": cls.channels_of(weight, given["groups"]), "kernel": weight[2:]}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        weight, groups = call.arguments["W"].shape, call.get("group", 1)
        return {
            **onnx_window(call, weight[2:]),
            "channels": cls.channels_of(weight, groups),
            "kernel": weight[2:],
            "groups": groups,
            "bias": call.get("B") is not None,
        }

    def weights(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (*self.weight_channels(), *self.kernel)}
        if self.bias:
            shapes["bias"] = (self.channels,)
        return shapes

    def backward(self) -> Backward:
        macs = self.work()["mac"]
        return Backward(weights=macs, inputs=macs, groups=self.groups)

    def copied_weight_gradients(self, tensors: InputTensors) -> Any:
        """The gradient of the weight is channels last if the input is."""
        weight = self.weights()["weight"]
        copied = tensors.layouts[0].is_channels_last and weight[1] > 1 and product(self.kernel) > 1
        return product(weight) if copied else 0


class Conv(Taped, WindowConvolution, TrainedConvolution):
    """Convolution (cross-correlation) with a window of weights; ``groups`` split the channels."""

    kind = "conv"
    aten = "conv1d conv2d conv3d"
    onnx = "Conv"
    synonyms = "convolution conv1d conv2d conv3d"
    channels: Count = required("output channels (filters)")
    kernel: Extent = required("size of the window")
    bias: Bool = option(True, "add a bias per output channel")
    padding_mode: Annotated[str, Choice(("zeros", "reflect", "replicate", "circular"))] = option(
        "zeros", "what the padding holds"
    )
    standardized: Bool = option(False, "bring each filter to mean 0 and variance 1 first (Qiao et al., 2019)")
    examples = (
        example((3, 227, 227), channels=64, kernel=11, stride=4, padding=2),
        example((8, 13, 10), channels=12, kernel=(1, 7), padding=(0, 3), groups=4, bias=False),
        example((6, 16, 15), channels=6, kernel=3, stride=2, dilation=2, groups=6),
        example((4, 9, 9), channels=5, kernel=(4, 3), padding=((1, 2), (0, 1))),
        example((4, 9, 8), channels=5, kernel=(4, 3), dilation=(1, 2), padding="same"),
        example((4, 9, 8), channels=5, kernel=3, stride=2, padding="same"),
        example((4, 9, 8), channels=5, kernel=3, padding=1, padding_mode="reflect"),
        example((4, 9, 8), channels=6, kernel=3, padding=(1, 2), padding_mode="circular", groups=2),
        example((4, 9, 8), channels=5, kernel=3, stride=2, padding=1, standardized=True),
        example((4, 8, 8), channels=5, kernel=3, stride=2, padding="same", standardized=True),
        example((4, 31), channels=8, kernel=5, stride=2, padding=1),
        example((2, 7, 8, 9), channels=4, kernel=(3, 2, 1), stride=(2, 1, 1), padding=1),
    )

    @classmethod
    def inline_defaults(cls, given: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """No bias, and padding that keeps the size, as in the lectures' formulas; half the kernel with a stride."""
        if "stride" not in given:
            return {"bias": False, "padding": "same"}
        try:
            kernel = cls.arguments["kernel"].type.check(given.get("kernel"), rank)
        except BadArgument:  # reported when the operator is made
            return {"bias": False}
        return {"bias": False, "padding": [size // 2 for size in kernel]}

    def output_shape(self) -> Shape:
        shape = super().output_shape()
        for n, pair in zip(self.x[1:], self.padding, strict=True):
            check_edge(self.padding_mode, n, pair)
        return shape

    def takes_steps(self, tensors: InputTensors) -> bool:
        """Filters or a padded input are made before the convolution.

        PyTorch makes the padded input of a `padding_mode` even if the padding is 0.
        """
        return self.standardized or self._repeats() or not self._is_symmetric()

    def program(self, tensors: InputTensors) -> Program:
        """The filters, the padding, the convolution."""
        from archcalc.ops.tape.convolution import circular, convolution, in_own_order, standardized

        batch, trained = tensors.layouts[0].sizes[0], tensors.trains_weights
        sizes = {name: product(shape) for name, shape in self.weights().items()}
        is_reordered = not self.standardized and self._reorders(tensors)

        def padded(tape: "Tape", x: "TapeTensor") -> "TapeTensor":
            if self.padding_mode == "circular":
                return circular(tape, x, (batch, *self.x), self.padding)
            return tape.compute(x, batch * self.padded_elements(), saves=[x] if self._repeats() else [])

        def program(tape: "Tape", inputs: Sequence["TapeTensor"]) -> "TapeTensor":
            (x,) = inputs
            weight = tape.weight(sizes["weight"], trained)
            bias = tape.weight(sizes["bias"], trained) if self.bias else None
            kept: list[TapeTensor] = []
            if not self._is_symmetric():  # a module pads its input, then takes the steps of another
                x = padded(tape, x)
            if self.standardized:
                weight, kept = standardized(tape, weight, self.channels)
            if self._is_symmetric() and self._repeats():
                x = padded(tape, x)
            if is_reordered:
                weight = in_own_order(tape, weight)
            made = convolution(tape, x, weight, bias, batch * self.elements)
            del kept
            return made

        return program

    @property
    def memory_order(self) -> Order:  # type: ignore[override]
        """Circular padding puts its input in order."""
        return Order.OWN if self.padding_mode == "circular" else Order.IMAGE

    def copied_weight_gradients(self, tensors: InputTensors) -> Any:
        """Where steps come before the convolution, the copy is made before their backward pass."""
        is_early = self.takes_steps(tensors) and not self.standardized
        return 0 if is_early or not self._reorders(tensors) else super().copied_weight_gradients(tensors)

    def _reorders(self, tensors: InputTensors) -> bool:
        """Return True if the gradient of the filters is copied; circular padding puts the input in order."""
        return self.padding_mode != "circular" and bool(super().copied_weight_gradients(tensors))

    def _repeats(self) -> bool:
        """Return True if numbers of the input are put around it; PyTorch saves it for their gradients."""
        return self.padding_mode != "zeros"

    def weight_channels(self) -> tuple[Dim, Dim]:
        return self.channels, self.channels_in // self.groups

    @classmethod
    def channels_of(cls, weight: Shape, groups: Dim) -> Dim:
        return weight[0]

    def work(self) -> Work:
        """A window over the channels of one group for every output element.

        Standardizing the filters is done once for a batch and not counted.
        """
        elements = self.elements
        return {
            "mac": elements * (self.channels_in // self.groups) * product(self.kernel),
            "add": elements if self.bias else 0,
        }

    @property
    def tools_agree(self) -> bool:
        return not self.standardized and self.padding_mode == "zeros"

    def linearized(self) -> Operator:
        return type(self)(self.inputs, **{**self.given, "standardized": False}) if self.standardized else self

    def access(self) -> Access:
        edge = EDGES.get(self.padding_mode, PaddingMode.NOTHING)
        return (WHOLE_AXIS, *(window._replace(edge=edge) for window in self.windows()))

    def _is_symmetric(self) -> bool:
        return all(before == after for before, after in self.padding)

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"kernel_size": compact(self.kernel), **self.changed("stride")}
        symmetric = self._is_symmetric()
        if any(sum(pair) for pair in self.padding):
            kwargs["padding"] = compact(tuple(before for before, _ in self.padding)) if symmetric else self.padding
        kwargs |= self.changed("dilation", "groups", "bias", "padding_mode")
        kind = ("" if symmetric else "Padded") + ("Standardized" if self.standardized else "")
        name = f"{'archcalc' if kind else 'nn'}.{kind}Conv{self.rank}d"
        return Torch(name, (self.channels_in, self.channels), kwargs)

    def absorbing(self, others: Sequence[Operator | None]) -> Operator | None:
        """A sum with narrower convolutions, whose kernels lie inside this one's window."""
        if self.standardized or self.padding_mode != "zeros":
            return None
        for other in others:
            if not (self._holds_itself() if other is None else self._holds(other)):
                return None
        return self.with_bias()

    def _holds_itself(self) -> bool:
        """True if the window has the position itself: the identity is then a kernel with a single 1."""
        inside = (before < k for (before, _), k in zip(self.padding, self.kernel, strict=True))
        return self.output == self.x and set(self.stride) == {1} and all(inside)

    def _holds(self, other: Operator) -> bool:
        """True if the kernel of another convolution of the same input, padded, is one of this window."""
        if not isinstance(other, Conv) or other.standardized or other.padding_mode != "zeros":
            return False
        same = ("stride", "groups", "dilation", "channels")
        offsets = [mine[0] - theirs[0] for mine, theirs in zip(self.padding, other.padding, strict=True)]
        fits = zip(offsets, self.kernel, other.kernel, self.dilation, strict=True)
        return (
            all(getattr(self, name) == getattr(other, name) for name in same)
            and self.output == other.output
            and all(offset % d == 0 and 0 <= offset // d <= k - inner for offset, k, inner, d in fits)
        )

    def low_rank(self, rank: Dim) -> tuple[Operator, Operator] | None:
        if self.groups != 1 or self.standardized:
            return None
        down = Conv(self.inputs, **{**self.given, "channels": rank, "bias": False})
        return down, Conv((down.output,), channels=self.channels, kernel=1, bias=False)
