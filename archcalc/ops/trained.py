"""Trained tensors without a module: a scale, an embedding of positions, a token.

Each is the layer itself in PyTorch's state dict (`class_token`, not `class_token.weight`), so its weight has no name.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import Shape, product
from archcalc.ops.arguments import AxisIndex, Count, NamedShape, RealNumber, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Order, Placement, elementwise
from archcalc.ops.naming import SEQUENCE, AxisNames, names_of, sequence_names
from archcalc.ops.operator import Operator
from archcalc.ops.reads import shifted
from archcalc.ops.shapes import checked_sizes
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    UNREAD,
    Access,
    Autocast,
    Example,
    GradientKind,
    InputGradient,
    SavedTensors,
    Work,
    Workspace,
    Workspaces,
    example,
)


class LayerScale(Operator):
    """Each position along an axis times its own trained factor (Touvron et al., 2021)."""

    kind = "layer_scale"
    torch_name = "operator.mul"
    autocast = Autocast.FLOAT32
    aten = "mul"
    onnx = "Mul"
    category = "normalization"
    memory_order = Order.INPUTS
    weight_gradients_are_views = True
    axis: AxisIndex = option(0, "the axis with a factor for each position, the batch not counted: 0 is the channels")
    examples = (example((4, 5, 6)), example((7, 12), axis=-1))

    def output_shape(self) -> Shape:
        self.axis_index(self.axis)
        return self.x

    def weights(self) -> dict[str, Shape]:
        axis = self.axis_index(self.axis)
        return {"": (self.x[axis], *(1,) * (len(self.x) - axis - 1))}

    def work(self) -> Work:
        return {"mul": self.elements}

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The input, for the gradient of the factors."""
        return SavedTensors(inputs=tensors.trains_weights)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The gradient of the factors is computed at the input's size, then summed."""
        if not tensors.trains_weights:
            return Workspaces()
        products = 2 if any(tensors.needs_gradient) else 1
        return Workspaces(backward=(Workspace(products * self.elements, shared=product(self.weights()[""])),))

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """The gradient times the factors, in the layout of the gradient."""
        return (InputGradient(GradientKind.NEW, elementwise([gradient])),)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        """A product with a trained tensor that has one size above 1."""
        if not call.has_one_trained:
            return None
        shape = call.stored[0].shape
        long = [axis - len(shape) for axis, size in enumerate(shape) if size > 1]
        return {"axis": call.x.axis(long[0])} if len(long) == 1 else None

    from_onnx = from_aten


class PositionEmbedding(Operator):
    """A trained number added to every element."""

    kind = "position_embedding"
    torch_name = "operator.add"
    expects = SEQUENCE
    autocast = Autocast.FLOAT32
    aten = "add"
    onnx = "Add"
    needs_images = True
    memory_order = Order.INPUTS
    category = "linear"
    saved = SavedTensors()
    examples = (example((7, 12)),)

    def output_shape(self) -> Shape:
        return self.x

    def weights(self) -> dict[str, Shape]:
        return {"": (1, *self.x)}

    def work(self) -> Work:
        return {"add": self.elements}

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME,)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        """A sum with a trained tensor of the same sizes."""
        return {} if call.has_one_trained else None

    from_onnx = from_aten


class ClassToken(Operator):
    """Trained tokens before the others: `[L, E]` becomes `[L + count, E]`."""

    kind = "class_token"
    torch_name = "archcalc.prepend"
    expects = SEQUENCE
    autocast = Autocast.FLOAT32
    category = "shape"
    saved = SavedTensors()
    count: Count = option(1, "number of tokens")
    examples = (example((7, 12)), example((7, 12), count=2))

    def output_shape(self) -> Shape:
        return (self.channels_in + self.count, *self.x[1:])

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return sequence_names(inputs[0]) if len(self.x) == 2 else inputs[0]

    def weights(self) -> dict[str, Shape]:
        return {"": (1, self.count, *self.x[1:])}

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.PART,)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.PART, gradient.part(1, self.x[0])),)

    def work(self) -> Work:
        return {}

    def access(self) -> Access:
        return (shifted(-self.count), *(SAME_POSITION,) * (len(self.x) - 1))


class StandingAlone(Operator):
    """A tensor that does not depend on the input, the same for every sample; the input says how many samples."""

    autocast = Autocast.FLOAT32
    category = "shape"
    has_linear = False
    ignores_numbers = True
    examples: ClassVar[tuple[Example, ...]] = (example((7, 12), shape=(3, 5)), example((4, 5, 6), shape=(4,)))

    saved: ClassVar[SavedTensors | None] = SavedTensors()
    made: ClassVar[bool] = False
    """True if its one tensor is computed, not a stored one."""

    def placement(self, tensors: InputTensors) -> Placement:
        """All samples have one tensor: a new one, or the stored one itself."""
        repeated = Layout.in_order(self.output).for_samples(tensors.layouts[0].sizes[0])
        return Placement(repeated, elements=product(self.output) if self.made else 0)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (None,)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Those of its weights, which need no gradient of the input."""
        return self.workspaces()

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * len(self.output)

    def work(self) -> Work:
        return {}

    def access(self) -> Access:
        return (UNREAD,) * len(self.x)


class ShapedAlone(StandingAlone):
    """A tensor that stands alone and has the shape that is given."""

    shape: NamedShape = required("its shape, the batch not counted")

    def output_shape(self) -> Shape:
        return checked_sizes(self.shape)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return names_of(self.shape) or super().axis_names(inputs)


class Parameter(ShapedAlone):
    """A trained tensor that stands alone: added, multiplied or joined like any other step's output."""

    kind = "parameter"
    torch_name = "archcalc.for_every_sample"
    synonyms = "trained_tensor learned query_embed"
    category = "linear"

    def weights(self) -> dict[str, Shape]:
        return {"": (1, *self.shape)}


class Constant(ShapedAlone):
    """A stored tensor that is not trained: a table, a mask, zeros. Every element has one value here."""

    kind = "constant"
    torch_name = "archcalc.Constant"
    torch_arguments = ("shape", "value")
    synonyms = "buffer zeros ones full"
    value: RealNumber = option(0.0, "the number that it is filled with")

    def buffers(self) -> dict[str, Shape]:
        return {"value": (1, *self.shape)}


class Range(StandingAlone):
    """The whole numbers from 0, as indices for an embedding: positions of tokens."""

    kind = "range"
    torch_name = "archcalc.count_up"
    torch_arguments = ("size",)
    gives_indices = True
    made = True
    synonyms = "arange positions position_ids"
    size: Count = required("how many")
    examples = (example((7, 12), size=7),)

    def output_shape(self) -> Shape:
        return (self.size,)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return ("tokens",)
