"""Arithmetic of several tensors, element by element."""

from collections.abc import Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import option
from archcalc.ops.calls import Call, Operand, is_number
from archcalc.ops.layout import InputTensors, Layout, Order, Placement, elementwise
from archcalc.ops.naming import AxisNames, common_names
from archcalc.ops.operator import Operator
from archcalc.ops.padding import LOWEST, Filler, filler
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
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

    def linearized(self) -> Operator:
        return Add(self.inputs)


class _Sum(_Arithmetic):
    primitive = "add"

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if call.get("alpha", 1) == 1 else None


class Add(_Sum):
    """The sum."""

    kind = "add"
    adds = True
    sign = "+"
    aten = "add"
    onnx = "Add Sum"
    fused_into = frozenset({"Conv"})
    synonyms = "plus eltwise residual shortcut"
    torch_name = "operator.add"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5, 6), (4, 1, 1), (4, 5, 6)))

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return tuple(GradientKind.SAME if shape == self.output else GradientKind.NEW for shape in self.inputs)


class Sub(_Sum):
    """The first minus the second."""

    kind = "sub"
    sign = "−"
    aten = "sub"
    onnx = "Sub"
    synonyms = "subtract minus"
    most_inputs = 2
    torch_name = "operator.sub"
    examples = (example((4, 5, 6), (4, 5, 6)),)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME if self.x == self.output else GradientKind.NEW, GradientKind.NEW)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """A repeated second input's gradient is computed at the output's size, then summed."""
        _, second = self.inputs
        if second == self.output or not tensors.needs_gradient[1]:
            return Workspaces()
        return Workspaces(backward=(Workspace(self.elements + product(second)),))


class Mul(_Arithmetic):
    """The elementwise product: a gate if one input is `[C, 1, 1]`."""

    kind = "mul"
    sign = "×"
    aten = "mul"
    onnx = "Mul"
    synonyms = "multiply product times"
    primitive = "mul"
    torch_name = "operator.mul"
    examples = (example((4, 5, 6), (4, 1, 1)), example((4, 5), (4, 5), (1, 5)))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """Of a pair, a factor is saved if the other needs a gradient; with more inputs, also the products between."""
        if len(self.inputs) > 2:
            return SavedTensors(inputs=True, elements=sum(map(product, self._joined()[1:-1])))
        return SavedTensors(inputs=tensors.needs_gradient[::-1])

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """A repeated input's gradient is computed at the output's size, then summed."""
        wanted = [shape for shape, wants in zip(self.inputs, tensors.needs_gradient, strict=True) if wants]
        repeated = [product(shape) for shape in wanted if shape != self.output]
        backward = (Workspace(len(wanted) * self.elements + repeated[0]),) if repeated else ()
        return Workspaces(backward=backward)


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

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The divisor; the dividend for the gradient of the divisor."""
        return SavedTensors(inputs=(tensors.needs_gradient[1], True))

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The divisor's gradient comes first, with three numbers between; a repeated input's is then summed."""
        if tensors.needs_gradient[1]:
            return Workspaces(backward=(Workspace(4 * self.elements),))
        repeated = 0 if self.x == self.output else product(self.x)
        return Workspaces(backward=(Workspace(self.elements + repeated),) if repeated else ())

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if len(call.operands) == 2 and call.get("rounding_mode") is None else None


class _Extreme(_Arithmetic):
    most_inputs = 2
    primitive = "compare"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5), (4, 1)))
    saved = SavedTensors(inputs=True)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Each gradient needs half of the output's where both inputs are equal, and two masks of bytes."""
        elements, wanted = self.elements, sum(tensors.needs_gradient)
        return Workspaces(backward=(Workspace((wanted + 2) * elements, bytes=2 * elements),) if wanted else ())


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
    overestimates = {"nan": "one of two numbers is taken"}
    aten = "where"
    onnx = "Where"
    synonyms = "select cond"
    least_inputs = 3
    most_inputs = 3
    torch_name = "archcalc.where_positive"
    examples = (example((4, 5, 6), (4, 5, 6), (4, 5, 6)), example((1, 5), (4, 5), (4, 1)))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """A mask of bytes that says where the first is above 0, for the gradients of the other two."""
        return SavedTensors(bytes=product(self.x) if any(tensors.needs_gradient[1:]) else 0)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The mask; backward, both gradients at the output's size and a zero, then a repeated input's sum."""
        wanted = [shape for shape, wants in zip(self.inputs[1:], tensors.needs_gradient[1:], strict=True) if wants]
        made = len(wanted) * self.elements
        sums = next((product(shape) for shape in wanted if shape != self.output), 0)
        backward = (Workspace(made, shared=1), Workspace(made + sums)) if wanted else ()
        return Workspaces(inference=(Workspace(self.elements, bytes=product(self.x)),), backward=backward)

    def differentiates(self, position: int) -> bool:
        return position > 0

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (None, *super().input_gradients(tensors, gradient)[1:])

    def work(self) -> Work:
        return {"compare": self.elements}

    def pairs(self) -> Sequence[Operator]:
        return ()

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if len(call.operands) == 3 else None

    from_onnx = from_aten


class Masked(_Arithmetic):
    """The first, with a number in the places where the second is above 0: scores that attention hides."""

    kind = "masked"
    overestimates = {"nan": "what is hidden is not read"}
    aten = "masked_fill"
    onnx = "Where"
    synonyms = "masked_fill mask"
    most_inputs = 2
    torch_name = "archcalc.masked"
    value: Filler = option(LOWEST, "the number there")
    examples = (example((4, 5, 5), (4, 5, 5)), example((4, 5, 5), (1, 5, 5), value=-1000), example((1, 5), (4, 5)))

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """A mask of bytes."""
        return SavedTensors(bytes=product(self.inputs[1]) if tensors.needs_gradient[0] else 0)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The mask; backward, the gradient at the output's size, then its sum for an input that is repeated."""
        forward = Workspace(self.elements, bytes=product(self.inputs[1]))
        backward = Workspace(self.elements + (product(self.x) if self.x != self.output else 0))
        return Workspaces(inference=(forward,), backward=(backward,) if tensors.needs_gradient[0] else ())

    def placement(self, tensors: InputTensors) -> Placement:
        return Placement(Layout.in_order(tensors.sizes(self.output)))

    def differentiates(self, position: int) -> bool:
        return position == 0

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, Layout.in_order(tensors.layouts[0].sizes)), None)

    def work(self) -> Work:
        return {"compare": product(self.inputs[1])}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"value": filler(call.arguments["value"])} if len(call.operands) == 2 else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        value = call.get("X")
        return {"value": filler(value)} if is_number(value) and len(call.operands) == 2 else None

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        """ONNX has the condition first."""
        return call.operands[::-1] if call.operation == "Where" else call.operands

    def torch(self) -> Torch:
        return Torch(self.torch_name, (float(self.value),))
