"""Scaled dot-product attention (Vaswani et al., *Attention Is All You Need*, 2017)."""

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, OptionalPositive, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout, Placement, elementwise
from archcalc.ops.naming import HEADED, AxisNames
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
    SavedTensors,
    Torch,
    Work,
    Workspace,
    Workspaces,
    example,
    shape_text,
)


def attention_work(heads: Dim, queries: Dim, keys: Dim, width: Dim, value_width: Dim) -> Work:
    """Return the work of ``softmax(Q·Kᵀ/√d)·V`` for each head."""
    scores = heads * queries * keys
    rows = heads * queries
    return {
        "matmul": scores * width + scores * value_width,
        "mul": scores,  # the scaling by 1/√d
        "compare": scores - rows,
        "exp": scores,
        "add": 2 * scores - rows,
        "div": scores,
    }


def rows_outside(sizes: tuple[int, ...]) -> Layout:
    """Return the layout in which rows are outside of heads, or outside of samples where there are no heads."""
    return Layout.exchanged(sizes, -3, -2)


class ScaledDotProductAttention(Taped, Operator):
    """Queries, keys and values `[…, L, d]`, `[…, S, d]`, `[…, S, v]` give `[…, L, v]`.

    Keys and values may have fewer heads than queries, `[heads, L, d]` and `[kv_heads, S, d]`: several heads of queries
    then use the same (grouped queries; Ainslie et al., 2023). A fourth input `[…, L, S]` is added to the scores.
    Products with positions that ``causal`` hides are counted like the others, as in every tool.
    """

    kind = "scaled_dot_product_attention"
    aten = "scaled_dot_product_attention"
    onnx = "Attention"
    synonyms = "sdpa dot_product_attention attention"
    category = "attention"
    takes_value = False
    least_inputs = 3
    most_inputs = 4
    causal: Bool = option(False, "a query depends on no key behind its own position")
    scale: OptionalPositive = option(None, "factor of the scores; 1/√d if not given")
    examples = (
        example((4, 7, 8), (4, 9, 8), (4, 9, 8)),
        example((2, 7, 8), (2, 7, 8), (2, 7, 6)),
        example((2, 7, 8), (2, 7, 8), (2, 7, 8), causal=True, scale=0.5),
        example((6, 7, 8), (2, 9, 8), (2, 9, 8)),
        example((4, 7, 8), (4, 9, 8), (4, 9, 8), (1, 7, 9)),
        example((4, 7, 8), (4, 7, 8), (4, 7, 6), (4, 7, 7)),
    )

    def output_shape(self) -> Shape:
        q, k, v, *masks = self.inputs
        fits = 2 <= len(q) == len(k) == len(v) and k[:-2] == v[:-2] and q[-1] == k[-1] and k[-2] == v[-2]
        fits = fits and (q[:-2] == k[:-2] or (len(q) > 2 and q[:-3] == k[:-3] and q[-3] % k[-3] == 0))
        require(
            fits,
            lambda: (
                "attention needs queries […, L, d], keys […, S, d] and values […, S, v], "
                f"got {', '.join(map(shape_text, self.inputs))}"
            ),
        )
        require(not (masks and self.causal), lambda: "attention is causal or takes a mask, not both")
        scores = (*q[:-1], k[-2])
        for mask in masks:
            fits = len(mask) == len(scores) and all(size in (1, n) for size, n in zip(mask, scores, strict=True))
            require(fits, lambda mask=mask: f"{shape_text(mask)} cannot be added to scores {shape_text(scores)}")  # type: ignore[misc]
        return (*q[:-1], v[-1])

    def expected_axes(self) -> AxisNames:
        return HEADED[-len(self.x) :] if len(self.x) <= 3 else ()

    def cached_elements(self) -> Dim:
        """Keys and values of a position, where queries depend on no later one.

        ``causal`` says so, or a mask with a row for each query does; a mask of one row hides padding.
        """
        q, k, v, *masks = self.inputs
        hides = self.causal or any(mask[-2] == q[-2] for mask in masks)
        if not hides or q[-2] != k[-2]:
            return 0
        return product(k[:-2]) * k[-1] + product(v[:-2]) * v[-1]

    def attending_to(self, keys: Dim) -> Operator:
        q, k, v, *_ = self.inputs
        shapes = ((*q[:-2], 1, q[-1]), (*k[:-2], keys, k[-1]), (*v[:-2], keys, v[-1]))
        return ScaledDotProductAttention(shapes)

    def _is_grouped(self) -> bool:
        """Return True if keys and values have fewer heads than queries."""
        return self.x[:-2] != self.inputs[1][:-2]

    def work(self) -> Work:
        q, k, v, *masks = self.inputs
        work = attention_work(product(q[:-2]), q[-2], k[-2], q[-1], v[-1])
        work["add"] += len(masks) * self._scores()
        return work

    def backward(self) -> Backward:
        """Two gradients for each product; a fused kernel saves no scores and computes them again."""
        q, k, *_ = self.inputs
        again = product(q) * k[-2] if self._is_fused() else 0
        return Backward(weights=0, inputs=2 * self.work()["matmul"] + again)

    def backward_for(self, needed: Sequence[bool]) -> Backward:
        """No fused kernel gives the gradient of a mask."""
        backward = self.backward()
        return backward._replace(inputs=2 * self.work()["matmul"]) if any(needed[3:]) else backward

    def extra_work(self) -> Work:
        """``unfused``: multiply-adds if no fused kernel does them."""
        return {"unfused": 0 if self._is_fused() else self.work()["matmul"]}

    def accesses(self) -> tuple[Access, ...]:
        front: Access = (SAME_POSITION,) * (len(self.x) - 2)
        queries = (*front, SAME_POSITION, WHOLE_AXIS)
        heads = (*front[:-1], WHOLE_AXIS) if self._is_grouped() else front
        accesses = queries, (*heads, GLANCE, WHOLE_AXIS), (*heads, GLANCE, SAME_POSITION), queries
        return accesses[: len(self.inputs)]

    @property
    def overestimates(self) -> Mapping[str, str]:
        if self.causal:
            return {"positions": "a query depends on the keys before it", "channels": "the same, without heads"}
        return {"channels": "a head depends on those of its group"} if self._is_grouped() else {}

    def _is_fused(self) -> bool:
        """Return True if a fused kernel takes these shapes: at most three axes, queries and values of one width."""
        q, _, v, *_ = self.inputs
        return len(q) <= 3 and q[-1] == v[-1]

    def _scores(self) -> Dim:
        return product(self.x[:-1]) * self.inputs[1][-2]

    def takes_steps(self, tensors: InputTensors) -> bool:
        """The fused kernel needs contiguous rows, and a mask without a gradient."""
        rows = all(layout.strides[-1] == 1 for layout in tensors.layouts[:3])
        return not (self._is_fused() and rows) or any(tensors.needs_gradient[3:])

    def placement(self, tensors: InputTensors) -> Placement:
        """The fused kernel orders its output like the queries."""
        return super().placement(tensors) if self.takes_steps(tensors) else Placement(elementwise(tensors.layouts[:1]))

    def computes_in_float32(self, tensors: InputTensors) -> bool:
        return self.takes_steps(tensors)

    def program(self, tensors: InputTensors) -> Program:
        from archcalc.ops.tape.attention import unfused_attention

        repeats = self.x[-3] // self.inputs[1][-3] if self._is_grouped() else 1
        return lambda tape, inputs: unfused_attention(tape, inputs, self.causal, repeats)

    def saved_by_kernel(self, tensors: InputTensors) -> SavedTensors:
        """Its inputs, its output and a number per row."""
        return SavedTensors(inputs=True, output=True, precise=product(self.x[:-1]))

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The number per row of the fused kernel, and all three gradients, whichever are needed."""
        if self.takes_steps(tensors):
            return super().workspaces_for(tensors)
        return Workspaces(
            inference=(Workspace(self.elements, precise=product(self.x[:-1])),),
            backward=(Workspace(sum(map(product, self.inputs[:3]))),),
        )

    def copies_gradient(self, tensors: InputTensors, gradient: Layout) -> bool:
        return self.takes_steps(tensors) and gradient.joined(-2) is None

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """The fused kernel returns rows outside of heads; without heads, PyTorch sees the batch as heads."""
        if self.takes_steps(tensors):
            return self.gradients_on_tape(tensors)
        q, k, v, *masks = (layout.sizes for layout in tensors.layouts)
        found = (InputGradient(GradientKind.NEW, rows_outside(sizes), len(q) == 3) for sizes in (q, k, v))
        return (*found, *(None for _ in masks))

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if any(operand.batch is not None and operand.batch >= len(operand.sizes) - 2 for operand in call.operands):
            return None  # the samples attend to one another
        return {"causal": call.get("is_causal", False), "scale": call.get("scale")}

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        """Queries, keys and values with an axis of heads, without a mask, a cache or a cap on the scores."""
        if len(call.operands) != 3 or len(call.x.sizes) != 4 or call.item or call.get("softcap", 0):
            return None
        return {"causal": bool(call.get("is_causal", 0)), "scale": call.get("scale")}

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"is_causal": True} if self.causal else {}
        if self.scale is not None:
            kwargs["scale"] = float(self.scale)
        if self._is_grouped():
            kwargs["enable_gqa"] = True
        return Torch("nn.functional.scaled_dot_product_attention", (), kwargs)
