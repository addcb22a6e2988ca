"""Gated linear units: one half of an axis is a gate for the other (Dauphin et al., 2017; Shazeer, 2020)."""

from typing import ClassVar

from archcalc.arithmetic import Shape, require
from archcalc.ops.activation import SIGMOID
from archcalc.ops.arguments import AxisIndex, option
from archcalc.ops.layout import InputTensors, Placement, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
)


class _Gated(Operator):
    category = "activation"
    has_linear = False
    axis: AxisIndex = option(-1, "the axis that is halved, the batch not counted")
    examples = (example((7, 12)), example((4, 5, 6), axis=0))
    per_element: ClassVar[Work]

    def output_shape(self) -> Shape:
        axis = self.axis_index(self.axis)
        require(self.x[axis] % 2 == 0, lambda: f"{self.kind} halves an axis, and {self.x[axis]} is odd")
        return (*self.x[:axis], self.x[axis] // 2, *self.x[axis + 1 :])

    def work(self) -> Work:
        return {primitive: count * self.elements for primitive, count in self.per_element.items()}

    def access(self) -> Access:
        halved = self.axis % len(self.x)
        return tuple(WHOLE_AXIS if axis == halved else SAME_POSITION for axis in range(len(self.x)))

    @property
    def overestimates(self) -> dict[str, str]:
        """Two positions of the halved axis are seen."""
        return {"channels" if self.axis % len(self.x) == 0 else "positions": "an output sees one number of each half"}

    def placement(self, tensors: InputTensors) -> Placement:
        halved = self.axis % len(self.x)
        half = tensors.layouts[0].part(halved + 1, self.output[halved])
        return Placement(elementwise([half, half]))

    def torch(self) -> Torch:
        return Torch(self.torch_name, (self.axis if self.axis < 0 else self.axis + 1,))


class Glu(_Gated):
    """The first half times the sigmoid of the second."""

    kind = "glu"
    aten = "glu"
    aten_arguments = {"axis": "dim"}
    synonyms = "gated_linear_unit"
    per_element: ClassVar[Work] = {**SIGMOID, "mul": SIGMOID["mul"] + 1}
    torch_name = "nn.GLU"
    saved = SavedTensors(inputs=True)


class Swiglu(_Gated):
    """``silu`` of the first half, times the second."""

    kind = "swiglu"
    synonyms = "silu_and_mul swi_glu"
    per_element: ClassVar[Work] = {**SIGMOID, "mul": SIGMOID["mul"] + 2}
    torch_name = "archcalc.SwiGLU"

    def saved_tensors(self) -> SavedTensors:
        """The input, and `silu` of its first half."""
        return SavedTensors(inputs=True, elements=self.elements)

    def workspaces(self) -> Workspaces:
        """`silu` of the first half beside the output; backward, the gradients of the product's two factors."""
        both = (Workspace(2 * self.elements),)
        return Workspaces(inference=both, backward=both)
