"""Local response normalization."""

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Count, RealNumber, option, required
from archcalc.ops.layout import InputTensors, Order
from archcalc.ops.operator import Operator
from archcalc.ops.reads import window
from archcalc.ops.vocabulary import (
    GRADIENT,
    SAME_POSITION,
    Access,
    Autocast,
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


class LocalResponseNorm(Operator):
    """Divide by a power of the sum of the neighboring channels' squares (Krizhevsky et al., 2012)."""

    kind = "local_response_norm"
    has_linear = False
    onnx = "LRN"
    onnx_arguments = {"size": "size", "alpha": "alpha", "beta": "beta", "k": "bias"}
    needs_images = True
    memory_order = Order.INPUTS
    synonyms = "lrn localresponsenorm"
    category = "normalization"
    size: Count = required("number of neighboring channels")
    alpha: RealNumber = option(1e-4, "weight of the squares")
    beta: RealNumber = option(0.75, "the power")
    k: RealNumber = option(1.0, "the constant added")
    examples = (example((16, 5, 7), size=5), example((8, 9), size=3, k=2, alpha=1e-3))

    def output_shape(self) -> Shape:
        require(self.rank >= 1, lambda: f"{self.kind} needs [C, L] or more, got {shape_text(self.x)}")
        return self.x

    def work(self) -> Work:
        elements = self.elements
        return {
            "mul": 3 * elements,  # the square, alpha, and beta times the logarithm
            "add": self.size * elements,
            "log": elements,
            "exp": elements,
            "div": elements,
        }

    def extra_work(self) -> Work:
        """``padded``: the elements of the squares, with the zeros that PyTorch adds around the channels."""
        return {"padded": self._padded()}

    def access(self) -> Access:
        neighbors = window(self.size, before=self.size // 2)
        return (neighbors, *(SAME_POSITION,) * self.rank)

    def saved_tensors(self) -> SavedTensors:
        """The input, its padded squares, the sums and their powers."""
        return SavedTensors(inputs=True, elements=2 * self.elements + self._padded())

    def _padded(self) -> Dim:
        """Return the elements of the squares with their padding of channels."""
        return (self.channels_in + self.size - 1) * product(self.x[1:])

    def workspaces(self) -> Workspaces:
        """The squares with and without padding; then the sums, times alpha, plus k, or to the power of beta."""
        elements = self.elements
        return Workspaces(
            inference=(Workspace(elements + self._padded()), Workspace(3 * elements)),
            # the gradients of a quotient's two operands; then that of the padded squares
            backward=(Workspace(4 * elements), Workspace(self._padded())),
            frees=((GRADIENT, 1),),
        )

    def early_gradients(self, tensors: InputTensors) -> tuple[int, ...]:
        """The gradient comes in several parts."""
        return (0,)

    def autocast_policy(self) -> Autocast:
        """The squares are averaged by a 3-dimensional pooling, which gives float32."""
        return Autocast.WIDEST if self.rank == 1 else Autocast.INSIDE

    def torch(self) -> Torch:
        return Torch(
            "nn.LocalResponseNorm",
            (self.size,),
            {"alpha": float(self.alpha), "beta": float(self.beta), "k": float(self.k)},
        )
