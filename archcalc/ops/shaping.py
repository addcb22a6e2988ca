"""Operators that move, cut or repeat elements: nothing is computed, but for interpolation and averages."""

from collections.abc import Mapping
from typing import Annotated, Any

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import (
    Axes,
    AxisIndex,
    Choice,
    Count,
    Margins,
    OptionalIndex,
    RealNumber,
    SizeList,
    option,
    required,
)
from archcalc.ops.convolution import EDGES
from archcalc.ops.layout import Given, Layout, Order, Placed, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    AxisAccess,
    Gradient,
    PaddingMode,
    Returned,
    SavedTensors,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


class Shaping(Operator):
    """Base of operators that move elements."""

    category = "shape"

    def work(self) -> Work:
        """Moving elements is no arithmetic."""
        return {}

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (SAME_POSITION,) * len(self.x)

    def keeps(self) -> SavedTensors:
        """Moving elements back needs nothing but shapes."""
        return SavedTensors()

    def gradients(self) -> tuple[Gradient, ...]:
        return (Gradient.SAME if self.is_view else Gradient.NEW,)

    def _seen_as(self, given: Given, sizes: tuple[int, ...]) -> Placed:
        """Under other sizes: the same memory where its strides allow, else a copy."""
        layout = given.layouts[0].viewed(sizes)
        return Placed(Layout.in_order(sizes)) if layout is None else Placed(layout, is_view=True)

    def _seen_back(self, given: Given, gradient: Layout) -> tuple[Returned]:
        """The gradient under the input's sizes: its own memory where its strides allow, else a copy."""
        sizes = given.layouts[0].sizes
        layout = gradient.viewed(sizes)
        if layout is None:
            return (Returned(Gradient.NEW, Layout.in_order(sizes)),)
        return (Returned(Gradient.SAME, layout, is_view=True),)

    def axis_index(self, axis: int) -> int:
        """An axis counted from 0; negative ones count from the end, as in PyTorch."""
        axes = len(self.x)
        require(-axes <= axis < axes, lambda: f"axis {axis} is not one of {shape_text(self.x)}")
        return axis % axes


class Flatten(Shaping):
    """Merge axes into one: `[C, H, W]` becomes `[C·H·W]`."""

    kind = "flatten"
    synonyms = "squeeze"
    is_view = True
    start: AxisIndex = option(0, "first axis that is merged, the batch not counted")
    end: AxisIndex = option(-1, "last axis that is merged")
    examples = (example((256, 6, 6)), example((16, 4, 5), start=1), example((9,)))

    def _range(self) -> tuple[int, int]:
        start, end = self.axis_index(self.start), self.axis_index(self.end)
        require(start <= end, lambda: f"start {self.start} is after end {self.end}")
        return start, end

    def output_shape(self) -> Shape:
        start, end = self._range()
        return (*self.x[:start], product(self.x[start : end + 1]), *self.x[end + 1 :])

    def place(self, given: Given) -> Placed:
        start, end = self._range()
        if start == end:
            return Placed(given.layouts[0], is_view=True, is_same=True)
        return self._seen_as(given, given.sizes(self.output))

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        start, end = self._range()
        return super().returns(given, gradient) if start == end else self._seen_back(given, gradient)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        start, end = self._range()
        kept = [(axis,) for axis in range(len(self.x))]
        return (*kept[:start], tuple(range(start, end + 1)), *kept[end + 1 :])

    def torch(self) -> Torch:
        start, end = self._range()
        return Torch("nn.Flatten", (start + 1, end + 1) if (start, end) != (0, len(self.x) - 1) else ())


