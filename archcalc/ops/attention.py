"""Attention (Vaswani et al., *Attention Is All You Need*, 2017)."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.operator import (
    GLANCE,
    SAME_POSITION,
    WHOLE_AXIS,
    Backward,
    Held,
    Keeps,
    Operator,
    Scratch,
    Sight,
    Torch,
    Window,
    Work,
    example,
    shape_text,
)


def attention_work(heads: Dim, queries: Dim, keys: Dim, width: Dim, value_width: Dim) -> Work:
    """``softmax(Q·Kᵀ/√d)·V`` for each head."""
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


class ScaledDotProductAttention(Operator):
    """Queries, keys and values `[…, L, d]`, `[…, S, d]`, `[…, S, v]` give `[…, L, v]`."""

    kind = "scaled_dot_product_attention"
    synonyms = "sdpa dot_product_attention attention"
    category = "attention"
    least_inputs = 3
    most_inputs = 3
    examples = (example((4, 7, 8), (4, 9, 8), (4, 9, 8)), example((2, 7, 8), (2, 7, 8), (2, 7, 6)))

    def output_shape(self) -> Shape:
        q, k, v = self.inputs
        fits = 2 <= len(q) == len(k) == len(v) and q[:-2] == k[:-2] == v[:-2] and q[-1] == k[-1] and k[-2] == v[-2]
        require(
            fits, lambda: f"attention cannot join queries, keys and values {', '.join(map(shape_text, self.inputs))}"
        )
        return (*q[:-1], v[-1])

    def work(self) -> Work:
        q, k, v = self.inputs
        return attention_work(product(q[:-2]), q[-2], k[-2], q[-1], v[-1])

    def backward(self) -> Backward:
        """Two gradients for each product; a fused kernel, which keeps no scores, computes them once more."""
        q, k, v = self.inputs
        again = product(q) * k[-2] if q[-1] == v[-1] else 0
        return Backward(weights=0, inputs=2 * self.work()["matmul"] + again)

    def further(self) -> Work:
        """``unfused``: multiply-adds where queries and values differ in width, so that no fused kernel takes them."""
        q, _, v = self.inputs
        return {"unfused": 0 if q[-1] == v[-1] else self.work()["matmul"]}

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        front: tuple[Window | Sight, ...] = (SAME_POSITION,) * (len(self.x) - 2)
        queries = (*front, SAME_POSITION, WHOLE_AXIS)
        return queries, (*front, GLANCE, WHOLE_AXIS), (*front, GLANCE, SAME_POSITION)

    def keeps(self) -> Keeps:
        """The fused kernel keeps its inputs, its output and a number per row; without it, the scores are kept."""
        q, k, v = self.inputs
        if q[-1] == v[-1]:
            return Keeps(inputs=True, output=True, precise=product(q[:-1]))
        return Keeps(elements=product(q) + product(k) + product(q[:-1]) * k[-2] + product(v))

    def scratch(self) -> Scratch:
        """The fused kernel's number per row; without it, scaled queries and keys with the scores."""
        q, k, v = self.inputs
        rows = product(q[:-1])
        if q[-1] == v[-1]:
            return Scratch(inference=(Held(self.elements, precise=rows),))
        return Scratch(inference=(Held(product(q) + product(k) + rows * k[-2]),))

    def torch(self) -> Torch:
        return Torch("nn.functional.scaled_dot_product_attention")


class MultiHeadAttention(Operator):
    """Projections to queries, keys and values, attention in every head, and a projection of the result.

    One input attends to itself; three are queries `[L, E]`, keys and values `[S, E]`.
    """

    kind = "multi_head_attention"
    synonyms = "mha multiheadattention multihead_attention attention self_attention selfattention attn"
    category = "attention"
    least_inputs = 1
    most_inputs = 3
    heads: Count = required("number of heads")
    bias: Bool = option(True, "add a bias to every projection")
    examples = (
        example((7, 12), heads=3),
        example((7, 12), (9, 12), (9, 12), heads=4, bias=False),
    )

    def output_shape(self) -> Shape:
        require(len(self.inputs) != 2, lambda: "multi_head_attention takes 1 or 3 inputs, and is given 2")
        q, k, v = self._qkv()
        fits = len(q) == len(k) == len(v) == 2 and q[1] == k[1] == v[1] and k[0] == v[0]
        require(fits, lambda: f"attention needs [L, E], and is given {', '.join(map(shape_text, self.inputs))}")
        require(q[1] % self.heads == 0, lambda: f"heads {self.heads} do not divide the width {q[1]}")
        return q

    def _qkv(self) -> tuple[Shape, Shape, Shape]:
        q, k, v = self.inputs if len(self.inputs) == 3 else self.inputs * 3
        return q, k, v

    def weights(self) -> dict[str, Shape]:
        width = self.x[1]
        shapes: dict[str, Shape] = {"in_proj_weight": (3 * width, width)}
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
        rows = 2 * q[0] + 2 * k[0]  # queries, keys, values, and the projection at the end
        work["mac"] = rows * width * width
        if self.bias:
            work["add"] += rows * width
        return work

    def backward(self) -> Backward:
        """The projections before the attention give the inputs' gradients; what is behind them is the way there.

        The attention itself is that of a fused kernel, which computes its scores once more.
        """
        q, k, _ = self._qkv()
        width, work = q[1], self.work()
        scores = self.heads * q[0] * k[0] * (width // self.heads)
        inner = q[0] * width * width + 2 * work["matmul"] + scores
        return Backward(weights=work["mac"], inputs=(q[0] + 2 * k[0]) * width * width, inner=inner)

    def further(self) -> Work:
        """``projection_add``: the additions of the projections' biases."""
        q, k, _ = self._qkv()
        return {"projection_add": 2 * (q[0] + k[0]) * q[1] if self.bias else 0}

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        if len(self.inputs) == 1:
            return ((GLANCE, WHOLE_AXIS),)
        return (SAME_POSITION, WHOLE_AXIS), (GLANCE, WHOLE_AXIS), (GLANCE, WHOLE_AXIS)

    def keeps(self) -> Keeps:
        """Inputs in another order, queries, keys and values, a number per row and head, and the heads' output."""
        q, k, _ = self._qkv()
        projected = product(q) + 2 * product(k)
        given = product(q) if len(self.inputs) == 1 else projected
        return Keeps(elements=given + projected + product(q), precise=self.heads * q[0])

    def scratch(self) -> Scratch:
        """One input: the projections, and a copy of them in the heads' order (what PyTorch does step by step).

        Three: each projected from a copy in another order, then the heads' output with a number per row and head.
        """
        q, k, _ = self._qkv()
        queries, keys = product(q), product(k)
        sizes = {name: product(shape) for name, shape in self.weights().items()}
        weights, weights_out = sum(sizes.values()), sum(sizes[name] for name in sizes if name.startswith("out"))
        if len(self.inputs) == 1:
            rows = self.heads * q[0]
            return Scratch(
                inference=(Held(6 * queries),),
                training=(Held(7 * queries),),
                backward=(Held(4 * queries, shared=weights_out), Held(shared=weights, precise=-rows)),
                frees_gradient=True,
            )
        attended = Held(2 * queries + 2 * keys, precise=self.heads * q[0])
        return Scratch(inference=(attended, Held(queries + 3 * keys)))

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {} if self.bias else {"bias": False}
        return Torch("archcalc.MultiheadAttention", (self.x[1], self.heads), kwargs)
