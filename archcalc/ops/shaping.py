"""Operators that rearrange all elements: flatten, reshape, permute, channel shuffle."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import Axes, AxisIndex, Count, NamedShape, option, required
from archcalc.ops.calls import Call, Operand
from archcalc.ops.layout import InputTensors, Layout, Order, Placement
from archcalc.ops.naming import AxisNames, in_harmony, names_of, reshaped
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    example,
    shape_text,
)


class Shaping(Operator):
    """Base of operators that move, cut or repeat elements."""

    category = "shape"
    saved: ClassVar[SavedTensors | None] = SavedTensors()  # the backward pass needs only the shapes

    def work(self) -> Work:
        """Moving elements is not arithmetic."""
        return {}

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME if self.is_view else GradientKind.NEW,)


class _View(Shaping):
    """The same elements under other sizes: a view where the strides allow it, else a copy."""

    is_view = True
    keeps_order = True

    def changes_nothing(self) -> bool:
        return self.output == self.x

    def placement(self, tensors: InputTensors) -> Placement:
        sizes = tensors.sizes(self.output)
        layout = tensors.layouts[0].viewed(sizes)
        return Placement(Layout.in_order(sizes)) if layout is None else Placement(layout, is_view=True)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        sizes = tensors.layouts[0].sizes
        layout = gradient.viewed(sizes)
        if layout is None:
            return (InputGradient(GradientKind.NEW, Layout.in_order(sizes)),)
        return (InputGradient(GradientKind.SAME, layout, is_view=True),)


class Flatten(_View):
    """Merge axes into one: `[C, H, W]` becomes `[C·H·W]`."""

    kind = "flatten"
    moves_elements = True
    aten = "flatten"
    onnx = "Flatten"
    aten_arguments = {"start": "start_dim", "end": "end_dim"}
    synonyms = "squeeze"
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

    def placement(self, tensors: InputTensors) -> Placement:
        start, end = self._range()
        if start == end:
            return Placement(tensors.layouts[0], is_view=True, is_same=True)
        return super().placement(tensors)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        start, end = self._range()
        if start == end:
            return (InputGradient(GradientKind.SAME, gradient),)
        return super().input_gradients(tensors, gradient)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        start, end = self._range()
        kept = [(axis,) for axis in range(len(self.x))]
        return (*kept[:start], tuple(range(start, end + 1)), *kept[end + 1 :])

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        start, end = self._range()
        return inputs[0] if start == end else in_harmony(super().axis_names(inputs))

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        call.need_images()
        return {} if call.get("axis", 1) == 1 else None

    def torch(self) -> Torch:
        start, end = self._range()
        return Torch("nn.Flatten", (start + 1, end + 1) if (start, end) != (0, len(self.x) - 1) else ())


class Reshape(_View):
    """The same elements under another shape; one size may be -1."""

    kind = "reshape"
    moves_elements = True
    aten = "reshape view unsqueeze squeeze flatten unflatten _unsafe_view reshape_as view_as"
    onnx = "Reshape Squeeze Unsqueeze Flatten"
    synonyms = "view unflatten rearrange"
    shape: NamedShape = required("the new shape, the batch not counted; {heads: 8, tokens: -1} names axes")
    examples = (
        example((16, 4, 5), shape=(4, -1)),
        example((12,), shape=(3, 2, 2)),
        example((3, 8, 6), shape=(3, 4, 2, 6)),
    )

    def output_shape(self) -> Shape:
        total = product(self.x)
        known = product(size for size in self.shape if size != -1)
        unknown = len([size for size in self.shape if size == -1])
        require(unknown <= 1, lambda: "only one size may be -1")
        require(
            all(size > 0 or size == -1 for size in self.shape),
            lambda: f"sizes must be above 0, or -1 once: {shape_text(self.shape)}",
        )
        fits = total % known == 0 if unknown else total == known
        require(fits, lambda: f"{shape_text(self.x)} has {total} elements, which do not fit {shape_text(self.shape)}")
        return tuple(total // known if size == -1 else size for size in self.shape)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Equal axes at the front and at the back stay; each axis between is made of all the others."""
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

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return names_of(self.shape) or reshaped(self.x, inputs[0], self.output)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        before, after = call.x, call.output
        if before.batch is None or after.batch is None:
            return None
        return {"shape": after.shape} if before.batch_stride == after.batch_stride else None

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        return call.operands[:1]

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """Also where rows of all samples become the rows of one axis, as `[L, N, E]` to `[L·N, E]`, and back."""
        before, after = call.x, call.output
        if (before.batch is None) != (after.batch is None):
            return None
        if before.batch is None:
            return {"shape": after.shape}
        fronts = [(product(operand.sizes[: operand.batch]), operand.folded) for operand in (before, after)]
        (rows, folded), (new_rows, refolded) = fronts
        fits = rows == new_rows or rows * folded == new_rows or rows == new_rows * refolded
        return {"shape": after.shape} if fits else None

    def torch(self) -> Torch:
        is_unflatten = len(self.x) == 1 and bool(self.output)
        return Torch("nn.Unflatten", (1, self.output)) if is_unflatten else Torch("archcalc.Reshape", self.output)


