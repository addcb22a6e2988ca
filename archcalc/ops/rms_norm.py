"""Normalization to a root mean square of 1."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, ShapeError
from archcalc.dtypes import BITS
from archcalc.ops.arguments import Positive, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Order
from archcalc.ops.naming import SEQUENCE
from archcalc.ops.normalization import Normalization
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, Access, InputGradient, Torch, Work, example


class RmsNorm(Taped, Normalization):
    """Divide by the root of the mean of squares over the last axis (Zhang and Sennrich, 2019)."""

    kind = "rms_norm"
    expects = SEQUENCE
    memory_order = Order.IMAGE
    aten = "rms_norm"
    onnx = "RMSNormalization"
    synonyms = "rmsnorm rms_layer_norm"
    eps: Positive = option(1e-6, "added to the mean of squares")
    examples = (example((7, 12)), example((4, 5, 6), affine=False))

    def output_shape(self) -> Shape:
        self.need_axis()
        return self.x

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.rms_norm import Rows, rms_norm

        op = Rows(self.affine, tensors.trains_weights, is_raised=BITS[tensors.dtype] < BITS["float32"])
        return lambda tape, inputs: rms_norm(tape, inputs[0], op)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return self.gradients_on_tape(tensors)

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        return True

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        """Its weight's gradient comes before that of its input."""
        return self.affine

    def _rows(self) -> Dim:
        return self.elements // self.x[-1]

    def affine_shape(self) -> Shape:
        return (self.x[-1],)

    def weights(self) -> dict[str, Shape]:
        return {"weight": self.affine_shape()} if self.affine else {}

    def work(self) -> Work:
        """Squares and their mean, a root and a reciprocal for each row; a factor for each element."""
        elements, rows = self.elements, self._rows()
        scaled = elements if self.affine else 0
        return {"mul": 2 * elements + scaled, "add": elements, "div": 2 * rows, "sqrt": rows}

    def access(self) -> Access:
        return (*(SAME_POSITION,) * (len(self.x) - 1), GLANCE)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any]:
        if len(call.arguments["normalized_shape"]) != 1:
            raise ShapeError("it normalizes over several axes")
        return {"eps": 2.0**-23, **super().from_aten(call)}  # without eps, PyTorch takes that of float32

    onnx_names = {"weight": "scale"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.axis("axis", -1) != len(call.x.shape) - 1:
            return None
        return {"eps": call.get("epsilon", 1e-5)}

    def torch(self) -> Torch:
        kwargs = {} if self.affine else {"elementwise_affine": False}
        return Torch("nn.RMSNorm", (self.x[-1],), {"eps": float(self.eps), **kwargs})
