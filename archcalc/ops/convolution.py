"""Convolution and its transpose, over one to three spatial dimensions.

Sizes: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning*, 2016, with dilation.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from archcalc.arithmetic import Dim, Shape, ceil_div, maximum, product, ratio, require
from archcalc.ops.arguments import (
    BadArgument,
    Bool,
    Choice,
    Count,
    Extent,
    Offsets,
    Padding,
    SameOffsets,
    option,
    required,
)
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Order
from archcalc.ops.naming import AxisNames, map_names
from archcalc.ops.onnx_calls import even, onnx_window
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    WHOLE_AXIS,
    Access,
    Backward,
    PaddingMode,
    SavedTensors,
    Torch,
    Window,
    Work,
    Workspace,
    Workspaces,
    compact,
    example,
)


def window_count(size: Dim, kernel: Dim, stride: Dim, padding: tuple[Dim, Dim], dilation: Dim) -> Dim:
    """Return how many positions a window has along one dimension: the output size of convolution and pooling.

    ``floor((n − (dilation·(kernel − 1) + 1) + before + after) / stride) + 1``
    """
    extent = dilation * (kernel - 1) + 1
    padded = size + (padding[0] + padding[1])
    require(
        padded >= extent,
        lambda: (
            f"the kernel spans {extent} but the padded input only {padded} (input {size}, padding {sides(padding)})"
        ),
    )
    return (padded - extent) // stride + 1


def sides(padding: tuple[Dim, Dim]) -> str:
    """Return a padding as people write it: `2` if both sides are equal, else `0+1`."""
    return str(padding[0]) if padding[0] == padding[1] else f"{padding[0]}+{padding[1]}"


def window_access(
    kernel: Shape, stride: Shape, padding: tuple[tuple[Dim, Dim], ...], dilation: Shape
) -> tuple[Window, ...]:
    """Return the `Window` of convolution and pooling for each spatial dimension."""
    return tuple(
        Window(s, -before, d * (k - 1) - before, d)
        for k, s, (before, _), d in zip(kernel, stride, padding, dilation, strict=True)
    )


def same_padding(sizes: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[tuple[Dim, Dim], ...]:
    """Return the padding for ``ceil(size / stride)`` windows, as TensorFlow's `SAME`.

    The larger part of an odd amount is after.
    """
    totals = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        extent = d * (k - 1) + 1
        totals.append(extent - 1 if s == 1 else maximum((ceil_div(n, s) - 1) * s + extent - n, 0))
    return tuple((total // 2, total - total // 2) for total in totals)


EDGES = {"reflect": PaddingMode.MIRRORED, "replicate": PaddingMode.REPEATED, "circular": PaddingMode.WRAPPED}
"""What a window reads in padding of that name; in any other a constant."""


def check_edge(mode: str, size: Dim, padding: tuple[Dim, Dim]) -> None:
    """Raise `ShapeError` if an axis of this size has too few positions for padding of this mode."""
    most = {"reflect": size - 1, "circular": size}.get(mode)
    require(
        most is None or ((padding[0] <= most) & (padding[1] <= most)),
        lambda: f"{mode} cannot add more positions than the input has, which is {size}",
    )


def check_groups(channels_in: Dim, channels: Dim, groups: Dim) -> None:
    """Raise `ShapeError` unless the groups divide the channels on both sides."""
    for count, words in ((channels_in, "input"), (channels, "output")):
        require(
            count % groups == 0,
            lambda count=count, words=words: f"groups {groups} do not divide the {count} {words} channels",  # type: ignore[misc]
        )


def grouped_overestimates(groups: Dim) -> dict[str, str]:
    """Return `Operator.overestimates` for channels in groups, of which `WHOLE_AXIS` is only an upper bound."""
    return {"channels": "an output depends on the channels of its group only"} if groups > 1 else {}


class _Convolution(Operator):
    category = "convolution"
    memory_order = Order.IMAGE
    channels: Count
    kernel: Extent
    groups: Count
    bias: Bool

    @property
    def overestimates(self) -> Mapping[str, str]:
        return grouped_overestimates(self.groups)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return map_names(inputs[0])

    @abstractmethod
    def weight_channels(self) -> tuple[Dim, Dim]:
        """Return the first two sizes of the weight."""

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


class Conv(_Convolution):
    """Convolution (cross-correlation) with a window of weights; ``groups`` split the channels."""

    kind = "conv"
    aten = "conv1d conv2d conv3d"
    onnx = "Conv"
    synonyms = "convolution conv1d conv2d conv3d"
    channels: Count = required("output channels (filters)")
    kernel: Extent = required("size of the window")
    stride: Extent = option(1, "step between windows")
    padding: Padding = option(
        0, "zeros around the input: a number, one per dimension, [before, after] pairs, same (TensorFlow's) or valid"
    )
    dilation: Extent = option(1, "step between the window's taps")
    groups: Count = option(1, "groups of channels that do not see each other")
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

    def resolved(self) -> dict[str, Any]:
        if self.padding == "valid":
            return {"padding": ((0, 0),) * self.rank}
        if self.padding != "same":
            return {}
        self.need_spatial()
        return {"padding": same_padding(self.x[1:], self.kernel, self.stride, self.dilation)}

    def output_shape(self) -> Shape:
        self.need_spatial()
        check_groups(self.channels_in, self.channels, self.groups)
        for n, pair in zip(self.x[1:], self.padding, strict=True):
            check_edge(self.padding_mode, n, pair)
        sizes = map(window_count, self.x[1:], self.kernel, self.stride, self.padding, self.dilation)
        return (self.channels, *sizes)

    def models_memory(self) -> bool:
        return not self.standardized and self.padding_mode == "zeros"

    def weight_channels(self) -> tuple[Dim, Dim]:
        return self.channels, self.channels_in // self.groups

    def work(self) -> Work:
        """A window over the channels of one group for every output element.

        Standardizing the filters is done once for a batch and not counted.
        """
        elements = self.elements
        return {
            "mac": elements * (self.channels_in // self.groups) * product(self.kernel),
            "add": elements if self.bias else 0,
        }

    def tools_agree(self) -> bool:
        return not self.standardized and self.padding_mode == "zeros"

    def linearized(self) -> Operator:
        return type(self)(self.inputs, **{**self.given, "standardized": False}) if self.standardized else self

    def access(self) -> Access:
        edge = EDGES.get(self.padding_mode, PaddingMode.NOTHING)
        windows = window_access(self.kernel, self.stride, self.padding, self.dilation)
        return (WHOLE_AXIS, *(window._replace(edge=edge) for window in windows))

    def _is_symmetric(self) -> bool:
        return all(before == after for before, after in self.padding)

    def _padded(self) -> Dim:
        """Return the elements of the padded input, which PyTorch allocates if the sides of the padding differ."""
        padded: Dim = self.channels_in * product(
            n + before + after for n, (before, after) in zip(self.x[1:], self.padding, strict=True)
        )
        return padded

    def saved_tensors(self) -> SavedTensors:
        return SavedTensors(inputs=True) if self._is_symmetric() else SavedTensors(elements=self._padded())

    def workspaces(self) -> Workspaces:
        if self._is_symmetric():
            return Workspaces()
        weights = sum(product(shape) for shape in self.weights().values())
        return Workspaces(
            inference=(Workspace(self._padded() + self.elements),),
            backward=(Workspace(self._padded(), shared=weights),),
        )

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        weight = call.arguments["weight"]
        return {
            "channels": weight.shape[0],
            "kernel": weight.shape[2:],
            **call.window("stride", "padding", "dilation"),
            "groups": call.get("groups", 1),
            "bias": call.get("bias") is not None,
        }

    onnx_names = {"weight": "W", "bias": "B"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        weight = call.arguments["W"]
        return {
            "channels": weight.shape[0],
            "kernel": weight.shape[2:],
            **onnx_window(call, weight.shape[2:]),
            "groups": call.get("group", 1),
            "bias": call.get("B") is not None,
        }

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"kernel_size": compact(self.kernel), **self.changed("stride")}
        symmetric = self._is_symmetric()
        if any(sum(pair) for pair in self.padding):
            kwargs["padding"] = compact(tuple(before for before, _ in self.padding)) if symmetric else self.padding
        kwargs |= self.changed("dilation", "groups", "bias", "padding_mode")
        name = f"nn.Conv{self.rank}d" if symmetric else f"archcalc.PaddedConv{self.rank}d"
        if self.standardized:
            name = f"archcalc.StandardizedConv{self.rank}d"
        return Torch(name, (self.channels_in, self.channels), kwargs)

    def hyperparameters(self) -> dict[str, Any]:
        return {
            "filters": self.channels,
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": tuple(sides(pair) for pair in self.padding),
        }


class ConvTranspose(_Convolution):
    """Transposed (fractionally strided) convolution, as in PyTorch."""

    kind = "conv_transpose"
    aten = "conv_transpose1d conv_transpose2d conv_transpose3d"
    onnx = "ConvTranspose"
    saved = SavedTensors(inputs=True)
    synonyms = (
        "deconv deconv2d deconvolution transposed_conv transpose_conv conv_transpose1d conv_transpose2d "
        "conv_transpose3d convtranspose1d convtranspose2d convtranspose3d conv2dtranspose conv2d_transpose "
        "upconv"
    )
    channels: Count = required("output channels")
    kernel: Extent = required("size of the window")
    stride: Extent = option(1, "step between the outputs of neighboring inputs")
    padding: SameOffsets = option(
        0, "rows and columns taken off each side of the output; with same, it is the stride times the input"
    )
    output_padding: Offsets = option(0, "rows and columns added to the output's end")
    dilation: Extent = option(1, "step between the window's taps")
    groups: Count = option(1, "groups of channels that do not see each other")
    bias: Bool = option(True, "add a bias per output channel")
    examples = (
        example((8, 7, 7), channels=4, kernel=2, stride=2),
        example((8, 7, 5), channels=4, kernel=(3, 4), stride=2, padding=1, output_padding=(1, 0), groups=2),
        example((6, 9), channels=6, kernel=3, stride=3, groups=6, output_padding=1, bias=False),
        example((2, 4, 4, 4), channels=3, kernel=3, dilation=2),
        example((4, 5, 6), channels=3, kernel=(3, 2), stride=(2, 3), padding="same"),
    )

    def resolved(self) -> dict[str, Any]:
        """`same` cuts what a window is longer than its stride, and adds what it is shorter.

        The larger part of an odd amount is cut in front, as `output_padding` does.
        """
        if self.padding == "valid":
            return {"padding": (0,) * self.rank}
        if self.padding != "same":
            return {}
        excess = [d * (k - 1) + 1 - s for k, s, d in zip(self.kernel, self.stride, self.dilation, strict=True)]
        halves = tuple(maximum(ceil_div(amount, 2), 0) for amount in excess)
        extra = tuple(2 * half - amount for half, amount in zip(halves, excess, strict=True))
        return {"padding": halves, "output_padding": extra}

    def output_shape(self) -> Shape:
        self.need_spatial()
        check_groups(self.channels_in, self.channels, self.groups)
        sizes = []
        for n, k, s, p, extra, d in zip(
            self.x[1:], self.kernel, self.stride, self.padding, self.output_padding, self.dilation, strict=True
        ):
            require((extra < s) | (extra < d), lambda: "output_padding must be smaller than the stride or the dilation")
            size = (n - 1) * s - 2 * p + d * (k - 1) + extra + 1
            require(size > 0, lambda size=size: f"padding leaves no output: its size would be {size}")  # type: ignore[misc]
            sizes.append(size)
        return (self.channels, *sizes)

    def weight_channels(self) -> tuple[Dim, Dim]:
        return self.channels_in, self.channels // self.groups

    def work(self) -> Work:
        """The whole window for every input element, also where padding cuts the result off."""
        return {
            "mac": product(self.x) * (self.channels // self.groups) * product(self.kernel),
            "add": self.elements if self.bias else 0,
        }

    @property
    def may_use_more_memory(self) -> bool:
        """True in three dimensions if the input is larger: PyTorch then uses memory of the input's size."""
        return self.rank == 3 and self.groups == 1 and self.elements < product(self.x)

    def extra_work(self) -> Work:
        """``gathered``: a window for every output element, as in a plain convolution."""
        return {"gathered": self.elements * (self.channels_in // self.groups) * product(self.kernel)}

    def access(self) -> Access:
        """Output o meets input i where ``o = stride·i − padding + dilation·t`` for a tap t."""
        return (
            WHOLE_AXIS,
            *(
                Window(ratio(1, s), ratio(p - d * (k - 1), s), ratio(p, s), ratio(d, s))
                for k, s, p, d in zip(self.kernel, self.stride, self.padding, self.dilation, strict=True)
            ),
        )

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        weight, groups = call.arguments["weight"], call.get("groups", 1)
        return {
            "channels": weight.shape[1] * groups,
            "kernel": weight.shape[2:],
            **call.window("stride", "padding", "output_padding", "dilation"),
            "groups": groups,
            "bias": call.get("bias") is not None,
        }

    onnx_names = {"weight": "W", "bias": "B"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        weight, groups = call.arguments["W"], call.get("group", 1)
        if call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or call.get("output_shape"):
            return None
        window = onnx_window(call, weight.shape[2:])
        extra = {"output_padding": tuple(call.get("output_padding"))} if call.get("output_padding") else {}
        return {
            "channels": weight.shape[1] * groups,
            "kernel": weight.shape[2:],
            **window,
            "padding": even(window["padding"]),
            **extra,
            "groups": groups,
            "bias": call.get("B") is not None,
        }

    def torch(self) -> Torch:
        kwargs = {
            "kernel_size": compact(self.kernel),
            **self.changed("stride", "padding", "output_padding", "dilation", "groups", "bias"),
        }
        return Torch(f"nn.ConvTranspose{self.rank}d", (self.channels_in, self.channels), kwargs)

    def hyperparameters(self) -> dict[str, Any]:
        return {"filters": self.channels, "kernel": self.kernel, "stride": self.stride, "padding": self.padding}
