"""Transposed convolution, over one to three spatial dimensions."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, ceil_div, maximum, product, require
from archcalc.ops.arguments import Bool, Count, Extent, Offsets, SameOffsets, option, required
from archcalc.ops.calls import Call
from archcalc.ops.convolution import TrainedConvolution
from archcalc.ops.onnx_calls import even
from archcalc.ops.reads import spread
from archcalc.ops.vocabulary import WHOLE_AXIS, Access, Torch, Work, compact, example


class ConvTranspose(TrainedConvolution):
    """Transposed (fractionally strided) convolution, as in PyTorch."""

    kind = "conv_transpose"
    spreads = True
    aten = "conv_transpose1d conv_transpose2d conv_transpose3d"
    onnx = "ConvTranspose"
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
        self.check_groups()
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

    @classmethod
    def channels_of(cls, weight: Shape, groups: Dim) -> Dim:
        return weight[1] * groups

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
        return (WHOLE_AXIS, *map(spread, self.kernel, self.stride, self.padding, self.dilation))

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or call.get("output_shape"):
            return None
        given = super().from_onnx(call) or {}
        extra = {"output_padding": tuple(call.get("output_padding"))} if call.get("output_padding") else {}
        return {**given, "padding": even(given["padding"]), **extra}

    def torch(self) -> Torch:
        changed = self.changed("stride", "padding", "output_padding", "dilation", "groups", "bias")
        kwargs = {"kernel_size": compact(self.kernel), **changed}
        return Torch(f"nn.ConvTranspose{self.rank}d", (self.channels_in, self.channels), kwargs)
