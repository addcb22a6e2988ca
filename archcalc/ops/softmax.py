"""Softmax over an axis, and its logarithm."""

from typing import Any

from archcalc.arithmetic import Shape
from archcalc.ops.arguments import AxisIndex, option
from archcalc.ops.calls import Call
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, Access, SavedTensors, Torch, Work, example


class Softmax(Operator):
    """Exponentials along an axis, divided by their sum."""

    kind = "softmax"
    is_in_losses = True
    has_linear = False
    aten = "softmax"
    onnx = "Softmax"
    aten_arguments = {"axis": "dim"}
    torch_name = "nn.Softmax"
    synonyms = "soft_max"
    category = "activation"
    saved = SavedTensors(output=True)
    axis: AxisIndex = option(-1, "the axis whose numbers sum to 1, the batch not counted")
    examples = (example((10,)), example((4, 5, 6), axis=0))

    def output_shape(self) -> Shape:
        self.axis_index(self.axis)
        return self.x

    def work(self) -> Work:
        """The largest number is subtracted first, as every implementation does."""
        elements, rows = self.elements, self.elements // self.x[self.axis]
        return {"compare": elements - rows, "exp": elements, "add": 2 * elements - rows, "div": elements}

    def access(self) -> Access:
        axis = self.axis_index(self.axis)
        return tuple(GLANCE if number == axis else SAME_POSITION for number in range(len(self.x)))

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """Before version 13 all axes from the given one on are taken together: the same if it is the last."""
        return {"axis": call.axis("axis", -1)}

    def torch(self) -> Torch:
        return Torch(self.torch_name, (), {"dim": self.axis if self.axis < 0 else self.axis + 1})


class LogSoftmax(Softmax):
    """The logarithm of the softmax: each number minus the logarithm of the sum of exponentials along the axis."""

    kind = "log_softmax"
    aten = "log_softmax"
    onnx = "LogSoftmax"
    torch_name = "nn.LogSoftmax"
    synonyms = "logsoftmax"

    def work(self) -> Work:
        """The largest number is subtracted first, as every implementation does."""
        elements, rows = self.elements, self.elements // self.x[self.axis]
        return {"compare": elements - rows, "exp": elements, "log": rows, "add": 3 * elements - rows}
