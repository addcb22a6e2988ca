"""Operators that cut, repeat or move elements between axes: nothing is computed."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Axes, Count, Extent, Offsets, SizeList, option, required
from archcalc.ops.calls import Call, Operand
from archcalc.ops.conv_transpose import ConvTranspose
from archcalc.ops.convolution import Conv
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.naming import AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.padding import Pad
from archcalc.ops.reads import PaddingMode, repeated, shifted, window
from archcalc.ops.shapes import checked_sizes
from archcalc.ops.shaping import Flatten, Permute, Reordering, Reshape, Shaping
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    Torch,
    Work,
    compact,
    example,
    shape_text,
)
from archcalc.ops.windows import window_count


class Transpose(Reordering):
    """Two axes exchanged."""

    kind = "transpose"
    synonyms = "swapaxes swapdims"
    dims: Axes = required("the two axes, the batch not counted")
    examples = (example((3, 4, 5), dims=(1, 2)), example((3, 4), dims=(0, -1)))

    def new_order(self) -> tuple[int, ...]:
        require(
            len(self.dims) == 2,
            lambda: f"transpose exchanges two axes, got {len(self.dims)}; permute takes all of them",
        )
        first, second = map(self.axis_index, self.dims)
        order = list(range(len(self.x)))
        order[first], order[second] = order[second], order[first]
        return tuple(order)

    def torch(self) -> Torch:
        return Torch("torch.transpose", tuple(self.axis_index(axis) + 1 for axis in self.dims))


class Expand(Shaping):
    """Axes of size 1 repeated to a given size."""

    kind = "expand"
    moves_elements = True
    aten = "expand expand_as repeat_interleave"
    onnx = "Expand"
    synonyms = "broadcast_to tile repeat expand_as"
    shape: SizeList = required("the new shape, the batch not counted; -1 keeps a size")
    examples = (example((4, 1, 1), shape=(4, 5, 6)), example((1, 7), shape=(3, -1)))

    def changes_nothing(self) -> bool:
        return self.output == self.x

    def output_shape(self) -> Shape:
        sizes = self.shape
        fits = len(sizes) == len(self.x) and all(
            size == -1 or size == own or (own == 1 and size > 0) for size, own in zip(sizes, self.x, strict=True)
        )
        require(fits, lambda: f"{shape_text(self.x)} cannot be expanded to {shape_text(sizes)}")
        return tuple(own if size == -1 else size for size, own in zip(sizes, self.x, strict=True))

    def access(self) -> Access:
        return tuple(SAME_POSITION if n == m else WHOLE_AXIS for n, m in zip(self.x, self.output, strict=True))

    def placement(self, tensors: InputTensors) -> Placement:
        """A copy, or the input itself if nothing is repeated and it is contiguous."""
        is_view = self.changes_nothing() and tensors.layouts[0].is_in_order
        return Placement(Layout.in_order(tensors.sizes(self.output)), is_view)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME if self.changes_nothing() else GradientKind.NEW,)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"shape": call.output.shape}

    from_onnx = from_aten

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        return call.operands[:1]

    def torch(self) -> Torch:
        return Torch("archcalc.Expand", self.output)


class Roll(Shaping):
    """Positions moved along axes; what leaves at one end comes in at the other."""

    kind = "roll"
    memory_order = Order.IMAGE
    moves_elements = True
    aten = "roll"
    synonyms = "cyclic_shift"
    shifts: SizeList = required("by how many positions, for each of the axes")
    over: Axes = option((-2, -1), "the axes, the batch not counted")
    examples = (example((4, 5, 6), shifts=(1, -2)), example((4, 7), shifts=3, over=1))

    def output_shape(self) -> Shape:
        require(
            len(self.shifts) == len(self.over), lambda: f"roll has {len(self.shifts)} shifts for {len(self.over)} axes"
        )
        require(bool(self.over), lambda: "roll needs an axis")
        self._shift_by_axis()
        return self.x

    def _shift_by_axis(self) -> dict[int, Dim]:
        """Return the shift of each axis; those of an axis that is named twice add up."""
        total: dict[int, Dim] = {}
        for axis, shift in zip(map(self.axis_index, self.over), self.shifts, strict=True):
            total[axis] = total.get(axis, 0) + shift
        return total

    def access(self) -> Access:
        """One position, which may come from the other end."""
        by = self._shift_by_axis()
        wrapped = PaddingMode.WRAPPED
        return tuple(shifted(-by[axis], edge=wrapped) if axis in by else SAME_POSITION for axis in range(len(self.x)))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if not call.get("dims"):
            return None
        return {"shifts": tuple(call.arguments["shifts"]), "over": call.axes("dims")}

    def torch(self) -> Torch:
        return Torch("torch.roll", (self.shifts, tuple(self.axis_index(axis) + 1 for axis in self.over)))


class PixelShuffle(Shaping):
    """Channels become positions: `[C·r², H, W]` becomes `[C, r·H, r·W]` (Shi et al., 2016)."""

    kind = "pixel_shuffle"
    torch_name = "nn.PixelShuffle"
    torch_arguments = ("factor",)
    overestimates = {"channels": "an output sees one channel"}
    memory_order = Order.IMAGE
    aten = "pixel_shuffle"
    onnx = "DepthToSpace"
    aten_arguments = {"factor": "upscale_factor"}
    needs_images = True
    synonyms = "pixelshuffle depth_to_space depthtospace subpixel"
    factor: Count = required("r, by which each side grows")
    examples = (example((12, 5, 6), factor=2), example((9, 4, 4), factor=3))

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"pixel_shuffle needs [C, H, W], got {shape_text(self.x)}")
        channels, height, width = self.x
        r = self.factor
        require(channels % (r * r) == 0, lambda: f"{r}·{r} do not divide the {channels} channels")
        return (channels // (r * r), height * r, width * r)

    def access(self) -> Access:
        """A position and its neighbors in the output are all of one position of the input."""
        return (WHOLE_AXIS, *(repeated(self.factor),) * 2)

    def stages(self) -> tuple[Operator, ...]:
        """The channels of each position, moved between its rows and columns."""
        channels, rows, columns = self.output
        split = Reshape(self.inputs, shape=(channels, self.factor, self.factor, *self.x[1:]))
        moved = Permute((split.output,), order=(0, 3, 1, 4, 2))
        return split, moved, Reshape((moved.output,), shape=(channels, rows, columns))

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {"factor": call.arguments["blocksize"]} if call.get("mode", "DCR") == "CRD" else None


class PixelUnshuffle(Shaping):
    """Positions become channels: `[C, r·H, r·W]` becomes `[C·r², H, W]`."""

    kind = "pixel_unshuffle"
    torch_name = "nn.PixelUnshuffle"
    torch_arguments = ("factor",)
    overestimates = dict.fromkeys(("channels", "positions"), "an output sees one channel at one position")
    memory_order = Order.IMAGE
    aten = "pixel_unshuffle"
    aten_arguments = {"factor": "downscale_factor"}
    needs_images = True
    synonyms = "pixelunshuffle space_to_depth spacetodepth reorg focus"
    factor: Count = required("r, by which each side shrinks")
    examples = (example((3, 4, 6), factor=2),)

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"pixel_unshuffle needs [C, H, W], got {shape_text(self.x)}")
        channels, height, width = self.x
        r = self.factor
        require((height % r == 0) & (width % r == 0), lambda: f"{r} does not divide both sides of {shape_text(self.x)}")
        return (channels * r * r, height // r, width // r)

    def access(self) -> Access:
        return (WHOLE_AXIS, *(window(self.factor, self.factor),) * 2)

    def stages(self) -> tuple[Operator, ...]:
        """The rows and columns of each block, moved among the channels."""
        channels, rows, columns = self.x[0], *self.output[1:]
        split = Reshape(self.inputs, shape=(channels, rows, self.factor, columns, self.factor))
        moved = Permute((split.output,), order=(0, 2, 4, 1, 3))
        return split, moved, Reshape((moved.output,), shape=self.output)


class _Windows(Shaping):
    needs_images = True
    kernel: Extent = required("size of the window")
    stride: Extent = option(1, "step between windows")
    padding: Offsets = option(0, "zeros around the map")
    dilation: Extent = option(1, "step between the window's taps")

    def _count(self, sizes: Shape) -> Shape:
        """Windows along each dimension of a map."""
        pads = [(amount, amount) for amount in self.padding]
        return tuple(map(window_count, sizes, self.kernel, self.stride, pads, self.dilation))

    def _torch_arguments(self) -> dict[str, Any]:
        kwargs = {"kernel_size": compact(self.kernel), "dilation": compact(self.dilation)}
        return {**kwargs, "padding": compact(self.padding), "stride": compact(self.stride)}

    def placement(self, tensors: InputTensors) -> Placement:
        return Placement(Layout.in_order(tensors.sizes(self.output)), elements=self._storage_elements(tensors))

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        layout = Layout.in_order(tensors.layouts[0].sizes)
        return (InputGradient(GradientKind.NEW, layout, elements=self._storage_elements(tensors)),)

    def _storage_elements(self, tensors: InputTensors) -> int:
        """Return the elements of the result's storage: PyTorch makes it like the input, and enlarges it if needed."""
        return tensors.layouts[0].sizes[0] * max(product(self.x), self.elements)


