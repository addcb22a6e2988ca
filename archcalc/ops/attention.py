"""Attention (Vaswani et al., *Attention Is All You Need*, 2017)."""

from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.layout import Given, Layout, Placed, elementwise
from archcalc.ops.operator import (
    GLANCE,
    SAME_POSITION,
    WHOLE_AXIS,
    Backward,
    Gradient,
    Held,
    Keeps,
    Operator,
    Returned,
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


def _turned(layout: Layout) -> Layout:
    """With its last two axes exchanged."""
    axes = len(layout.sizes)
    return layout.permuted((*range(axes - 2), axes - 1, axes - 2))


def _batch_second(sizes: tuple[int, ...]) -> Layout:
    """Rows of all samples beside each other: how `nn.MultiheadAttention` computes."""
    batch, rows, width = sizes
    return Layout.in_order((rows, batch, width)).permuted((1, 0, 2))


class ScaledDotProductAttention(Operator):
    """Queries, keys and values `[…, L, d]`, `[…, S, d]`, `[…, S, v]` give `[…, L, v]`."""

    kind = "scaled_dot_product_attention"
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
        q, k, _ = self.inputs
        again = product(q) * k[-2] if self._is_fused() else 0
        return Backward(weights=0, inputs=2 * self.work()["matmul"] + again)

    def further(self) -> Work:
        """``unfused``: multiply-adds where no fused kernel takes them."""
        return {"unfused": 0 if self._is_fused() else self.work()["matmul"]}

    def sights(self) -> tuple[tuple[Window | Sight, ...], ...]:
        front: tuple[Window | Sight, ...] = (SAME_POSITION,) * (len(self.x) - 2)
        queries = (*front, SAME_POSITION, WHOLE_AXIS)
        return queries, (*front, GLANCE, WHOLE_AXIS), (*front, GLANCE, SAME_POSITION)

    def _is_fused(self) -> bool:
        """Whether one kernel does it all: for `[heads, L, d]`, where queries and values have one width."""
        q, _, v = self.inputs
        return len(q) == 3 and q[-1] == v[-1]

    def _scores(self) -> Dim:
        scores: Dim = product(self.x[:-1]) * self.inputs[1][-2]
        return scores

    def keeps(self) -> Keeps:
        """The fused kernel keeps its inputs, its output and a number per row; without it, the scores are kept."""
        q, k, _ = map(product, self.inputs)
        if self._is_fused():
            return Keeps(inputs=True, output=True, precise=product(self.x[:-1]))
        return Keeps(inputs=(False, False, True), elements=q + k + self._scores())

    def _runs_fused(self, given: Given) -> bool:
        """The kernel reads rows whose numbers lie next to each other."""
        return self._is_fused() and all(one.strides[-1] == 1 for one in given.layouts)

    def _copied(self, given: Given) -> list[Dim]:
        """Elements of scaled queries, scaled keys and values, if copied so that all heads are one row of matrices."""
        q, k, v = given.layouts
        scaled = (elementwise([q]), elementwise([_turned(k)]), v)
        heads = product(q.sizes[:-2])
        views = [one.viewed((heads, *one.sizes[-2:])) for one in scaled]
        return [product(shape) if view is None else 0 for shape, view in zip(self.inputs, views, strict=True)]

    def keeps_of(self, given: Given) -> Keeps:
        """Without the fused kernel, what is kept of a product depends on which side needs a gradient."""
        if self._runs_fused(given):
            return self.keeps()
        q, k, _ = map(product, self.inputs)
        for_q, for_k, _ = given.wanted
        copied = self._copied(given)[2]
        scores = self._scores() if any(given.wanted) else 0
        values = for_q or for_k
        own = for_k * q + for_q * k + scores + values * copied
        return Keeps(inputs=(False, False, values and not copied), elements=own)

    def scratch_of(self, given: Given) -> Scratch:
        """The fused kernel's number per row.

        Without it: scaled queries and keys with the scores; the scores before and after softmax; those with the output.
        """
        if self._runs_fused(given):
            return Scratch(inference=(Held(self.elements, precise=product(self.x[:-1])),))
        q, k, _ = map(product, self.inputs)
        scores, out = self._scores(), self.elements
        copied_q, copied_k, copied_v = self._copied(given)
        begun = Held(q + k + copied_q + copied_k + scores)
        for_q, for_k, _ = given.wanted
        kept = q + for_k * copied_q + for_q * k  # the scaled queries stay to the end
        return Scratch(
            inference=(begun, Held(q + 2 * scores), Held(q + scores + copied_v + out)),
            training=(begun, Held(kept + 2 * scores), Held(kept + scores + copied_v + out)),
            backward=self._backward(given, copied_v),
            frees_gradient=1,
        )

    def _backward(self, given: Given, copied: Dim) -> tuple[Held, ...]:
        """Gradients of values and attention weights; of scores; of scaled queries and keys; of keys, of queries."""
        q, k, v = map(product, self.inputs)
        for_q, for_k, for_v = given.wanted
        scores, values = self._scores(), for_v * v
        if not (for_q or for_k):
            return (Held(values),)
        kept = for_k * q + for_q * k + scores + copied
        both = values + for_q * q + for_k * k
        return (
            Held(values + scores),
            Held(values + 2 * scores - copied),
            Held(both - copied),
            Held(both + for_k * k - kept),
            Held(both + for_q * q - kept),
        )

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """The fused kernel gives the rows of all heads beside each other; without it, those of keys are turned."""
        q, k, v = (one.sizes for one in given.layouts)
        if self._runs_fused(given):
            found = [Layout.in_order((b, rows, heads, width)).permuted((0, 2, 1, 3)) for b, heads, rows, width in (q, k, v)]
        else:
            found = [Layout.in_order(q), _turned(Layout.in_order((*k[:-2], k[-1], k[-2]))), Layout.in_order(v)]
        return tuple(Returned(Gradient.NEW, layout) for layout in found)

    def torch(self) -> Torch:
        return Torch("nn.functional.scaled_dot_product_attention")


class MultiHeadAttention(Operator):
    """Projections to queries, keys and values, attention in every head, and a projection of the result.

    One input attends to itself; three are queries `[L, E]`, keys and values `[S, E]`.
    """

    kind = "multi_head_attention"
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

    def place(self, given: Given) -> Placed:
        return Placed(_batch_second(given.sizes(self.output)))

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """One for each tensor that is projected at once."""
        shared = self._shared(given)
        return tuple(
            None if at < shared - 1 else Returned(Gradient.NEW, _batch_second(layout.sizes))
            for at, layout in zip((2, 1, 0)[-len(given.layouts) :], given.layouts, strict=True)
        )

    def _shared(self, given: Given) -> int:
        """How many of queries, keys and values are one tensor, from the last: 3, 2 or 1, which is none."""
        if len(self.inputs) == 1 or len(set(given.tensors)) == 1:
            return 3
        return 2 if given.tensors[1] == given.tensors[2] else 1

    def keeps(self) -> Keeps:
        """Inputs in another order, queries, keys and values, a number per row and head, and the heads' output."""
        return self._kept(3 if len(self.inputs) == 1 else 1)

    def keeps_of(self, given: Given) -> Keeps:
        return self._kept(self._shared(given))

    def _kept(self, shared: int) -> Keeps:
        q, k, _ = self._qkv()
        copies = {3: 0, 2: product(k), 1: 2 * product(k)}[shared]
        return Keeps(elements=3 * product(q) + 2 * product(k) + copies, precise=self.heads * q[0])

    def scratch_of(self, given: Given) -> Scratch:
        """Each tensor is copied into another order and projected; then come the heads, and their output's projection.

        What is projected at once, for keys and values or all three, is copied once more. In the backward pass, the
        gradients of the projections' weights are parts, put together at the end.
        """
        shared = self._shared(given)
        width = self.x[1]
        q, k = product(self.x), product(self._qkv()[1])
        rows = self.heads * self.x[0]
        biases = width if self.bias else 0
        square = width * width
        out = square + biases
        if shared == 3:
            wanted = any(given.wanted)
            return Scratch(
                inference=(Held(6 * q),),
                training=(Held(7 * q),),
                backward=(
                    Held(4 * q, shared=out),
                    Held((wanted - 1) * q, shared=out + 3 * square + 3 * biases, precise=-rows),
                ),
                frees_gradient=0,
            )
        attended = Held(2 * q + 2 * k, precise=rows)
        for_q, for_k, for_v = given.wanted
        begun = (Held(q, shared=out), Held(2 * q + 2 * k, shared=out))
        if shared == 2:
            freed = 2 * q + 2 * k
            last = for_k * k + for_q * q
            return Scratch(
                inference=(Held(q + 4 * k), attended),
                training=(Held(2 * q + 5 * k),),
                backward=(
                    *begun,
                    Held(q + 5 * k - freed, shared=out, precise=-rows),
                    Held(q + (2 + for_k) * k - freed, shared=out + 2 * (square + biases), precise=-rows),
                    Held(q - k + last - freed, shared=out + 3 * (square + biases), precise=-rows),
                    Held(last - freed - q - k, shared=out + 6 * square + 3 * biases, precise=-rows),
                ),
                frees_gradient=1,
            )
        freed = 2 * q + 2 * k
        last = (for_k + for_v) * k + for_q * q
        added = k if self.bias else 0
        return Scratch(
            inference=(Held(q + 3 * k), attended),
            training=(Held(2 * q + 4 * k + added),),
            backward=(
                *begun,
                Held(q + (2 + for_v) * k - freed, shared=out + square + biases, precise=-rows),
                Held(q + (for_v + for_k) * k - freed, shared=out + 2 * (square + biases), precise=-rows),
                Held(q - 2 * k + last - freed, shared=out + 3 * (square + biases), precise=-rows),
                Held(last - freed - q - 2 * k, shared=out + 6 * square + 3 * biases, precise=-rows),
            ),
            frees_gradient=1,
        )

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {} if self.bias else {"bias": False}
        return Torch("archcalc.MultiheadAttention", (self.x[1], self.heads), kwargs)
