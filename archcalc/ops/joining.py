"""Operators of several inputs: sums, products and concatenation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import AxisIndex, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Order, Placement, elementwise
from archcalc.ops.naming import AxisNames, common_names
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Window,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


class _Arithmetic(Operator):
    """Elementwise arithmetic; an axis of size 1 is repeated, as in PyTorch."""

    category = "merge"
    memory_order = Order.INPUTS
    saved: ClassVar[SavedTensors | None] = SavedTensors()
    joins = True
    least_inputs = 2
    most_inputs: ClassVar[int | None] = None
    primitive: ClassVar[str]
    torch_name: ClassVar[str]

    def output_shape(self) -> Shape:
        return self._joined()[-1]

    def _joined(self) -> list[Shape]:
        """Return the shapes of the first input, of the first two joined, of the first three, …, of the output."""
        joined = [self.x]
        for shape in self.inputs[1:]:
            output = list(joined[-1])
            require(len(shape) == len(output), lambda: self._mismatch())
            for axis, size in enumerate(shape):
                if size == output[axis] or size == 1:
                    continue
                require(output[axis] == 1, lambda: self._mismatch())
                output[axis] = size
            joined.append(tuple(output))
        return joined

    def pairs(self) -> Sequence[Operator]:
        """The first two inputs, then their result with the third, and so on."""
        if len(self.inputs) == 2:
            return ()
        return [type(self)(pair) for pair in zip(self._joined(), self.inputs[1:], strict=False)]

    def _mismatch(self) -> str:
        shapes = " and ".join(map(shape_text, self.inputs))
        return f"{self.kind} needs inputs of one shape, got {shapes}"

    def work(self) -> Work:
        return {self.primitive: (len(self.inputs) - 1) * self.elements}

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """Of an input that is not repeated along the axis."""
        full = [tuple(n == m for n, m in zip(shape, self.output, strict=True)) for shape in self.inputs]
        return common_names(inputs, full)

    def accesses(self) -> tuple[Access, ...]:
        """Along a repeated axis, every output reads the same position."""
        return tuple(
            tuple(SAME_POSITION if n == m else WHOLE_AXIS for n, m in zip(shape, self.output, strict=True))
            for shape in self.inputs
        )

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """In the layout of the output's gradient; a repeated input's gradient is a sum, and contiguous."""
        found = []
        for kind, layout in zip(self.gradient_kinds(), tensors.layouts, strict=True):
            own = gradient
            if kind is GradientKind.NEW:
                repeated = layout.sizes != gradient.sizes
                own = Layout.in_order(layout.sizes) if repeated else elementwise([gradient])
            found.append(InputGradient(kind, own))
        return tuple(found)

    def torch(self) -> Torch:
        return Torch(self.torch_name)


class Add(_Arithmetic):
    """The sum."""

    kind = "add"
    aten = "add"
    onnx = "Add Sum"
    synonyms = "plus eltwise residual shortcut"
    primitive = "add"
    torch_name = "operator.add"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5, 6), (4, 1, 1), (4, 5, 6)))

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return tuple(GradientKind.SAME if shape == self.output else GradientKind.NEW for shape in self.inputs)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if call.get("alpha", 1) == 1 else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {}


class Sub(_Arithmetic):
    """The first minus the second."""

    kind = "sub"
    aten = "sub"
    onnx = "Sub"
    synonyms = "subtract minus"
    most_inputs = 2
    primitive = "add"
    torch_name = "operator.sub"
    examples = (example((4, 5, 6), (4, 5, 6)),)

    def linearized(self) -> Operator:
        return Add(self.inputs)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME if self.x == self.output else GradientKind.NEW, GradientKind.NEW)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """A repeated second input's gradient is computed at the output's size, then summed."""
        _, second = self.inputs
        if second == self.output or not tensors.needs_gradient[1]:
            return self.workspaces()
        return self.workspaces()._replace(backward=(Workspace(self.elements + product(second)),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if call.get("alpha", 1) == 1 else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {}


class Mul(_Arithmetic):
    """The elementwise product: a gate if one input is `[C, 1, 1]`."""

    kind = "mul"
    aten = "mul"
    onnx = "Mul"
    synonyms = "multiply product times"
    primitive = "mul"
    torch_name = "operator.mul"
    examples = (example((4, 5, 6), (4, 1, 1)), example((4, 5), (4, 5), (1, 5)))

    def linearized(self) -> Operator:
        return Add(self.inputs)

    def saved_tensors(self) -> SavedTensors:
        """Both factors of every product; with more than two inputs, also the products between."""
        return SavedTensors(inputs=True, elements=sum(map(product, self._joined()[1:-1])))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """Of a pair, a factor is saved if the other needs a gradient."""
        return SavedTensors(inputs=tensors.needs_gradient[::-1])

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """A repeated input's gradient is computed at the output's size, then summed."""
        wanted = [shape for shape, wants in zip(self.inputs, tensors.needs_gradient, strict=True) if wants]
        repeated = [product(shape) for shape in wanted if shape != self.output]
        backward = (Workspace(len(wanted) * self.elements + repeated[0]),) if repeated else ()
        return self.workspaces()._replace(backward=backward)


class Div(_Arithmetic):
    """The first divided by the second, element by element."""

    kind = "div"
    aten = "div"
    onnx = "Div"
    synonyms = "divide quotient"
    most_inputs = 2
    primitive = "div"
    torch_name = "operator.truediv"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5), (1, 5)))
    saved = None

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if len(call.operands) == 2 and call.get("rounding_mode") is None else None

    def linearized(self) -> Operator:
        return Add(self.inputs)


class _Extreme(_Arithmetic):
    most_inputs = 2
    primitive = "compare"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5), (4, 1)))
    saved = None

    def linearized(self) -> Operator:
        return Add(self.inputs)


class Maximum(_Extreme):
    """The larger of two, element by element."""

    kind = "maximum"
    aten = "maximum"
    onnx = "Max"
    synonyms = "maxout"
    torch_name = "torch.maximum"


class Minimum(_Extreme):
    """The smaller of two, element by element."""

    kind = "minimum"
    aten = "minimum"
    onnx = "Min"
    torch_name = "torch.minimum"


class Where(_Arithmetic):
    """The second where the first is above 0, else the third, element by element."""

    kind = "where"
    aten = "where"
    onnx = "Where"
    synonyms = "select cond"
    least_inputs = 3
    most_inputs = 3
    torch_name = "archcalc.where_positive"
    examples = (example((4, 5, 6), (4, 5, 6), (4, 5, 6)), example((1, 5), (4, 5), (4, 1)))
    saved = None

    def work(self) -> Work:
        return {"compare": self.elements}

    @property
    def overestimates(self) -> dict[str, str]:
        return {"nan": "one of two numbers is taken"}

    def linearized(self) -> Operator:
        return Add(self.inputs)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if len(call.operands) == 3 else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {} if len(call.operands) == 3 else None


class Stack(Operator):
    """The inputs beside each other along a new axis."""

    kind = "stack"
    moves_elements = True
    aten = "stack"
    synonyms = "pack"
    category = "merge"
    joins = True
    most_inputs = None
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

    def work(self) -> Work:
        """Copying is no arithmetic."""
        return {}

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


class Concat(Operator):
    """The inputs one after another along an axis."""

    kind = "concat"
    moves_elements = True
    aten = "cat concat"
    onnx = "Concat"
    synonyms = "cat concatenate merge route"
    category = "merge"
    saved: ClassVar[SavedTensors | None] = SavedTensors()
    joins = True
    least_inputs = 1
    most_inputs = None
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

    def work(self) -> Work:
        """Copying is not arithmetic."""
        return {}

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

    def accesses(self) -> tuple[Access, ...]:
        axis = self.axis_index(self.axis)
        before, result = 0, []
        for shape in self.inputs:
            shift = Window(1, -before, -before)
            result.append(tuple(shift if number == axis else SAME_POSITION for number in range(len(shape))))
            before = before + shape[axis]
        return tuple(result)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"axis": call.axis(default=0)}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {"axis": call.axis("axis")}

    def torch(self) -> Torch:
        return Torch("torch.cat", (), {"dim": self.axis if self.axis < 0 else self.axis + 1}, listed=True)
