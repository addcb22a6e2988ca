"""Fully connected layers and lookup tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.calls import Call, Operand, Stored
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.naming import SEQUENCE, AxisNames, usual_names
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Autocast,
    GradientKind,
    InputGradient,
    SavedTensors,
    Torch,
    Work,
    example,
    shape_text,
)

if TYPE_CHECKING:
    from archcalc.ops.tape.tape import Tape
    from archcalc.ops.tape.tensors import TapeTensor


class Linear(Taped, Operator):
    """Every output is a weighted sum over the last axis: `[…, in]` becomes `[…, features]`."""

    kind = "linear"
    aten = "linear"
    onnx = "Gemm MatMul"
    synonyms = "fc dense fully_connected innerproduct inner_product gemm"
    category = "linear"
    weight_gradients_are_views = True
    features: Count = required("output features")
    bias: Bool = option(True, "add a bias per output feature")
    examples = (
        example((9216,), features=4096),
        example((7, 12), features=5, bias=False),
        example((4, 5, 6), features=3),
    )

    def output_shape(self) -> Shape:
        self.need_axis()
        return (*self.x[:-1], self.features)

    def weights(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"weight": (self.features, self.x[-1])}
        if self.bias:
            shapes["bias"] = (self.features,)
        return shapes

    def work(self) -> Work:
        return {"mac": self.elements * self.x[-1], "add": self.elements if self.bias else 0}

    def access(self) -> Access:
        return (*(SAME_POSITION,) * (len(self.x) - 1), WHOLE_AXIS)

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        """The last axis is features; channels beside sides, and tokens that are mixed, stay what they are."""
        names = inputs[0]
        kept = len(names) > 1 and names[-1] in ("channels", "tokens")
        return names if kept else (*names[:-1], "features")

    def expected_axes(self) -> AxisNames:
        return SEQUENCE if len(self.x) == 2 else usual_names(len(self.x))

    def warning(self, sides: Sequence[bool]) -> str:
        if len(self.x) < 3 or not sides[-1]:
            return ""
        return (
            f"linear takes the {self.x[-1]} numbers of each row of the image {shape_text(self.x)} "
            "and keeps the other axes: flatten is missing before it, unless that is meant"
        )

    def takes_steps(self, tensors: InputTensors) -> bool:
        """An input that does not lie in order is copied first."""
        return len(self.x) > 1 and not tensors.layouts[0].is_in_order

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.layouts import linear

        trained = tensors.trains_weights
        sizes = {name: product(shape) for name, shape in self.weights().items()}

        def program(tape: "Tape", inputs: Sequence["TapeTensor"]) -> "TapeTensor":
            weight = tape.weight(sizes["weight"], trained)
            bias = tape.weight(sizes["bias"], trained) if self.bias else None
            return linear(tape, inputs[0], weight, bias, self.features, trained)

        return program

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        is_matrix = len(self.x) == 1 or gradient.joined(-1) is not None
        return not is_matrix and not self.takes_steps(tensors)

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        if self.takes_steps(tensors):
            return self.gradients_on_tape(tensors)
        return (InputGradient(GradientKind.NEW, Layout.in_order(tensors.layouts[0].sizes), is_view=len(self.x) > 1),)

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        """The bias is added by an operation of its own."""
        return self.takes_steps(tensors)

    def saved_by_kernel(self, tensors: InputTensors) -> SavedTensors:
        """The input, for the gradient of the weight."""
        return SavedTensors(inputs=tensors.trains_weights)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"features": call.arguments["weight"].shape[0], "bias": call.get("bias") is not None}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """A product with a stored matrix, `[in, features]` unless it is said to be transposed."""
        x, matrix, bias = call.arguments["A"], call.arguments["B"], call.get("bias", call.get("C"))
        if not isinstance(x, Operand) or not isinstance(matrix, Stored) or len(matrix.shape) != 2:
            return None
        if call.get("transA", 0) or (call.get("alpha", 1), call.get("beta", 1)) != (1, 1):
            return None
        return {"features": matrix.shape[0 if call.get("transB", 0) else 1], "bias": bias is not None}

    def call_weights(self, call: Call) -> Mapping[str, Stored]:
        """Of ONNX's, as PyTorch stores them: the matrix transposed, the bias with one axis."""
        found = super().call_weights(call)
        if call.operation not in ("Gemm", "MatMul"):
            return found
        bias = call.get("bias", call.get("C"))
        shapes = self.weights()
        given = {"weight": call.arguments["B"]} | ({"bias": bias} if isinstance(bias, Stored) else {})
        return {
            name: stored._replace(shape=shapes[name]) if product(stored.shape) == product(shapes[name]) else stored
            for name, stored in given.items()
            if name in shapes
        }

    def torch(self) -> Torch:
        return Torch("nn.Linear", (self.x[-1], self.features), self.changed("bias"))

    def sized_by(self) -> str:
        return "features"

    def with_bias(self) -> Operator | None:
        """Of a vector, whose features a batch normalization scales."""
        return Linear(self.inputs, features=self.features).called_as(self.called) if len(self.x) == 1 else None

    def low_rank(self, rank: Dim) -> tuple[Operator, Operator]:
        down = Linear(self.inputs, features=rank, bias=False)
        return down, Linear((down.output,), features=self.features, bias=False)

    def hyperparameters(self) -> dict[str, Any]:
        return {"filters": self.features}


class Embedding(Operator):
    """A row of a table for every index: `[L]` becomes `[L, features]`."""

    kind = "embedding"
    torch_name = "nn.Embedding"
    torch_arguments = ("entries", "features")
    autocast = Autocast.FLOAT32
    aten = "embedding"
    onnx = "Gather"
    synonyms = "embed lookup token_embedding"
    category = "linear"
    takes_indices = True
    saved = SavedTensors(inputs=True)
    features: Count = required("size of a row")
    entries: Count = required("number of rows")
    examples = (example((7,), features=16, entries=100), example((3, 5), features=4, entries=10))

    def output_shape(self) -> Shape:
        require(len(self.x) <= 2, lambda: f"embedding needs indices [L], got {shape_text(self.x)}")
        return (*self.x, self.features)

    def weights(self) -> dict[str, Shape]:
        return {"weight": (self.entries, self.features)}

    def work(self) -> Work:
        return {}

    def axes(self) -> tuple[tuple[int, ...], ...]:
        return (*((axis,) for axis in range(len(self.x))), ())

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return (*inputs[0], "features")

    def expected_axes(self) -> AxisNames:
        return ("", "tokens")[-len(self.x) :]

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        entries, features = call.arguments["weight"].shape
        return {"entries": entries, "features": features}

    onnx_names = {"weight": "data"}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        table = call.arguments["data"]
        if not isinstance(table, Stored) or len(table.shape) != 2 or call.get("axis", 0) != 0:
            return None
        return {"entries": table.shape[0], "features": table.shape[1]}