class Reordering(Shaping):
    """Axes in another order, as a view."""

    moves_elements = True
    is_view = True

    @abstractmethod
    def new_order(self) -> tuple[int, ...]:
        """Return the input's axes in their new order. Raises `ShapeError` if the arguments give none."""

    def with_batch(self) -> tuple[int, ...]:
        """Return the order with the batch before it, as PyTorch takes it."""
        return (0, *(axis + 1 for axis in self.new_order()))

    def output_shape(self) -> Shape:
        return tuple(self.x[axis] for axis in self.new_order())

    def placement(self, tensors: InputTensors) -> Placement:
        return Placement(tensors.layouts[0].permuted(self.with_batch()), is_view=True)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.SAME, gradient.restored(self.with_batch()), is_view=True),)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return tuple((axis,) for axis in self.new_order())


class Permute(Reordering):
    """The axes in another order."""

    kind = "permute"
    aten = "permute transpose t movedim swapaxes"
    onnx = "Transpose"
    synonyms = "swap_axes"
    order: Axes = required("the input's axes in their new order, the batch not counted")
    examples = (example((3, 4, 5), order=(1, 2, 0)), example((3, 4), order=(1, 0)))

    def resolved(self) -> dict[str, Any]:
        return {"order": tuple(map(self.axis_index, self.order))}

    def changes_nothing(self) -> bool:
        return [axis % len(self.x) for axis in self.order] == list(range(len(self.x)))

    def new_order(self) -> tuple[int, ...]:
        require(
            sorted(self.order) == list(range(len(self.x))),
            lambda: f"order must name each axis of {shape_text(self.x)} once",
        )
        return self.order

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        axes = list(range(len(call.x.sizes)))
        if call.operation == "permute":
            axes = call.arguments["dims"]
        elif call.operation == "movedim":
            source, target = (
                value[0] if isinstance(value, (list, tuple)) else value
                for value in (call.arguments["source"], call.arguments["destination"])
            )
            axes.insert(target % len(axes), axes.pop(source))
        else:
            first, second = call.get("dim0", call.get("axis0", 0)), call.get("dim1", call.get("axis1", 1))
            axes[first], axes[second] = axes[second], axes[first]
        return {"order": call.order(axes)}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        axes = len(call.x.sizes)
        return {"order": call.order(call.get("perm", list(range(axes))[::-1]))}

    def torch(self) -> Torch:
        return Torch("torch.permute", (self.with_batch(),))


def like_gradient(op: Operator, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient, ...]:
    """Return a gradient in the order of the output's gradient, whatever the input's order."""
    return (InputGradient(GradientKind.NEW, op.memory_order.of([gradient], tensors.layouts[0].sizes)),)


class ChannelShuffle(Shaping):
    """Interleave the channels of groups (ShuffleNet)."""

    kind = "channel_shuffle"
    torch_name = "nn.ChannelShuffle"
    torch_arguments = ("groups",)
    overestimates = {"channels": "each channel is one of the input's, at another place"}
    aten = "channel_shuffle"
    aten_arguments = {"groups": "groups"}
    needs_images = True
    synonyms = "shuffle channelshuffle"
    memory_order = Order.IMAGE
    groups: Count = required("number of groups")
    examples = (example((12, 5, 6), groups=3),)

    def output_shape(self) -> Shape:
        self.need_spatial()
        self.need_groups(self.groups)
        return self.x

    def access(self) -> Access:
        return (WHOLE_AXIS, *(SAME_POSITION,) * self.rank)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return like_gradient(self, tensors, gradient)
