"""Multi-head attention (Vaswani et al., *Attention Is All You Need*, 2017), as PyTorch's `nn.MultiheadAttention`."""

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, decided, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.attention import ScaledDotProductAttention, attention_work, rows_outside
from archcalc.ops.calls import Call, Operand
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.naming import SEQUENCE, AxisNames, sequence_names
from archcalc.ops.operator import Operator
from archcalc.ops.taped import Program, Taped
from archcalc.ops.vocabulary import (
    GLANCE,
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Backward,
    GradientKind,
    InputGradient,
    Torch,
    Work,
    example,
    shape_text,
)


class MultiHeadAttention(Taped, Operator):
    """Projections to queries, keys and values, attention in every head, and a projection of the result.

    A single input attends to itself. Three inputs are queries `[L, E]`, keys `[S, K]` and values `[S, V]`, which are
    projected to the queries' width. Products with positions that ``causal`` hides are counted like the others.
    """

    kind = "multi_head_attention"
    aten = "MultiheadAttention"
    synonyms = "mha multiheadattention multihead_attention attention self_attention selfattention attn"
    category = "attention"
    expects = SEQUENCE
    most_inputs = 3
    heads: Count = required("number of heads")
    bias: Bool = option(True, "add a bias to every projection")
    causal: Bool = option(False, "a query depends on no key behind its own position")
    examples = (
        example((7, 12), heads=3),
        example((7, 12), (9, 12), (9, 12), heads=4, bias=False),
        example((7, 12), heads=3, causal=True),
        example((7, 12), (9, 10), (9, 6), heads=4),
    )

    def output_shape(self) -> Shape:
        require(len(self.inputs) != 2, lambda: "multi_head_attention needs 1 or 3 inputs, got 2")
        q, k, v = self._qkv()
        fits = len(q) == len(k) == len(v) == 2 and k[0] == v[0]
        require(fits, lambda: f"attention needs [L, E], got {', '.join(map(shape_text, self.inputs))}")
        require(q[1] % self.heads == 0, lambda: f"heads {self.heads} do not divide the width {q[1]}")
        return q

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        return sequence_names(inputs[0])

    def _qkv(self) -> tuple[Shape, Shape, Shape]:
        q, k, v = self.inputs if len(self.inputs) == 3 else self.inputs * 3
        return q, k, v

    def weights(self) -> dict[str, Shape]:
        width = self.x[1]
        shapes: dict[str, Shape] = {"in_proj_weight": (3 * width, width)}
        if not self._has_one_width():
            sizes = zip("qkv", self._qkv(), strict=True)
            shapes = {f"{name}_proj_weight": (width, shape[1]) for name, shape in sizes}
        if self.bias:
            shapes["in_proj_bias"] = (3 * width,)
        shapes["out_proj.weight"] = (width, width)
        if self.bias:
            shapes["out_proj.bias"] = (width,)
        return shapes

    def work(self) -> Work:
        q, k, _ = self._qkv()
        width = q[1]
        work = attention_work(self.heads, q[0], k[0], width // self.heads, width // self.heads)
        work["mac"] = width * self._input_elements() + q[0] * width * width
        work["add"] += self.extra_work()["projection_add"]
        return work

    def _input_elements(self) -> Dim:
        """Return the elements of queries, keys and values before their projections."""
        return sum(map(product, self._qkv()))

    def _has_one_width(self) -> bool:
        q, k, v = self._qkv()
        return decided(q[1] == k[1]) is not False and decided(q[1] == v[1]) is not False

    def cached_elements(self) -> Dim:
        return 2 * self.x[1] if self.causal else 0

    def attending_to(self, keys: Dim) -> Operator:
        head = self.x[1] // self.heads
        return ScaledDotProductAttention(((self.heads, 1, head), *((self.heads, keys, head),) * 2))

    def backward(self) -> Backward:
        """Gradients of the inputs come from the projections before the attention; the rest is `inner`.

        A fused kernel does the attention, and computes its scores again.
        """
        q, k, _ = self._qkv()
        width, work = q[1], self.work()
        scores = self.heads * q[0] * k[0] * (width // self.heads)
        inner = q[0] * width * width + 2 * work["matmul"] + scores
        return Backward(weights=work["mac"], inputs=width * self._input_elements(), inner=inner)

    def extra_work(self) -> Work:
        """``projection_add``: the additions of the projections' biases."""
        q, k, _ = self._qkv()
        return {"projection_add": 2 * (q[0] + k[0]) * q[1] if self.bias else 0}

    def accesses(self) -> tuple[Access, ...]:
        if len(self.inputs) == 1:
            return ((GLANCE, WHOLE_AXIS),)
        return (SAME_POSITION, WHOLE_AXIS), (GLANCE, WHOLE_AXIS), (GLANCE, WHOLE_AXIS)

    @property
    def overestimates(self) -> Mapping[str, str]:
        return {"channels": "a query depends on the keys before it"} if self.causal else {}

    def placement(self, tensors: InputTensors) -> Placement:
        return Placement(rows_outside(tensors.sizes(self.output)))

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return gradient.permuted((1, 0, 2)).joined(2) is None

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """One for each tensor."""
        names = tensors.names
        made = [InputGradient(GradientKind.NEW, rows_outside(x.sizes), is_view=True) for x in tensors.layouts]
        return tuple(None if name in names[:number] else made[number] for number, name in enumerate(names))

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        return True

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.multi_head import Heads, multi_head

        q, k, v = self._qkv()
        op = Heads(
            width=q[1],
            heads=self.heads,
            bias=self.bias,
            trained=tensors.trains_weights,
            widths=(q[1], k[1], v[1]),
            has_one_width=self._has_one_width(),
            mask=q[0] * k[0] if self.causal else 0,
        )
        return lambda tape, inputs: multi_head(tape, inputs, op)

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        causal = call.get("causal", False)
        return {"heads": call.arguments["num_heads"], "bias": "in_proj_bias" in call.arguments, "causal": causal}

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        return call.operands[:1] if len({*call.operands}) == 1 else call.operands

    def torch(self) -> Torch:
        kwargs = self.changed("bias", "causal")
        if not self._has_one_width():
            _, k, v = self._qkv()
            kwargs |= {"kdim": k[1], "vdim": v[1]}
        return Torch("archcalc.MultiheadAttention", (self.x[1], self.heads), kwargs)