class Unfold(_Windows):
    """The windows of a map beside each other (im2col): `[C, H, W]` becomes `[C·K·K, windows]`."""

    kind = "unfold"
    overestimates = dict.fromkeys(("channels", "positions"), "an output sees one channel at one position")
    aten = "im2col"
    synonyms = "im2col extract_patches"
    examples = (example((4, 6, 7), kernel=3, padding=1), example((4, 8, 8), kernel=(2, 4), stride=(2, 4)))

    def output_shape(self) -> Shape:
        require(len(self.x) == 3, lambda: f"unfold needs [C, H, W], got {shape_text(self.x)}")
        return (self.channels_in * product(self.kernel), product(self._count(self.x[1:])))

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((0,), (1, 2))

    def stages(self) -> tuple[Operator, ...]:
        """The positions of a convolution's output, in a row."""
        pads = tuple((amount, amount) for amount in self.padding)
        window: dict[str, Any] = {"kernel": self.kernel, "stride": self.stride, "dilation": self.dilation}
        windows = Conv(self.inputs, channels=self.output[0], padding=pads, **window)
        return windows, Flatten((windows.output,), start=1)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """The numbers of a window are the features of a token."""
        return ("features", "tokens")

    def access(self) -> Access:
        return (WHOLE_AXIS, WHOLE_AXIS, WHOLE_AXIS)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return call.window("kernel", "dilation", "padding", "stride")

    def torch(self) -> Torch:
        return Torch("nn.Unfold", (), self._torch_arguments())


