"""Operators of several inputs: sums, products and concatenation."""

from collections.abc import Sequence
from typing import ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import AxisIndex, option
from archcalc.ops.layout import Given, Layout, Order, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    AxisAccess,
    Gradient,
    Returned,
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
    """Element by element; an axis of size 1 is repeated, as in PyTorch."""

    category = "merge"
    memory_order = Order.INPUTS
    joins = True
    least_inputs = 2
    most_inputs: ClassVar[int | None] = None
    primitive: ClassVar[str]
    torch_name: ClassVar[str]

    def output_shape(self) -> Shape:
        return self._joined()[-1]

    def _joined(self) -> list[Shape]:
        """What the first input gives, the first two, the first three, …; the last is the output."""
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
        """What the first two inputs give with the third, and so on."""
        if len(self.inputs) == 2:
            return ()
        return [type(self)(pair) for pair in zip(self._joined(), self.inputs[1:], strict=False)]

    def _mismatch(self) -> str:
        return f"{self.kind} cannot join shapes {' and '.join(map(shape_text, self.inputs))}"

    def work(self) -> Work:
        return {self.primitive: (len(self.inputs) - 1) * self.elements}

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        """A repeated axis shows the same position everywhere."""
        return tuple(
            tuple(SAME_POSITION if n == m else WHOLE_AXIS for n, m in zip(shape, self.output, strict=True))
            for shape in self.inputs
        )

    def keeps(self) -> SavedTensors:
        return SavedTensors()

    def torch(self) -> Torch:
        return Torch(self.torch_name)


def _like(gradient: Layout, kinds: Sequence[Gradient], given: Given) -> tuple[Returned, ...]:
    """Gradients that lie as that of the output; those of repeated sides are sums, in order."""
    found = []
    for kind, layout in zip(kinds, given.layouts, strict=True):
        if kind is Gradient.NEW:
            repeated = layout.sizes != gradient.sizes
            found.append(Returned(kind, Layout.in_order(layout.sizes) if repeated else elementwise([gradient])))
        else:
            found.append(Returned(kind, gradient))
    return tuple(found)


class Add(_Arithmetic):
    """The sum."""

    kind = "add"
    synonyms = "plus eltwise residual shortcut"
    primitive = "add"
    torch_name = "operator.add"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5, 6), (4, 1, 1), (4, 5, 6)))

    def gradients(self) -> tuple[Gradient, ...]:
        return tuple(Gradient.SAME if shape == self.output else Gradient.NEW for shape in self.inputs)

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return _like(gradient, self.gradients(), given)


class Sub(_Arithmetic):
    """The first minus the second."""

    kind = "sub"
    synonyms = "subtract minus"
    most_inputs = 2
    primitive = "add"
    torch_name = "operator.sub"
    examples = (example((4, 5, 6), (4, 5, 6)),)

    def linearized(self) -> Operator:
        return Add(self.inputs)

    def gradients(self) -> tuple[Gradient, ...]:
        return (Gradient.SAME if self.x == self.output else Gradient.NEW, Gradient.NEW)

    def scratch_of(self, given: Given) -> Workspaces:
        """A repeated second side's gradient is made in full, then summed."""
        _, second = self.inputs
        if second == self.output or not given.wanted[1]:
            return self.scratch()
        return self.scratch()._replace(backward=(Workspace(self.elements + product(second)),))

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return _like(gradient, self.gradients(), given)


class Mul(_Arithmetic):
    """The product, element by element: a gate where one side is `[C, 1, 1]`."""

    kind = "mul"
    synonyms = "multiply product times"
    primitive = "mul"
    torch_name = "operator.mul"
    examples = (example((4, 5, 6), (4, 1, 1)), example((4, 5), (4, 5), (1, 5)))

    def linearized(self) -> Operator:
        return Add(self.inputs)

    def keeps(self) -> SavedTensors:
        """Both sides of every product: with more than two inputs, also the products between."""
        return SavedTensors(inputs=True, elements=sum(map(product, self._joined()[1:-1])))

    def keeps_of(self, given: Given) -> SavedTensors:
        """Of a pair, a side is kept for the other's gradient, if that needs one."""
        return SavedTensors(inputs=given.wanted[::-1])

    def scratch_of(self, given: Given) -> Workspaces:
        """A repeated side's gradient is made in full, then summed."""
        wanted = [shape for shape, wants in zip(self.inputs, given.wanted, strict=True) if wants]
        repeated = [product(shape) for shape in wanted if shape != self.output]
        backward = (Workspace(len(wanted) * self.elements + repeated[0]),) if repeated else ()
        return self.scratch()._replace(backward=backward)

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """The gradient times the other side."""
        return _like(gradient, (Gradient.NEW,) * len(self.inputs), given)


