"""Elementary functions of every element: powers, roots, exponentials and limits."""

from typing import Annotated, Any, ClassVar

from archcalc.arithmetic import Shape, require
from archcalc.ops.activation import Elementwise
from archcalc.ops.arguments import Or, Real, RealNumber, option, required
from archcalc.ops.calls import Call, Operand, is_number
from archcalc.ops.vocabulary import GradientKind, SavedTensors, Torch, Work, Workspace, Workspaces, example

Bound = Annotated[Any, Or(None, Real())]


class _Function(Elementwise):
    """Computed in a tensor of its own, also where activations work in place."""

    category = "merge"
    backward_tensors: ClassVar[int] = 1
    """How many tensors of the input's size the backward pass holds at once, the input's gradient among them."""

    def workspaces(self) -> Workspaces:
        if self.backward_tensors == 1:
            return Workspaces()
        return Workspaces(backward=(Workspace(self.backward_tensors * self.elements),))


class Exp(_Function):
    """``exp(x)``"""

    kind = "exp"
    torch_name = "torch.exp"
    aten = "exp"
    onnx = "Exp"
    synonyms = "exponential"
    saved = SavedTensors(output=True)
    per_element = {"exp": 1}


class Log(_Function):
    """The natural logarithm."""

    kind = "log"
    torch_name = "torch.log"
    aten = "log"
    onnx = "Log"
    synonyms = "ln logarithm"
    per_element = {"log": 1}


class Sqrt(_Function):
    """The square root."""

    kind = "sqrt"
    torch_name = "torch.sqrt"
    aten = "sqrt"
    onnx = "Sqrt"
    backward_tensors = 2
    synonyms = "square_root"
    saved = SavedTensors(output=True)
    per_element = {"sqrt": 1}


class Abs(_Function):
    """The absolute value."""

    kind = "abs"
    torch_name = "torch.abs"
    aten = "abs"
    onnx = "Abs"
    backward_tensors = 2
    synonyms = "absolute absval"
    per_element = {"compare": 1}


class Neg(_Function):
    """``−x``"""

    kind = "neg"
    torch_name = "torch.neg"
    aten = "neg"
    onnx = "Neg"
    synonyms = "negative negate"
    saved = SavedTensors()
    per_element = {"mul": 1}


class Sin(_Function):
    """The sine."""

    kind = "sin"
    torch_name = "torch.sin"
    aten = "sin"
    onnx = "Sin"
    backward_tensors = 2
    per_element = {"exp": 1}


class Cos(_Function):
    """The cosine."""

    kind = "cos"
    torch_name = "torch.cos"
    aten = "cos"
    onnx = "Cos"
    backward_tensors = 3
    per_element = {"exp": 1}


class Offset(_Function):
    """Every element plus a constant."""

    kind = "offset"
    torch_name = "torch.add"
    torch_arguments = ("amount",)
    aten = "add sub"
    onnx = "Add Sub"
    synonyms = "add_constant shift"
    saved = SavedTensors()
    amount: RealNumber = required("the constant")
    per_element = {"add": 1}
    examples = (example((4, 5, 6), amount=0.5),)

    def gradient_kinds(self) -> tuple[GradientKind, ...]:
        return (GradientKind.SAME,)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        number = call.number
        if number is None:
            return None
        return {"amount": number if call.operation.lower() == "add" else -number}

    from_onnx = from_aten


class Pow(_Function):
    """``x`` to a constant power: a product for a small whole exponent, else ``exp(exponent·log(x))``."""

    kind = "pow"
    torch_name = "torch.pow"
    torch_arguments = ("exponent",)
    aten = "pow square rsqrt reciprocal"
    onnx = "Pow Reciprocal"
    synonyms = "power square"
    exponent: RealNumber = required("the power")
    examples = (
        example((4, 5, 6), exponent=2),
        example((4, 5), exponent=0.5),
        example((7,), exponent=-1.5),
        example((7,), exponent=0),
    )

    def work(self) -> Work:
        """A square root for 1/2; multiplications for 2, 3 and 4; else a logarithm, a product and an exponential."""
        elements, exponent = self.elements, self.exponent
        if exponent == 0.5:
            return {"sqrt": elements}
        if exponent in (0, 1, 2, 3, 4):
            return {"mul": max(int(exponent) - 1, 0) * elements}
        return {"log": elements, "mul": elements, "exp": elements}

    @property
    def overestimates(self) -> dict[str, str]:
        return {"nan": "any number to the power 0 is 1"} if self.exponent == 0 else {}

    def workspaces(self) -> Workspaces:
        """Backward, the smaller power, its product with the exponent, and the gradient; zeros alone for exponent 0."""
        return Workspaces(backward=(Workspace(3 * self.elements),)) if self.exponent != 0 else Workspaces()

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        known = {"square": 2, "rsqrt": -0.5, "reciprocal": -1}
        exponent = known.get(call.operation, call.get("exponent"))
        is_power = is_number(exponent) and isinstance(call.arguments["self"], Operand)
        return {"exponent": exponent} if is_power else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        exponent = -1 if call.operation == "Reciprocal" else call.get("Y")
        return {"exponent": exponent} if is_number(exponent) and len(call.operands) == 1 else None


class Clamp(_Function):
    """``x`` cut to an interval; an end that is not given leaves it open."""

    kind = "clamp"
    aten = "clamp clamp_min clamp_max"
    onnx = "Clip"
    aten_arguments = onnx_arguments = {"low": "min", "high": "max"}
    synonyms = "clip clip_by_value"
    low: Bound = option(None, "lower end")
    high: Bound = option(None, "upper end")
    examples = (example((4, 5, 6), low=0, high=1), example((7,), low=1e-6), example((7,), high=2))

    def output_shape(self) -> Shape:
        low, high = self.low, self.high
        require(low is not None or high is not None, lambda: "clamp needs low, high or both")
        require(
            low is None or high is None or low <= high,
            lambda: f"the interval is empty: low {low} is above high {high}",
        )
        return self.x

    def work(self) -> Work:
        return {"compare": self._ends() * self.elements}

    def _ends(self) -> int:
        """How many ends are given."""
        return (self.low is not None) + (self.high is not None)

    def workspaces(self) -> Workspaces:
        """The gradient, a mask of bytes for each end, and a zero."""
        return Workspaces(backward=(Workspace(self.elements, shared=1, bytes=self._ends() * self.elements),))

    def torch(self) -> Torch:
        ends = {"min": self.low, "max": self.high}
        return Torch("torch.clamp", (), {name: float(end) for name, end in ends.items() if end is not None})
