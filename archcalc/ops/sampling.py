"""Maps that are read, or written, at places that another tensor says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import Bool, Choice, Extent, Offsets, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, elementwise
from archcalc.ops.naming import AxisNames, map_names
from archcalc.ops.operator import Operator
from archcalc.ops.reads import spread, window
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Autocast,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    compact,
    example,
    shape_text,
)
from archcalc.ops.windows import check_pool_padding, window_count

if TYPE_CHECKING:
    from archcalc.ops.tape.tape import Tape
    from archcalc.ops.tape.tensors import TapeTensor

INDEX_BYTES = 8
"""Bytes of the number of a place."""


class GridSample(Operator):
    """A map `[C, H, W]` read at the points of a grid `[H', W', 2]`, from −1 to 1 along each side.

    A volume `[C, D, H, W]` is read at those of `[D', H', W', 3]`. Several maps, `[N, C, H, W]`, are each read at the
    points of its own grid: `[N, H', W', 2]`.
    """

    kind = "grid_sample"
    has_linear = False
    overestimates = {"nan": "which positions are read depends on the numbers of the grid"}
    autocast = Autocast.FLOAT32
    aten = "grid_sampler"
    onnx = "GridSample"
    synonyms = "gridsample bilinear_sampler spatial_transformer warp"
    category = "shape"
    joins = True
    least_inputs = 2
    most_inputs = 2
    mode: Annotated[str, Choice(("bilinear", "nearest"))] = option("bilinear", "how it reads between positions")
    align_corners: Bool = option(False, "-1 and 1 are the centers of the corner positions, not their outer sides")
    examples = (
        example((4, 5, 6), (3, 2, 2)),
        example((4, 5, 6), (5, 6, 2), mode="nearest", align_corners=True),
        example((2, 3, 4, 5), (2, 2, 3, 3)),
        example((6, 3, 4, 5), (6, 7, 3, 2)),
    )

    def output_shape(self) -> Shape:
        image, grid = self.inputs
        maps, points = self._maps(grid), grid[self._several : -1]
        require(
            len(image) == len(grid) >= 3
            and self.rank in (2, 3)
            and len(points) == self.rank
            and maps == self._maps(image),
            lambda: (
                "grid_sample takes [C, H, W] and [H', W', 2], or [C, D, H, W] and [D', H', W', 3], or several of them, "
                f"got {shape_text(image)} and {shape_text(grid)}"
            ),
        )
        return (*maps, image[self._several], *points)

    @property
    def rank(self) -> int:
        """The numbers that say a point."""
        return self.inputs[1][-1] if self.inputs[1] else 0

    @property
    def _several(self) -> bool:
        """True if there are several maps for each sample."""
        return len(self.inputs[0]) == self.rank + 2

    def _maps(self, shape: Shape) -> Shape:
        """Return the axis of maps of an input, or nothing."""
        return shape[: self._several]

    def work(self) -> Work:
        """Of each point the place in the map; with bilinear, a weighted sum of its neighbors for every channel.

        There are 2 neighbors along each dimension, and the weight of one is the product of one factor for each.
        """
        points, rank = product(self.inputs[1][:-1]), self.rank
        work = {"mul": 2 * rank * points, "add": rank * points}
        if self.mode == "bilinear":
            neighbors = 2**rank
            work["mul"] += neighbors * ((rank - 1) * points + self.elements)
            work["add"] += 2 * rank * points + (neighbors - 1) * self.elements
        return work

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        # An input is copied if its maps do not lie in memory as more samples.
        copied = tuple(self._several and layout.joined(2) is None for layout in tensors.layouts)
        elements = sum(product(shape) for shape, is_copied in zip(self.inputs, copied, strict=True) if is_copied)
        return SavedTensors(inputs=tuple(not is_copy for is_copy in copied), elements=elements)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Backward, PyTorch makes the gradient of the grid even if nothing needs it."""
        image, grid = map(product, self.inputs)
        of_image, of_grid = tensors.needs_gradient
        copies = self.saved_tensors_for(tensors).elements
        forward = (Workspace(self.elements + copies),) if copies else ()
        return Workspaces(forward, forward, backward=() if of_grid else (Workspace((image if of_image else 0) + grid),))

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return self._several and gradient.joined(2) is None

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        if not self._several:
            return super().input_gradients(tensors, gradient)
        return tuple(
            InputGradient(GradientKind.NEW, Layout.in_order(layout.sizes), is_view=True) for layout in tensors.layouts
        )

    def accesses(self) -> tuple[Access, ...]:
        maps, rank = (SAME_POSITION,) * self._several, self.rank
        return (*maps, SAME_POSITION, *(WHOLE_AXIS,) * rank), (*maps, *(SAME_POSITION,) * rank, WHOLE_AXIS)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """Channels of the map; rows and columns of the grid have a place of their own."""
        return (*((0,),) * self._several, (int(self._several),), *((),) * self.rank)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        names = inputs[0]
        return (*names[: self._several], *map_names(names[self._several :]))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if not _are_images(call) or call.get("padding_mode", 0) != 0 or call.get("interpolation_mode", 0) > 1:
            return None
        return {
            "mode": ("bilinear", "nearest")[call.get("interpolation_mode", 0)],
            "align_corners": call.get("align_corners", False),
        }

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        mode = {"linear": "bilinear"}.get(call.get("mode", "linear"), call.get("mode", "bilinear"))
        if not _are_images(call) or call.get("padding_mode", "zeros") != "zeros" or mode not in ("bilinear", "nearest"):
            return None
        return {"mode": mode, "align_corners": bool(call.get("align_corners", 0))}

    def torch(self) -> Torch:
        kwargs = {"mode": self.mode, "align_corners": self.align_corners}
        return Torch("archcalc.grid_sample_of_each" if self._several else "nn.functional.grid_sample", (), kwargs)