class Div(_Arithmetic):
    """The first divided by the second, element by element."""

    kind = "div"
    synonyms = "divide quotient"
    most_inputs = 2
    primitive = "div"
    torch_name = "operator.truediv"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5), (1, 5)))
    keeps = Operator.keeps

    def linearized(self) -> Operator:
        return Add(self.inputs)


class _Extreme(_Arithmetic):
    most_inputs = 2
    primitive = "compare"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5), (4, 1)))
    keeps = Operator.keeps

    def linearized(self) -> Operator:
        return Add(self.inputs)


class Maximum(_Extreme):
    """The larger of two, element by element."""

    kind = "maximum"
    synonyms = "maxout"
    torch_name = "torch.maximum"


class Minimum(_Extreme):
    """The smaller of two, element by element."""

    kind = "minimum"
    torch_name = "torch.minimum"


class Where(_Arithmetic):
    """The second where the first is above 0, else the third, element by element."""

    kind = "where"
    synonyms = "select cond"
    least_inputs = 3
    most_inputs = 3
    torch_name = "archcalc.where_positive"
    examples = (example((4, 5, 6), (4, 5, 6), (4, 5, 6)), example((1, 5), (4, 5), (4, 1)))
    keeps = Operator.keeps

    def work(self) -> Work:
        return {"compare": self.elements}

    @property
    def loose_sight(self) -> dict[str, str]:
        return {"nan": "one of two numbers is taken"}

    def linearized(self) -> Operator:
        return Add(self.inputs)


class Stack(Operator):
    """The inputs beside each other along a new axis."""

    kind = "stack"
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

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        return ((SAME_POSITION,) * len(self.x),) * len(self.inputs)

    def torch(self) -> Torch:
        return Torch("torch.stack", (), {"dim": self._index() + 1}, listed=True)


class Concat(Operator):
    """The inputs one after another along an axis."""

    kind = "concat"
    synonyms = "cat concatenate merge route"
    category = "merge"
    joins = True
    least_inputs = 1
    most_inputs = None
    axis: AxisIndex = option(0, "the axis, the batch not counted: 0 is the channels")
    examples = (example((4, 5, 6), (3, 5, 6)), example((4, 5), (4, 2), (4, 1), axis=-1))

    def output_shape(self) -> Shape:
        axes = len(self.x)
        require(-axes <= self.axis < axes, lambda: f"axis {self.axis} is not one of {shape_text(self.x)}")
        axis = self.axis % axes
        total = self.x[axis]
        for shape in self.inputs[1:]:
            fits = len(shape) == axes and all(
                at == axis or n == m for at, (n, m) in enumerate(zip(shape, self.x, strict=True))
            )
            require(fits, lambda: f"concat cannot join shapes {' and '.join(map(shape_text, self.inputs))}")
            total = total + shape[axis]
        return (*self.x[:axis], total, *self.x[axis + 1 :])

    def work(self) -> Work:
        """Copying is no arithmetic."""
        return {}

    def gradients(self) -> tuple[Gradient, ...]:
        return (Gradient.PART,) * len(self.inputs)

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        axis = self.axis % len(self.x)
        return tuple(Returned(Gradient.PART, gradient.part(axis + 1, shape[axis])) for shape in self.inputs)

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        axis = self.axis % len(self.x)
        before, result = 0, []
        for shape in self.inputs:
            shift = Window(1, -before, -before)
            result.append(tuple(shift if at == axis else SAME_POSITION for at in range(len(shape))))
            before = before + shape[axis]
        return tuple(result)

    def keeps(self) -> SavedTensors:
        return SavedTensors()

    def torch(self) -> Torch:
        return Torch("torch.cat", (), {"dim": self.axis if self.axis < 0 else self.axis + 1}, listed=True)