class Fold(_Windows):
    """Windows laid on a map, their overlaps added (col2im): `[C·K·K, windows]` becomes `[C, H, W]`."""

    kind = "fold"
    spreads = True
    overestimates = dict.fromkeys(("channels", "positions"), "an output sees the windows that it lies in")
    aten = "col2im"
    synonyms = "col2im"
    takes_value = False
    rank = 2
    size: SizeList = required("size of the map, [H, W]")
    examples = (
        example((36, 42), size=(6, 7), kernel=3, padding=1),
        example((32, 8), size=(8, 8), kernel=(2, 4), stride=(2, 4)),
    )

    def output_shape(self) -> Shape:
        require(
            len(self.x) == 2 and len(self.size) == 2,
            lambda: f"fold makes [C, H, W] of [C·K·K, windows], got {shape_text(self.x)}",
        )
        rows, windows = self.x
        taps, count = product(self.kernel), product(self._count(self.size))
        require(rows % taps == 0, lambda: f"windows of {taps} do not divide the {rows} rows")
        require(windows == count, lambda: f"a map of {shape_text(self.size)} has {count} windows, not {windows}")
        return (rows // taps, *checked_sizes(self.size))

    def work(self) -> Work:
        """A sum for every number of every window."""
        return {"add": product(self.x)}

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((0,), (1,), (1,))

    def stages(self) -> tuple[Operator, ...]:
        """The map of windows, and a transposed convolution of it."""
        counts = self._count(self.size)
        windows = Reshape(self.inputs, shape=(self.x[0], *counts))
        window: dict[str, Any] = {"kernel": self.kernel, "stride": self.stride, "padding": self.padding}
        spread = ConvTranspose((windows.output,), channels=self.output[0], dilation=self.dilation, **window)
        missing = tuple((0, n - m) for n, m in zip(self.size, spread.output[1:], strict=True))
        return windows, spread, Pad((spread.output,), padding=missing)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return ("channels", "height", "width")

    def access(self) -> Access:
        return (WHOLE_AXIS, WHOLE_AXIS)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"size": call.arguments["output_size"], **call.window("kernel", "dilation", "padding", "stride")}

    def torch(self) -> Torch:
        return Torch("nn.Fold", (self.size,), self._torch_arguments())