def _are_images(call: Call) -> bool:
    """Return True if the first axis of all operands is the batch, with equally many maps of each sample."""
    return all(operand.batch == 0 and operand.folded == call.output.folded for operand in call.operands)


def _in_rows(layout: Layout) -> Layout | None:
    """Return the layout with all sides as one axis; None if that needs a copy."""
    return layout.viewed((*layout.sizes[:2], product(layout.sizes[2:])))


class MaxUnpool(Taped, Operator):
    """Each number back at the place where a max pooling found it, zeros elsewhere.

    It takes `[C, h, w]` and the map `[C, H, W]` that was pooled, whose size the output has.
    """

    kind = "max_unpool"
    has_linear = False
    tools_agree = False
    overestimates = {"nan": "where a number goes depends on the numbers"}
    synonyms = "maxunpool2d unpool unpooling"
    category = "pooling"
    joins = True
    least_inputs = 2
    most_inputs = 2
    kernel: Extent = required("size of the pooling's window")
    stride: Extent = option(lambda op: op.kernel, "step between the pooling's windows; the kernel's size if not given")
    padding: Offsets = option(0, "rows and columns around the pooled map")
    examples = (
        example((4, 3, 3), (4, 6, 6), kernel=2),
        example((4, 3, 3), (4, 6, 5), kernel=3, stride=2, padding=1),
    )

    def output_shape(self) -> Shape:
        small, large = self.inputs
        require(len(small) == len(large) > 1, lambda: self._mismatch())
        for k, p in zip(self.kernel, self.padding, strict=True):
            check_pool_padding(k, p)
        sizes = map(window_count, large[1:], self.kernel, self.stride, ((p, p) for p in self.padding), (1,) * self.rank)
        require((large[0], *sizes) == tuple(small), lambda: self._mismatch())
        return large

    def _mismatch(self) -> str:
        small, large = map(shape_text, self.inputs)
        return f"max_unpool takes what was pooled and the map it was pooled from, got {small} and {large}"

    def differentiates(self, position: int) -> bool:
        """Only the places of the map that was pooled are taken."""
        return position == 0

    def work(self) -> Work:
        """Moving elements is no arithmetic; the pooling counts the comparisons."""
        return {}

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return _in_rows(gradient) is None

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, Layout.in_order(tensors.layouts[0].sizes), is_view=True), None)

    def program(self, tensors: InputTensors) -> Program:
        """The map is pooled again for the places; then the numbers are put there, all with rows as one axis."""
        small, large = tensors.layouts
        numbers, elements = product(small.sizes), product(large.sizes)
        places_in_order = not (large.is_channels_last and _in_rows(Layout.channels_last(small.sizes)) is None)

        def program(tape: "Tape", inputs: Sequence["TapeTensor"]) -> "TapeTensor":
            largest, found = tape.new(numbers), tape.new(0, INDEX_BYTES * numbers)
            zeros = tape.new(elements)
            if _in_rows(elementwise([large])) is None:
                zeros = tape.new(elements)
            places = found if places_in_order else tape.new(0, INDEX_BYTES * numbers)
            x = tape.view(inputs[0]) if _in_rows(small) is not None else tape.copy(inputs[0])
            made = tape.new(elements)
            tape.step([x], [made], lambda given, _: [tape.new(numbers)], [places])
            del zeros, largest, found
            return tape.view(made)

        return program

    def accesses(self) -> tuple[Access, ...]:
        """Where a number goes depends on the window that it comes from."""
        windows = map(spread, self.kernel, self.stride, self.padding)
        around = (window(2 * k - 1, before=k - 1) for k in self.kernel)
        return (SAME_POSITION, *windows), (SAME_POSITION, *around)

    def torch(self) -> Torch:
        kwargs = {"kernel_size": compact(self.kernel), "stride": compact(self.stride)}
        if any(self.padding):
            kwargs["padding"] = compact(self.padding)
        return Torch("archcalc.MaxUnpool", (), kwargs)
