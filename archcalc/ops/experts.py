"""Mixture of experts (Shazeer et al., 2017), with the gated experts of Mixtral (Jiang et al., 2024)."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.naming import SEQUENCE, AxisNames, sequence_names
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Autocast,
    Backward,
    GradientKind,
    InputGradient,
    Torch,
    Work,
    example,
    shape_text,
)


class MixtureOfExperts(Taped, Operator):
    """`[L, d]`: a router picks ``active`` of ``experts`` for every token, and adds what they give, weighted.

    Each expert is ``down(silu(gate(x)) · up(x))``. All experts have parameters; work is that of the active ones.
    """

    kind = "mixture_of_experts"
    has_linear = False
    tools_agree = False
    autocast = Autocast.WIDEST
    expects = SEQUENCE
    aten = "mixture_of_experts"
    synonyms = "moe sparse_moe"
    category = "linear"
    experts: Count = required("number of experts")
    active: Count = required("experts that a token is given to")
    features: Count = required("width inside an expert")
    normalized: Bool = option(True, "the weights of a token's experts are divided by their sum")
    examples = (
        example((7, 12), experts=4, active=2, features=20),
        example((7, 12), experts=4, active=2, features=20, normalized=False),
    )

    def output_shape(self) -> Shape:
        require(len(self.x) == 2, lambda: f"mixture_of_experts needs tokens [L, d], got {shape_text(self.x)}")
        require(
            self.active <= self.experts, lambda: f"a token cannot be given to {self.active} of {self.experts} experts"
        )
        return self.x

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return sequence_names(inputs[0])

    def weights(self) -> dict[str, Shape]:
        """As in transformers' Mixtral: the router's gate; of every expert gate and up together, and down."""
        width, inside = self.x[1], self.features
        return {
            "gate.weight": (self.experts, width),
            "experts.gate_up_proj": (self.experts, 2 * inside, width),
            "experts.down_proj": (self.experts, width, inside),
        }

    def idle_params(self) -> Dim:
        return (self.experts - self.active) * 3 * self.x[1] * self.features

    def work(self) -> Work:
        tokens, width = self.x
        inside = tokens * self.active * self.features
        routed = tokens * self.experts
        picked = tokens * self.active
        summed, divided = (picked - tokens, picked) if self.normalized else (0, 0)
        return {
            "mac": routed * width + 3 * inside * width,
            "compare": routed - tokens + routed * self.active,  # softmax; the largest, one after another
            "exp": routed + inside,
            "add": 2 * routed - tokens + summed + inside + (picked - tokens) * width,
            "div": routed + divided + inside,
            "mul": 3 * inside + picked * width,
        }

    def backward(self) -> Backward:
        """The gradient between an expert's products is `inner`."""
        inside = self.x[0] * self.active * self.features * self.x[1]
        mac = self.work()["mac"]
        return Backward(weights=mac, inputs=mac - inside, inner=inside)

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return gradient.joined(2) is None

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        return (InputGradient(GradientKind.NEW, Layout.in_order(tensors.layouts[0].sizes), is_view=True),)

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        return True

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.experts import Experts, mixture

        op = Experts(self.x[1], self.experts, self.active, self.features, self.normalized, tensors.trains_weights)
        return lambda tape, inputs: mixture(tape, inputs[0], op)

    def access(self) -> Access:
        return (SAME_POSITION, WHOLE_AXIS)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        experts, width, features = call.arguments["experts.down_proj"].shape
        if call.x.sizes[-1] != width:
            return None
        return {"experts": experts, "features": features, **{name: call.get(name) for name in ("active", "normalized")}}

    def torch(self) -> Torch:
        sizes = (self.x[1], self.experts, self.active, self.features)
        return Torch("archcalc.MixtureOfExperts", sizes, self.changed("normalized"))
