"""Convolution whose filters are computed."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, option
from archcalc.ops.calls import Call, Operand
from archcalc.ops.convolution import WindowConvolution
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.matmul import ProductOfTwo
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import SAME_POSITION, WHOLE_AXIS, Access, Torch, Work, example, shape_text


class DynamicConv(Taped, WindowConvolution, ProductOfTwo):
    """Convolution of the first input with filters that are the second, `[channels, C / groups, …]`.

    The filters are normalized weights, or depend on the input (Yang et al., *CondConv*, 2019).
    """

    kind = "dynamic_conv"
    has_linear = False
    aten = "conv1d conv2d conv3d"
    synonyms = "condconv"
    bias: Bool = option(False, "add a trained bias per output channel")
    examples = (
        example((3, 12, 11), (8, 3, 3, 3), stride=2, padding=1),
        example((8, 7, 6), (4, 8, 1, 3), padding=((0, 0), (1, 1)), bias=True),
        example((4, 31), (6, 4, 5), dilation=2),
    )

    @property
    def kernel(self) -> Shape:  # type: ignore[override]
        """The size of the window."""
        return self.inputs[1][2:]

    @property
    def channels(self) -> Dim:  # type: ignore[override]
        """The output channels."""
        return self.inputs[1][0]

    def check_filters(self) -> None:
        super().check_filters()
        filters = self.inputs[1]
        require(
            len(filters) == len(self.x) + 1 and filters[1] * self.groups == self.channels_in,
            lambda: f"{shape_text(filters)} are not filters for {shape_text(self.x)} in {self.groups} groups",
        )

    def weights(self) -> dict[str, Shape]:
        return {"bias": (self.channels,)} if self.bias else {}

    def work(self) -> Work:
        """A window over the channels of one group for every output element."""
        elements = self.elements
        return {
            "matmul": elements * product(self.inputs[1][1:]),
            "add": elements if self.bias else 0,
        }

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.dynamic_conv import Filtering, dynamic_convolution

        op = Filtering(
            padding=self.padding,
            output=(tensors.layouts[0].sizes[0], *self.output),
            bias=self.bias,
            trained=tensors.trains_weights,
        )
        return lambda tape, inputs: dynamic_convolution(tape, inputs, op)

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return gradient.joined(2) is None

    def accesses(self) -> tuple[Access, ...]:
        return (WHOLE_AXIS, *self.windows()), (SAME_POSITION, *(WHOLE_AXIS,) * (len(self.x)))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if not isinstance(call.arguments["weight"], Operand) or isinstance(call.get("bias"), Operand):
            return None
        return super().from_aten(call)

    def torch(self) -> Torch:
        kwargs = {"padding": self.padding, **self.changed("stride", "dilation", "groups")}
        return Torch("archcalc.DynamicConv", (self.channels if self.bias else None,), kwargs)