class Reshape(Shaping):
    """The same elements under another shape; one size may be -1."""

    kind = "reshape"
    synonyms = "view unflatten rearrange"
    is_view = True
    shape: SizeList = required("the new shape, the batch not counted")
    examples = (
        example((16, 4, 5), shape=(4, -1)),
        example((12,), shape=(3, 2, 2)),
        example((3, 8, 6), shape=(3, 4, 2, 6)),
    )

    def output_shape(self) -> Shape:
        total = product(self.x)
        known = product(size for size in self.shape if size != -1)
        blanks = len([size for size in self.shape if size == -1])
        require(blanks <= 1, lambda: "only one size may be -1")
        require(
            all(size > 0 or size == -1 for size in self.shape),
            lambda: f"sizes must be above 0, or -1 once: {shape_text(self.shape)}",
        )
        fits = total % known == 0 if blanks else total == known
        require(fits, lambda: f"{shape_text(self.x)} has {total} elements, which do not fit {shape_text(self.shape)}")
        return tuple(total // known if size == -1 else size for size in self.shape)

    def place(self, given: Given) -> Placed:
        return self._seen_as(given, given.sizes(self.output))

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return self._seen_back(given, gradient)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Axes that stay at the front and at the back are themselves; those between are mixed."""
        old, new = self.x, self.output
        shorter = min(len(old), len(new))
        front = 0
        while front < shorter and old[front] == new[front]:
            front += 1
        back = 0
        while back < shorter - front and old[-1 - back] == new[-1 - back]:
            back += 1
        mixed = tuple(range(front, len(old) - back))
        return (
            *((axis,) for axis in range(front)),
            *(mixed for _ in range(len(new) - front - back)),
            *((axis,) for axis in range(len(old) - back, len(old))),
        )

    def torch(self) -> Torch:
        return Torch("nn.Unflatten", (1, self.output)) if len(self.x) == 1 else Torch("archcalc.Reshape", self.output)


class Permute(Shaping):
    """The axes in another order."""

    kind = "permute"
    synonyms = "transpose swapaxes"
    is_view = True
    order: Axes = required("the input's axes in their new order, the batch not counted")
    examples = (example((3, 4, 5), order=(1, 2, 0)), example((3, 4), order=(1, 0)))

    def resolved(self) -> dict[str, Any]:
        return {"order": tuple(map(self.axis_index, self.order))}

    def output_shape(self) -> Shape:
        require(
            sorted(self.order) == list(range(len(self.x))),
            lambda: f"order must name each axis of {shape_text(self.x)} once",
        )
        return tuple(self.x[axis] for axis in self.order)

    def _with_batch(self) -> tuple[int, ...]:
        """The order with the batch before it, as PyTorch takes it."""
        return (0, *(axis + 1 for axis in self.order))

    def place(self, given: Given) -> Placed:
        return Placed(given.layouts[0].permuted(self._with_batch()), is_view=True)

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return (Returned(Gradient.SAME, gradient.restored(self._with_batch()), is_view=True),)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return tuple((axis,) for axis in self.order)

    def torch(self) -> Torch:
        return Torch("torch.permute", (self._with_batch(),))


def gradient_of_part(op: Operator, step: int = 1) -> tuple[Gradient, ...]:
    """The whole axis, with zeros where nothing was taken; where all of it is, PyTorch takes no part."""
    return (Gradient.SAME if op.output == op.x and step == 1 else Gradient.NEW,)


class Slice(Shaping):
    """Part of one axis, as Python slices it."""

    kind = "slice"
    synonyms = "split narrow crop cropping2d strided_slice gather"
    is_view = True
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    start: AxisIndex = option(0, "first position")
    stop: OptionalIndex = option(None, "position after the last; the end if not given")
    step: Count = option(1, "step between positions")
    examples = (
        example((8, 5, 6), start=2, stop=6),
        example((8, 5, 6), axis=-1, start=1, step=2),
        example((8,), stop=-1),
    )

    def _bounds(self) -> tuple[int, int, int]:
        size = self.x[self.axis_index(self.axis)]
        start = self.start if self.start >= 0 else size + self.start
        stop = size if self.stop is None else self.stop if self.stop >= 0 else size + self.stop
        require(
            (start >= 0) & (start < stop) & (stop <= size),
            lambda: f"positions {start} to {stop} are not inside an axis of {size}",
        )
        return start, stop, self.step

    def output_shape(self) -> Shape:
        start, stop, step = self._bounds()
        axis = self.axis_index(self.axis)
        return (*self.x[:axis], (stop - start + step - 1) // step, *self.x[axis + 1 :])

    def place(self, given: Given) -> Placed:
        axis = self.axis_index(self.axis)
        return Placed(given.layouts[0].part(axis + 1, self.output[axis], self.step), is_view=True)

    def gradients(self) -> tuple[Gradient, ...]:
        return gradient_of_part(self, self.step)

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        start, _, step = self._bounds()
        axis = self.axis_index(self.axis)
        return tuple(Window(step, start, start) if at == axis else SAME_POSITION for at in range(len(self.x)))

    def torch(self) -> Torch:
        return Torch("archcalc.Slice", (self.axis_index(self.axis) + 1, *self._bounds()))


class Chunk(Shaping):
    """One of the equal parts of an axis."""

    kind = "chunk"
    synonyms = "split"
    is_view = True
    chunks: Count = required("number of parts")
    index: AxisIndex = option(0, "which part, from 0")
    axis: AxisIndex = option(0, "the axis, the batch not counted")
    examples = (example((8, 5, 6), chunks=2, index=1), example((4, 9), chunks=3, axis=-1))

    def output_shape(self) -> Shape:
        axis = self.axis_index(self.axis)
        size = self.x[axis]
        require(size % self.chunks == 0, lambda: f"{self.chunks} chunks do not divide an axis of {size}")
        require((self.index >= 0) & (self.index < self.chunks), lambda: f"there is no chunk {self.index}")
        return (*self.x[:axis], size // self.chunks, *self.x[axis + 1 :])

    def place(self, given: Given) -> Placed:
        axis = self.axis_index(self.axis)
        return Placed(given.layouts[0].part(axis + 1, self.output[axis]), is_view=True)

    def gradients(self) -> tuple[Gradient, ...]:
        return gradient_of_part(self)

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        axis = self.axis_index(self.axis)
        start = self.index * self.output[axis]
        return tuple(Window(1, start, start) if at == axis else SAME_POSITION for at in range(len(self.x)))

    def torch(self) -> Torch:
        axis = self.axis_index(self.axis)
        size = self.output[axis]
        return Torch("archcalc.Slice", (axis + 1, self.index * size, (self.index + 1) * size, 1))


def like_gradient(op: Operator, given: Given, gradient: Layout) -> tuple[Returned, ...]:
    """In the order of the output's gradient, whatever the input's is."""
    return (Returned(Gradient.NEW, op.memory_order.of([gradient], given.layouts[0].sizes)),)


class ChannelShuffle(Shaping):
    """Interleave the channels of groups (ShuffleNet)."""

    kind = "channel_shuffle"
    synonyms = "shuffle channelshuffle"
    memory_order = Order.IMAGE
    groups: Count = required("number of groups")
    examples = (example((12, 5, 6), groups=3),)

    def output_shape(self) -> Shape:
        self.need_spatial()
        require(
            self.channels_in % self.groups == 0,
            lambda: f"groups {self.groups} do not divide the {self.channels_in} channels",
        )
        return self.x

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (WHOLE_AXIS, *(SAME_POSITION,) * self.rank)

    @property
    def loose_sight(self) -> Mapping[str, str]:
        return {"channels": "each channel is one of the input, at another place"}

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return like_gradient(self, given, gradient)

    def torch(self) -> Torch:
        return Torch("nn.ChannelShuffle", (self.groups,))


class Pad(Shaping):
    """Rows and columns around the input; negative amounts cut."""

    kind = "pad"
    memory_order = Order.IMAGE
    synonyms = "zeropad2d zero_pad zero_padding2d zeropadding2d constantpad2d reflectionpad2d"
    padding: Margins = required("amounts: a number, one per dimension, or [before, after] pairs")
    mode: Annotated[str, Choice(("constant", "reflect", "replicate", "circular"))] = option(
        "constant", "what is put there"
    )
    value: RealNumber = option(0.0, "the constant")
    examples = (
        example((3, 5, 6), padding=((1, 0), (2, 3))),
        example((3, 5, 6), padding=1, mode="reflect"),
        example((3, 7), padding=2, mode="replicate"),
        example((3, 5, 6), padding=((-1, 0), (0, -2))),
        example((2, 4, 5, 6), padding=1, mode="replicate"),
    )

    def output_shape(self) -> Shape:
        self.need_spatial()
        sizes = []
        for n, (before, after) in zip(self.x[1:], self.padding, strict=True):
            size = n + before + after
            require(size > 0, lambda size=size: f"the output's size would be {size}")  # type: ignore[misc]
            most = {"reflect": n - 1, "circular": n}.get(self.mode)
            require(
                most is None or ((before <= most) & (after <= most)),
                lambda n=n: f"{self.mode} cannot add more than there is: the input has {n}",  # type: ignore[misc]
            )
            require(  # PyTorch cuts first, and wraps what is left
                self.mode != "circular" or ((before >= 0) & (after >= 0)),
                lambda: "circular cannot cut: take a slice before it",
            )
            sizes.append(size)
        return (self.channels_in, *sizes)

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        beyond = EDGES.get(self.mode, PaddingMode.NOTHING)
        return (SAME_POSITION, *(Window(1, -before, -before, edge=beyond) for before, _ in self.padding))

    def keeps(self) -> SavedTensors:
        return SavedTensors(inputs=self.mode in ("reflect", "replicate"))

    def place(self, given: Given) -> Placed:
        """What is only cut, or not even that, is a copy in the same order."""
        if self.mode == "constant" and all(side <= 0 for pair in self.padding for side in pair):
            cut = given.layouts[0]
            for axis, size in enumerate(self.output[1:], 2):
                cut = cut.part(axis, size)
            return Placed(elementwise([cut]))
        return super().place(given)

    @property
    def is_loose(self) -> bool:
        """The wrapped sides are copied one by one, forward and backward."""
        return self.mode == "circular"

    def torch(self) -> Torch:
        names = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        amounts = tuple(side for pair in reversed(self.padding) for side in pair)
        args = (amounts, float(self.value)) if self.mode == "constant" else (amounts,)
        return Torch(f"nn.{names[self.mode]}Pad{self.rank}d", args)
