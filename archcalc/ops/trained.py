"""Trained tensors that stand alone: a scale, an embedding of positions, a token.

Each is the layer itself in PyTorch's state dict (`class_token`, not `class_token.weight`): its one weight has no name.
"""

from typing import ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import AxisIndex, Count, RealNumber, SizeList, option, required
from archcalc.ops.layout import Given, Layout, Order, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    NOTHING,
    SAME_POSITION,
    AxisAccess,
    Example,
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


class LayerScale(Operator):
    """Each position along an axis times a trained factor of its own (Touvron et al., 2021)."""

    kind = "layer_scale"
    category = "normalization"
    memory_order = Order.INPUTS
    weights_by_views = True
    axis: AxisIndex = option(0, "the axis with a factor for each position, the batch not counted: 0 is the channels")
    examples = (example((4, 5, 6)), example((7, 12), axis=-1))

    def output_shape(self) -> Shape:
        axes = len(self.x)
        require(-axes <= self.axis < axes, lambda: f"axis {self.axis} is not one of {shape_text(self.x)}")
        return self.x

    def weights(self) -> dict[str, Shape]:
        at = self.axis % len(self.x)
        return {"": (self.x[at], *(1,) * (len(self.x) - at - 1))}

    def work(self) -> Work:
        return {"mul": self.elements}

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (SAME_POSITION,) * len(self.x)

    def keeps(self) -> SavedTensors:
        return SavedTensors(inputs=True)

    def scratch_of(self, given: Given) -> Workspaces:
        """The factors' gradient is made in full, then summed."""
        products = 2 if any(given.wanted) else 1
        return Workspaces(backward=(Workspace(products * self.elements, shared=product(self.weights()[""])),))

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """The gradient times the factors, which lies as the gradient does."""
        return (Returned(Gradient.NEW, elementwise([gradient])),)

    def torch(self) -> Torch:
        return Torch("operator.mul")


class PositionEmbedding(Operator):
    """A trained number added to every element."""

    kind = "position_embedding"
    memory_order = Order.INPUTS
    category = "linear"
    examples = (example((7, 12)),)

    def output_shape(self) -> Shape:
        return self.x

    def weights(self) -> dict[str, Shape]:
        return {"": (1, *self.x)}

    def work(self) -> Work:
        return {"add": self.elements}

    def gradients(self) -> tuple[Gradient, ...]:
        return (Gradient.SAME,)

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (SAME_POSITION,) * len(self.x)

    def keeps(self) -> SavedTensors:
        return SavedTensors()

    def torch(self) -> Torch:
        return Torch("operator.add")


class ClassToken(Operator):
    """Trained tokens before the others: `[L, E]` becomes `[L + count, E]`."""

    kind = "class_token"
    category = "shape"
    count: Count = option(1, "number of tokens")
    examples = (example((7, 12)), example((7, 12), count=2))

    def output_shape(self) -> Shape:
        return (self.channels_in + self.count, *self.x[1:])

    def weights(self) -> dict[str, Shape]:
        return {"": (1, self.count, *self.x[1:])}

    def gradients(self) -> tuple[Gradient, ...]:
        return (Gradient.PART,)

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        return (Returned(Gradient.PART, gradient.part(1, self.x[0])),)

    def work(self) -> Work:
        return {}

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (Window(1, -self.count, -self.count), *(SAME_POSITION,) * (len(self.x) - 1))

    def keeps(self) -> SavedTensors:
        return SavedTensors()

    def torch(self) -> Torch:
        return Torch("archcalc.prepend")


class _Alone(Operator):
    """A tensor that does not depend on the input, the same for every sample; the input says how many samples."""

    category = "shape"
    examples: ClassVar[tuple[Example, ...]] = (example((7, 12), shape=(3, 5)), example((4, 5, 6), shape=(4,)))

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * len(self.output)

    def work(self) -> Work:
        return {}

    def sight(self) -> tuple[Window | AxisAccess, ...]:
        return (NOTHING,) * len(self.x)

    def linearized(self) -> None:
        return None


def _checked(sizes: Shape) -> Shape:
    """The shape; every size is above 0."""
    require(len(sizes) > 0 and all(size > 0 for size in sizes), lambda: f"sizes must be above 0: {shape_text(sizes)}")
    return sizes


class Parameter(_Alone):
    """A trained tensor that stands alone: added, multiplied or joined like any other step's output."""

    kind = "parameter"
    synonyms = "trained_tensor learned query_embed"
    category = "linear"
    shape: SizeList = required("its shape, the batch not counted")

    def output_shape(self) -> Shape:
        return _checked(self.shape)

    def weights(self) -> dict[str, Shape]:
        return {"": (1, *self.shape)}

    def torch(self) -> Torch:
        return Torch("archcalc.for_every_sample")


class Constant(_Alone):
    """A stored tensor that is not trained: a table, a mask, zeros. Every element has one value here."""

    kind = "constant"
    synonyms = "buffer zeros ones full"
    shape: SizeList = required("its shape, the batch not counted")
    value: RealNumber = option(0.0, "the number that it is filled with")

    def output_shape(self) -> Shape:
        return _checked(self.shape)

    def buffers(self) -> dict[str, Shape]:
        return {"value": (1, *self.shape)}

    def torch(self) -> Torch:
        return Torch("archcalc.Constant", (self.shape, float(self.value)))


class Range(_Alone):
    """The whole numbers from 0, as indices for an embedding: positions of tokens."""

    kind = "range"
    synonyms = "arange positions position_ids"
    size: Count = required("how many")
    examples = (example((7, 12), size=7),)

    def output_shape(self) -> Shape:
        return (self.size,)

    def torch(self) -> Torch:
        return Torch("archcalc.count_up", (self.size,))
