"""Activations: functions of one element.

Primitive operations are those of the usual formula. A sigmoid ``1 / (1 + exp(−x))`` is one exponential, one addition,
one division and one change of sign (a multiplication).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import Bool, Choice, RealNumber, option, required
from archcalc.ops.calls import Call, Stored
from archcalc.ops.layout import InputTensors, Order
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Autocast, Example, SavedTensors, Torch, Work, Workspace, Workspaces, example

SIGMOID: Work = {"mul": 1, "exp": 1, "add": 1, "div": 1}
HARD_SIGMOID: Work = {"mul": 1, "add": 1, "compare": 2}
_CONV, _GEMM, _CONV_GEMM = map(frozenset, (["Conv"], ["Gemm"], ["Conv", "Gemm"]))
"""For `fused_into`."""


class Elementwise(Operator):
    """Base of functions of every element on its own."""

    category = "activation"
    has_linear = False
    memory_order = Order.INPUTS
    per_element: ClassVar[Work]
    saved: ClassVar[SavedTensors | None] = SavedTensors(inputs=True)
    examples: ClassVar[tuple[Example, ...]] = (example((4, 5, 6)),)

    def output_shape(self) -> Shape:
        return self.x

    def work(self) -> Work:
        elements = self.elements
        return {primitive: count * elements for primitive, count in self.per_element.items()}


class Relu(Elementwise):
    """``max(x, 0)``"""

    kind = "relu"
    aten = "relu"
    onnx = "Relu"
    can_overwrite = True
    saved = SavedTensors(output=True)
    fused_into = _CONV_GEMM
    per_element = {"compare": 1}
    torch_name = "nn.ReLU"
    examples = (example((4, 5, 6)), example((7,)))


class Relu6(Elementwise):
    """``min(max(x, 0), 6)``"""

    kind = "relu6"
    aten = "relu6"
    onnx = "Clip Relu6"
    can_overwrite = True
    fused_into = _CONV
    per_element = {"compare": 2}
    torch_name = "nn.ReLU6"

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {} if (call.get("min"), call.get("max")) == (0, 6) else None


class LeakyRelu(Elementwise):
    """``x`` above 0, ``slope·x`` below."""

    kind = "leaky_relu"
    torch_name = "nn.LeakyReLU"
    torch_arguments = ("slope",)
    aten = "leaky_relu"
    onnx = "LeakyRelu"
    synonyms = "leakyrelu lrelu leaky"
    can_overwrite = True
    aten_arguments = {"slope": "negative_slope"}
    onnx_arguments = {"slope": "alpha"}
    slope: RealNumber = option(0.01, "slope below 0")
    fused_into = _CONV_GEMM
    per_element = {"compare": 1, "mul": 1}
    examples = (example((4, 5, 6)), example((4, 5), slope=0.2))


class Prelu(Elementwise):
    """``x`` above 0, a trained slope times ``x`` below."""

    kind = "prelu"
    autocast = Autocast.LOWER
    aten = "prelu"
    onnx = "PRelu"
    weight_gradients_are_views = True
    per_channel: Bool = option(False, "a slope for each channel instead of one for all")
    per_element = {"compare": 1, "mul": 1}
    examples = (example((4, 5, 6)), example((4, 5, 6), per_channel=True))

    def output_shape(self) -> Shape:
        if self.per_channel:
            self.need_axis()
        return self.x

    def weights(self) -> dict[str, Shape]:
        return {"weight": (self.channels_in if self.per_channel else 1,)}

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Both gradients have the input's size, whichever is needed; that of the slopes is then summed."""
        summed = tensors.trains_weights and any(tensors.needs_gradient)
        slopes = product(self.weights()["weight"]) if summed else 0
        return Workspaces(backward=(Workspace(2 * self.elements, shared=slopes),))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"per_channel": call.stored[0].shape[0] != 1}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {"per_channel": product(call.stored[0].shape) != 1}

    def call_weights(self, call: Call) -> Mapping[str, Stored]:
        """The slopes without the axes of size 1 that ONNX's have."""
        return {"weight": call.stored[0]._replace(shape=(product(call.stored[0].shape),))}

    def torch(self) -> Torch:
        return Torch("nn.PReLU", (self.channels_in if self.per_channel else 1,))


class Elu(Elementwise):
    """``x`` above 0, ``alpha·(exp(x) − 1)`` below."""

    kind = "elu"
    torch_name = "nn.ELU"
    torch_arguments = ("alpha",)
    aten = "elu"
    onnx = "Elu"
    onnx_arguments = {"alpha": "alpha"}
    can_overwrite = True
    alpha: RealNumber = option(1.0, "height of the curve below 0")
    fused_into = _GEMM
    per_element = {"compare": 1, "exp": 1, "add": 1, "mul": 1}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if (call.get("scale", 1), call.get("input_scale", 1)) != (1, 1):
            return None
        return cls.named(call, {"alpha": "alpha"})


