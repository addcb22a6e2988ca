"""Normalization to a root mean square of 1."""

from typing import Any

from archcalc.arithmetic import Dim, Shape
from archcalc.ops.arguments import Positive, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors
from archcalc.ops.naming import SEQUENCE, AxisNames
from archcalc.ops.normalization import Normalization
from archcalc.ops.vocabulary import (
    GLANCE,
    GRADIENT,
    SAME_POSITION,
    Access,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
)


class RmsNorm(Normalization):
    """Divide by the root of the mean of squares over the last axis (Zhang and Sennrich, 2019)."""

    kind = "rms_norm"
    aten = "rms_norm"
    onnx = "RMSNormalization"
    synonyms = "rmsnorm rms_layer_norm"
    eps: Positive = option(1e-6, "added to the mean of squares")
    examples = (example((7, 12)), example((4, 5, 6), affine=False))

    def output_shape(self) -> Shape:
        self.need_axis()
        return self.x

    def expected_axes(self) -> AxisNames:
        return SEQUENCE if len(self.x) == 2 else ()

    def saved_tensors(self) -> SavedTensors:
        """The input, the reciprocal root of each row, and the normalized input if it is scaled."""
        return SavedTensors(inputs=True, elements=self._rows() + self.elements * self.affine)

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """Only the gradient of the weight needs the normalized input, and only that of the input the others."""
        normalized = self.elements if self.affine and tensors.trains_weights else 0
        leads_on = any(tensors.needs_gradient)
        return SavedTensors(inputs=leads_on, elements=(self._rows() if leads_on else 0) + normalized)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The squares, their means and roots; then the normalized input, and its product with the weight.

        The backward pass begins with the gradients of the last product. In the end it holds the parts of the input's
        gradient, and the squares' gradient with what leads to it.
        """
        elements, rows = self.elements, self._rows()
        squared, normalized = Workspace(elements + 2 * rows), Workspace(rows + (2 if self.affine else 1) * elements)
        scaled = self.affine and tensors.trains_weights
        weight = self.x[-1] if scaled else 0
        backward: tuple[Workspace, ...] = (Workspace(elements, weight),) if scaled else ()
        if any(tensors.needs_gradient):
            first = Workspace(2 * elements, weight) if self.affine else Workspace(2 * elements + rows)
            parts = 4 if scaled else 5
            # The second is larger where a row has one element.
            backward = (first, Workspace(parts * rows, weight), Workspace(parts * elements - rows, weight))
        return Workspaces((squared, normalized), (squared, normalized), backward, ((GRADIENT, 1),))

    def early_gradients(self, tensors: InputTensors) -> tuple[int, ...]:
        """The gradient comes in two parts."""
        return (0,)

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        return True

    def _rows(self) -> Dim:
        rows: Dim = self.elements // self.x[-1]
        return rows

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
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if len(call.arguments["normalized_shape"]) != 1:
            return None
        # Without eps, PyTorch takes that of float32.
        return {"affine": call.get("weight") is not None, "eps": call.get("eps", 2.0**-23)}

    onnx_names = {"weight": "scale"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        if call.axis("axis", -1) != len(call.x.shape) - 1:
            return None
        return {"eps": call.get("epsilon", 1e-5)}

    def torch(self) -> Torch:
        kwargs = {} if self.affine else {"elementwise_affine": False}
        return Torch("nn.RMSNorm", (self.x[-1],), {"eps": float(self.eps), **kwargs})
