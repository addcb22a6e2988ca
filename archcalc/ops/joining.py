"""Operators of several inputs: sums, products and concatenation."""

from itertools import pairwise
from typing import ClassVar

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Axis, option
from archcalc.ops.operator import (
    SAME_POSITION,
    WHOLE_AXIS,
    Gradient,
    Held,
    Keeps,
    Operator,
    Scratch,
    Sight,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


class _Arithmetic(Operator):
    """Element by element; an axis of size 1 is repeated, as in PyTorch."""

    category = "merge"
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

    def _partial(self) -> list[Dim]:
        """Elements of what the first two inputs give, the first three, …; the last is the output."""
        return [product(shape) for shape in self._joined()[1:]]

    def scratch(self) -> Scratch:
        """More than two inputs are joined one after another."""
        partial = self._partial()
        steps = tuple(Held(before + after) for before, after in pairwise(partial))
        return Scratch(inference=steps, training=steps)

    def _mismatch(self) -> str:
        return f"{self.kind} cannot join shapes {' and '.join(map(shape_text, self.inputs))}"

    def work(self) -> Work:
        return {self.primitive: (len(self.inputs) - 1) * self.elements}

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        """A repeated axis shows the same position everywhere."""
        return tuple(
            tuple(SAME_POSITION if n == m else WHOLE_AXIS for n, m in zip(shape, self.output, strict=True))
            for shape in self.inputs
        )

    def keeps(self) -> Keeps:
        return Keeps()

    def torch(self) -> Torch:
        return Torch(self.torch_name)


class Add(_Arithmetic):
    """The sum."""

    kind = "add"
    synonyms = "plus eltwise residual shortcut"
    primitive = "add"
    torch_name = "operator.add"
    examples = (example((4, 5, 6), (4, 5, 6)), example((4, 5, 6), (4, 1, 1), (4, 5, 6)))

    def gradients(self) -> tuple[Gradient, ...]:
        return tuple(Gradient.SAME if shape == self.output else Gradient.NEW for shape in self.inputs)


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


class Mul(_Arithmetic):
    """The product, element by element: a gate where one side is `[C, 1, 1]`."""

    kind = "mul"
    synonyms = "multiply product times"
    primitive = "mul"
    torch_name = "operator.mul"
    examples = (example((4, 5, 6), (4, 1, 1)), example((4, 5), (4, 5), (1, 5)))

    def linearized(self) -> Operator:
        return Add(self.inputs)

    def keeps(self) -> Keeps:
        """Both sides of every product: with more than two inputs, also the products between."""
        return Keeps(inputs=True, elements=sum(self._partial()[:-1]))

    def scratch(self) -> Scratch:
        """A repeated side's gradient is made in full, then summed."""
        repeated = [product(shape) for shape in self.inputs if shape != self.output]
        backward = (Held(len(self.inputs) * self.elements + repeated[0]),) if repeated else ()
        return super().scratch()._replace(backward=backward)


class Concat(Operator):
    """The inputs one after another along an axis."""

    kind = "concat"
    synonyms = "cat concatenate merge route"
    category = "merge"
    joins = True
    least_inputs = 1
    most_inputs = None
    axis: Axis = option(0, "the axis, the batch not counted: 0 is the channels")
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

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        axis = self.axis % len(self.x)
        before, result = 0, []
        for shape in self.inputs:
            shift = Window(1, -before, -before)
            result.append(tuple(shift if at == axis else SAME_POSITION for at in range(len(shape))))
            before = before + shape[axis]
        return tuple(result)

    def keeps(self) -> Keeps:
        return Keeps()

    def torch(self) -> Torch:
        return Torch("torch.cat", (), {"dim": self.axis if self.axis < 0 else self.axis + 1}, listed=True)
