"""Overlapping windows of an axis, as a view: `Tensor.unfold`."""

from archcalc.arithmetic import Shape
from archcalc.ops.arguments import AxisIndex, Count, option, required
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.reads import window
from archcalc.ops.shaping import Shaping
from archcalc.ops.vocabulary import SAME_POSITION, Access, GradientKind, Torch, example
from archcalc.ops.windows import window_count


class SlidingWindows(Shaping):
    """Windows of an axis, whose positions become the last axis (`Tensor.unfold`): `[C, 8, 8]` to `[C, 4, 8, 2]`."""

    kind = "sliding_windows"
    overestimates = dict.fromkeys(("channels", "positions"), "an output sees one position of its window")
    is_view = True
    aten = "unfold"
    aten_arguments = {"size": "size", "step": "step", "axis": "dimension"}
    synonyms = "sliding_window_view"
    size: Count = required("positions of a window")
    step: Count = option(1, "step between windows")
    axis: AxisIndex = option(-1, "the axis, the batch not counted")
    examples = (
        example((4, 8, 8), size=4, step=2, axis=1),
        example((4, 9), size=3),
        example((6, 5), size=2, step=2, axis=0),
    )

    def output_shape(self) -> Shape:
        count = window_count(self.x[self._axis], self.size, self.step, (0, 0), 1)
        return (*self.x[: self._axis], count, *self.x[self._axis + 1 :], self.size)

    @property
    def _axis(self) -> int:
        return self.axis_index(self.axis)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        """The last axis lies within a window."""
        return (*super().axes()[:-1], ())

    def access(self) -> Access:
        windows = window(self.size, self.step)
        return tuple(windows if axis == self._axis else SAME_POSITION for axis in range(len(self.x)))

    def placement(self, tensors: InputTensors) -> Placement:
        layout = tensors.layouts[0]
        moved = layout.part(self._axis + 1, self.output[self._axis], self.step)
        view = Layout((*moved.sizes, self.size), (*moved.strides, layout.strides[self._axis + 1]))
        return Placement(view, is_view=True)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.NEW,)

    def torch(self) -> Torch:
        return Torch("torch.Tensor.unfold", (self._axis + 1, self.size, self.step))