class Gelu(Elementwise):
    """``x·Φ(x)``, Φ by the error function or its tanh approximation."""

    kind = "gelu"
    aten = "gelu"
    onnx = "Gelu"
    aten_arguments = onnx_arguments = {"approximate": "approximate"}
    approximate: Annotated[str, Choice(("none", "tanh"))] = option("none", "how Φ is computed")
    examples = (example((4, 5, 6)), example((7,), approximate="tanh"))

    def work(self) -> Work:
        elements = self.elements
        if self.approximate == "tanh":
            return {"mul": 6 * elements, "add": 2 * elements, "tanh": elements}
        return {"mul": 3 * elements, "add": elements, "erf": elements}

    def torch(self) -> Torch:
        return Torch("nn.GELU", (), self.changed("approximate"))


class Silu(Elementwise):
    """``x·sigmoid(x)``, also called swish."""

    kind = "silu"
    aten = "silu"
    onnx = "Swish"
    synonyms = "swish"
    can_overwrite = True
    per_element = {**SIGMOID, "mul": SIGMOID["mul"] + 1}
    torch_name = "nn.SiLU"

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {} if call.get("alpha", 1) == 1 else None


class Sigmoid(Elementwise):
    """``1 / (1 + exp(−x))``"""

    kind = "sigmoid"
    aten = "sigmoid"
    onnx = "Sigmoid"
    synonyms = "logistic"
    saved = SavedTensors(output=True)
    fused_into = _CONV_GEMM
    per_element = SIGMOID
    torch_name = "nn.Sigmoid"


class Tanh(Elementwise):
    """The hyperbolic tangent."""

    kind = "tanh"
    aten = "tanh"
    onnx = "Tanh"
    saved = SavedTensors(output=True)
    fused_into = _CONV_GEMM
    per_element = {"tanh": 1}
    torch_name = "nn.Tanh"


class Hardsigmoid(Elementwise):
    """``x/6 + 1/2`` limited to 0 … 1."""

    kind = "hardsigmoid"
    aten = "hardsigmoid"
    onnx = "HardSigmoid"
    synonyms = "hsigmoid h_sigmoid hard_sigmoid"
    can_overwrite = True
    fused_into = _CONV_GEMM
    per_element = HARD_SIGMOID
    torch_name = "nn.Hardsigmoid"

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {} if abs(call.get("alpha", 0.2) - 1 / 6) < 1e-6 and call.get("beta", 0.5) == 0.5 else None


class Hardswish(Elementwise):
    """``x·hardsigmoid(x)``"""

    kind = "hardswish"
    aten = "hardswish"
    onnx = "HardSwish"
    synonyms = "hswish h_swish hard_swish"
    can_overwrite = True
    per_element = {**HARD_SIGMOID, "mul": HARD_SIGMOID["mul"] + 1}
    torch_name = "nn.Hardswish"


class Hardtanh(Elementwise):
    """``x`` limited to an interval."""

    kind = "hardtanh"
    torch_name = "nn.Hardtanh"
    torch_arguments = ("low", "high")
    aten = "hardtanh"
    aten_arguments = {"low": "min_val", "high": "max_val"}
    can_overwrite = True
    low: RealNumber = option(-1.0, "lower end")
    high: RealNumber = option(1.0, "upper end")
    fused_into = _CONV
    per_element = {"compare": 2}

    def output_shape(self) -> Shape:
        require(self.low < self.high, lambda: f"the interval is empty: low {self.low} is not below high {self.high}")
        return self.x


class Softplus(Elementwise):
    """``log(1 + exp(x))``"""

    kind = "softplus"
    aten = "softplus"
    onnx = "Softplus"
    per_element = {"exp": 1, "add": 1, "log": 1}
    torch_name = "nn.Softplus"

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {} if (call.get("beta", 1), call.get("threshold", 20)) == (1, 20) else None


class Mish(Elementwise):
    """``x·tanh(softplus(x))``"""

    kind = "mish"
    aten = "mish"
    onnx = "Mish"
    can_overwrite = True
    per_element = {"exp": 1, "add": 1, "log": 1, "tanh": 1, "mul": 1}
    torch_name = "nn.Mish"


class Scale(Elementwise):
    """Every element times a constant."""

    kind = "scale"
    torch_name = "archcalc.Scale"
    torch_arguments = ("factor",)
    aten = "mul div"
    onnx = "Mul Div"
    saved = SavedTensors()
    factor: RealNumber = required("the constant")
    per_element = {"mul": 1}
    examples = (example((4, 5, 6), factor=0.17),)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        number = call.number
        if number is None:
            return None
        return {"factor": number if call.operation.lower() == "mul" else 1 / number}

    from_onnx = from_aten
