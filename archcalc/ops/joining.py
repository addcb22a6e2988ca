"""Operators that lay tensors beside each other: concatenation and stacking."""

from collections.abc import Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import Shape, require
from archcalc.ops.arguments import AxisIndex, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.naming import AxisNames, common_names
from archcalc.ops.operator import Operator
from archcalc.ops.reads import shifted
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    example,
    shape_text,
)


class _Joining(Operator):
    category = "merge"
    moves_elements = True
    saved: ClassVar[SavedTensors | None] = SavedTensors()
    joins = True
    most_inputs = None

    def work(self) -> Work:
        """Copying is not arithmetic."""
        return {}


class Stack(_Joining):
    """The inputs beside each other along a new axis."""

    kind = "stack"
    aten = "stack"
    synonyms = "pack"
    axis: AxisIndex = option(0, "where the new axis stands, the batch not counted")
    examples = (example((4, 5), (4, 5), (4, 5)), example((4, 5), (4, 5), axis=-1))

    def _index(self) -> int:
        axes = len(self.x) + 1
        require(-axes <= self.axis < axes, lambda: f"axis {self.axis} is not one of {axes} axes")
        return self.axis % axes

    def output_shape(self) -> Shape:
        require(
            all(shape == self.x for shape in self.inputs),
            lambda: f"stack cannot join shapes {' and '.join(map(shape_text, self.inputs))}",
        )
        index = self._index()
        return (*self.x[:index], len(self.inputs), *self.x[index:])

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """The parts of the output's gradient."""
        axis = self._index() + 1
        sizes, strides = (numbers[:axis] + numbers[axis + 1 :] for numbers in (gradient.sizes, gradient.strides))
        return (InputGradient(GradientKind.PART, Layout(sizes, strides)),) * len(self.inputs)

    def axes(self) -> tuple[tuple[int, ...], ...]:
        own: list[tuple[int, ...]] = [(axis,) for axis in range(len(self.x))]
        own.insert(self._index(), ())
        return tuple(own)

    def accesses(self) -> tuple[Access, ...]:
        return ((SAME_POSITION,) * len(self.x),) * len(self.inputs)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        dim = call.get("dim", 0) % (len(call.x.sizes) + 1)
        if call.x.batch is None:
            return None
        return {"axis": dim - 1 if dim > call.x.batch and call.x.folded == 1 else dim}

    def torch(self) -> Torch:
        return Torch("torch.stack", (), {"dim": self._index() + 1}, listed=True)


class Concat(_Joining):
    """The inputs one after another along an axis."""

    kind = "concat"
    aten = "cat concat"
    onnx = "Concat"
    aten_arguments = {"axis": "dim"}
    onnx_arguments = {"axis": "axis"}
    synonyms = "cat concatenate merge route"
    axis: AxisIndex = option(0, "the axis, the batch not counted: 0 is the channels")
    examples = (example((4, 5, 6), (3, 5, 6)), example((4, 5), (4, 2), (4, 1), axis=-1))

    def output_shape(self) -> Shape:
        axis = self.axis_index(self.axis)
        total = self.x[axis]
        for shape in self.inputs[1:]:
            fits = len(shape) == len(self.x) and all(
                number == axis or n == m for number, (n, m) in enumerate(zip(shape, self.x, strict=True))
            )
            require(
                fits,
                lambda: (
                    f"concat along axis {self.axis} needs inputs that agree in every other axis, "
                    f"got {' and '.join(map(shape_text, self.inputs))}"
                ),
            )
            total = total + shape[axis]
        return (*self.x[:axis], total, *self.x[axis + 1 :])

    def placement(self, tensors: InputTensors) -> Placement:
        """Channels are last if they are in all inputs."""
        if all(layout.is_channels_last for layout in tensors.layouts):
            return Placement(Layout.channels_last(tensors.sizes(self.output)))
        return super().placement(tensors)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.PART,) * len(self.inputs)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        axis = self.axis_index(self.axis)
        return tuple(InputGradient(GradientKind.PART, gradient.part(axis + 1, shape[axis])) for shape in self.inputs)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return common_names(inputs, [(True,) * len(self.x)] * len(inputs))

    def laid_along(self) -> int:
        return self.axis_index(self.axis)

    def accesses(self) -> tuple[Access, ...]:
        axis = self.axis_index(self.axis)
        before, result = 0, []
        for shape in self.inputs:
            shift = shifted(-before)
            result.append(tuple(shift if number == axis else SAME_POSITION for number in range(len(shape))))
            before = before + shape[axis]
        return tuple(result)

    def torch(self) -> Torch:
        return Torch("torch.cat", (), {"dim": self.axis if self.axis < 0 else self.axis + 1}, listed=True)
