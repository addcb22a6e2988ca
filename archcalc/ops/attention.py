"""Attention (Vaswani et al., *Attention Is All You Need*, 2017)."""

from collections.abc import Mapping
from typing import Any

from archcalc.arithmetic import Dim, Shape, decided, product, require
from archcalc.ops.arguments import Bool, Count, OptionalPositive, option, required
from archcalc.ops.layout import Given, Layout, Placed, elementwise
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    GLANCE,
    GRADIENT,
    SAME_POSITION,
    WHOLE_AXIS,
    AxisAccess,
    Backward,
    Gradient,
    Returned,
    SavedTensors,
    Torch,
    Window,
    Work,
    Workspace,
    Workspaces,
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


def _heads_inside(sizes: tuple[int, ...]) -> Layout:
    """A row of every head, or else of every sample, beside each other; then the next row."""
    *front, heads, rows, width = sizes
    order = (*range(len(front)), len(front) + 1, len(front), len(front) + 2)
    return Layout.in_order((*front, rows, heads, width)).permuted(order)


def _batch_second(layout: Layout) -> Layout:
    """`[batch, rows, width]` with the batch second."""
    return layout.permuted((1, 0, 2))


def _has_rows(layout: Layout) -> bool:
    """Whether there is more than one row of all samples: what is packed for one row is in order as it is."""
    rows: int = product(layout.sizes[:2])
    return rows > 1


class ScaledDotProductAttention(Operator):
    """Queries, keys and values `[…, L, d]`, `[…, S, d]`, `[…, S, v]` give `[…, L, v]`.

    Keys and values may have fewer heads than queries, `[heads, L, d]` and `[kv_heads, S, d]`: each is then used by as
    many heads of queries (grouped queries, Ainslie et al., 2023). A fourth input `[…, L, S]` is added to the scores.
    Products with positions that ``causal`` hides are counted like the others, as every tool does.
    """

    kind = "scaled_dot_product_attention"
    synonyms = "sdpa dot_product_attention attention"
    category = "attention"
    takes_value = False
    least_inputs = 3
    most_inputs = 4
    causal: Bool = option(False, "a query sees no key behind its own position")
    scale: OptionalPositive = option(None, "what scores are multiplied by; 1/√d if not given")
    examples = (
        example((4, 7, 8), (4, 9, 8), (4, 9, 8)),
        example((2, 7, 8), (2, 7, 8), (2, 7, 6)),
        example((2, 7, 8), (2, 7, 8), (2, 7, 8), causal=True, scale=0.5),
        example((6, 7, 8), (2, 9, 8), (2, 9, 8)),
        example((4, 7, 8), (4, 9, 8), (4, 9, 8), (1, 7, 9)),
    )

    def output_shape(self) -> Shape:
        q, k, v, *masks = self.inputs
        fits = 2 <= len(q) == len(k) == len(v) and k[:-2] == v[:-2] and q[-1] == k[-1] and k[-2] == v[-2]
        fits = fits and (q[:-2] == k[:-2] or (len(q) > 2 and q[:-3] == k[:-3] and q[-3] % k[-3] == 0))
        require(
            fits, lambda: f"attention cannot join queries, keys and values {', '.join(map(shape_text, self.inputs))}"
        )
        require(not (masks and self.causal), lambda: "attention takes a mask, or is causal, not both")
        scores = (*q[:-1], k[-2])
        for mask in masks:
            fits = len(mask) == len(scores) and all(size in (1, n) for size, n in zip(mask, scores, strict=True))
            require(
                fits,
                lambda mask=mask: f"attention cannot add {shape_text(mask)} to scores {shape_text(scores)}",  # type: ignore[misc]
            )
        return (*q[:-1], v[-1])

    def models_memory(self) -> bool:
        """Grouped queries and masks are not modelled."""
        return self.x[:-2] == self.inputs[1][:-2] and len(self.inputs) == 3

    def work(self) -> Work:
        q, k, v, *masks = self.inputs
        work = attention_work(product(q[:-2]), q[-2], k[-2], q[-1], v[-1])
        work["add"] += len(masks) * self._scores()
        return work

    def backward(self) -> Backward:
        """Two gradients for each product; a fused kernel, which keeps no scores, computes them once more."""
        q, k, *_ = self.inputs
        again = product(q) * k[-2] if self._is_fused() else 0
        return Backward(weights=0, inputs=2 * self.work()["matmul"] + again)

    def further(self) -> Work:
        """``unfused``: multiply-adds where no fused kernel takes them."""
        return {"unfused": 0 if self._is_fused() else self.work()["matmul"]}

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        front: tuple[Window | AxisAccess, ...] = (SAME_POSITION,) * (len(self.x) - 2)
        queries = (*front, SAME_POSITION, WHOLE_AXIS)
        heads = front if self.x[:-2] == self.inputs[1][:-2] else (*front[:-1], WHOLE_AXIS)
        masks = (*front, SAME_POSITION, WHOLE_AXIS)
        seen = queries, (*heads, GLANCE, WHOLE_AXIS), (*heads, GLANCE, SAME_POSITION), masks
        return seen[: len(self.inputs)]

    @property
    def loose_sight(self) -> Mapping[str, str]:
        is_plain = not self.causal and self.models_memory()
        return (
            {}
            if is_plain
            else dict.fromkeys(("channels", "positions"), "a head sees its group; a query what is not hidden")
        )

    def _is_fused(self) -> bool:
        """Whether one kernel does it all: for `[L, d]` and `[heads, L, d]`, where queries and values have one width."""
        q, _, v, *_ = self.inputs
        return len(q) <= 3 and q[-1] == v[-1]

    def _scores(self) -> Dim:
        scores: Dim = product(self.x[:-1]) * self.inputs[1][-2]
        return scores

    def keeps(self) -> SavedTensors:
        """The fused kernel keeps its inputs, its output and a number per row; without it, the scores are kept."""
        q, k, _ = map(product, self.inputs)
        if self._is_fused():
            return SavedTensors(inputs=True, output=True, precise=product(self.x[:-1]))
        return SavedTensors(inputs=(False, False, True), elements=q + k + self._scores())

    def _runs_fused(self, given: Given) -> bool:
        """The kernel reads rows whose numbers lie next to each other."""
        return self._is_fused() and all(one.strides[-1] == 1 for one in given.layouts)

    def widens_halves(self, given: Given) -> bool:
        return not self._runs_fused(given)

    def _copied(self, given: Given) -> list[Dim]:
        """Elements of scaled queries, scaled keys and values, if copied so that all heads are one row of matrices."""
        q, k, v = given.layouts
        scaled = (elementwise([q]), elementwise([_turned(k)]), v)
        heads = product(q.sizes[:-2])
        views = [one.viewed((heads, *one.sizes[-2:])) for one in scaled]
        return [product(shape) if view is None else 0 for shape, view in zip(self.inputs, views, strict=True)]

    def keeps_of(self, given: Given) -> SavedTensors:
        """Without the fused kernel, what is kept of a product depends on which side needs a gradient."""
        if self._runs_fused(given):
            return self.keeps()
        q, k, _ = map(product, self.inputs)
        for_q, for_k, _ = given.wanted
        copied = self._copied(given)[2]
        scores = self._scores() if any(given.wanted) else 0
        values = for_q or for_k
        own = for_k * q + for_q * k + scores + values * copied
        return SavedTensors(inputs=(False, False, values and not copied), elements=own)

    def scratch_of(self, given: Given) -> Workspaces:
        """The fused kernel's number per row.

        Without it: scaled queries and keys with the scores; the scores before and after softmax; those with the output.
        """
        if self._runs_fused(given):
            return Workspaces(
                inference=(Workspace(self.elements, precise=product(self.x[:-1])),),
                backward=(Workspace(sum(map(product, self.inputs))),),  # all three gradients, whichever are needed
            )
        q, k, _ = map(product, self.inputs)
        scores, out = self._scores(), self.elements
        copied_q, copied_k, copied_v = self._copied(given)
        begun = Workspace(q + k + copied_q + copied_k + scores)
        for_q, for_k, _ = given.wanted
        kept = q + for_k * copied_q + for_q * k  # the scaled queries stay to the end
        return Workspaces(
            inference=(begun, Workspace(q + 2 * scores), Workspace(q + scores + copied_v + out)),
            training=(begun, Workspace(kept + 2 * scores), Workspace(kept + scores + copied_v + out)),
            backward=self._backward(given, copied_v),
            frees=((GRADIENT, 1), (2, 1)) if for_q or for_k else (),
        )

    def copies_gradient(self, given: Given, gradient: Layout) -> bool:
        sizes = gradient.sizes
        return not self._runs_fused(given) and gradient.viewed((product(sizes[:-2]), *sizes[-2:])) is None

    def is_nearly(self, given: Given) -> bool:
        """Of rows with one number, PyTorch asks for the stride of an axis that has none."""
        return self.x[-1] == 1

    def _backward(self, given: Given, copied: Dim) -> tuple[Workspace, ...]:
        """Gradients of values and attention weights; of scores; of scaled queries and keys; of keys, of queries."""
        q, k, v = map(product, self.inputs)
        for_q, for_k, for_v = given.wanted
        scores, values = self._scores(), for_v * v
        if not (for_q or for_k):
            return (Workspace(values),)
        kept = for_k * q + for_q * k + scores + copied
        both = values + for_q * q + for_k * k
        return (
            Workspace(values + scores),
            Workspace(values + 2 * scores - copied),
            Workspace(both - copied),
            Workspace(both + for_k * k - kept),
            Workspace(both + for_q * q - kept),
        )

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """The fused kernel gives the rows of all heads beside each other; without it, those of keys are turned."""
        q, k, v = (one.sizes for one in given.layouts)
        alone = len(q) == 3  # without heads, PyTorch sees the batch as heads
        if self._runs_fused(given):
            return tuple(Returned(Gradient.NEW, _heads_inside(sizes), alone) for sizes in (q, k, v))
        turned = _turned(Layout.in_order((*k[:-2], k[-1], k[-2])))
        return (
            Returned(Gradient.NEW, Layout.in_order(q), alone),
            Returned(Gradient.NEW, turned, is_view=True),
            Returned(Gradient.NEW, Layout.in_order(v), is_view=True),
        )

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {"is_causal": True} if self.causal else {}
        if self.scale is not None:
            kwargs["scale"] = float(self.scale)
        if self.x[:-2] != self.inputs[1][:-2]:
            kwargs["enable_gqa"] = True
        return Torch("nn.functional.scaled_dot_product_attention", (), kwargs)


class MultiHeadAttention(Operator):
    """Projections to queries, keys and values, attention in every head, and a projection of the result.

    One input attends to itself; three are queries `[L, E]`, keys `[S, K]` and values `[S, V]`, which are projected to
    the queries' width. Products with positions that ``causal`` hides are counted like the others.
    """

    kind = "multi_head_attention"
    synonyms = "mha multiheadattention multihead_attention attention self_attention selfattention attn"
    category = "attention"
    least_inputs = 1
    most_inputs = 3
    heads: Count = required("number of heads")
    bias: Bool = option(True, "add a bias to every projection")
    causal: Bool = option(False, "a query sees no key behind its own position")
    examples = (
        example((7, 12), heads=3),
        example((7, 12), (9, 12), (9, 12), heads=4, bias=False),
        example((7, 12), heads=3, causal=True),
        example((7, 12), (9, 10), (9, 6), heads=4),
    )

    def output_shape(self) -> Shape:
        require(len(self.inputs) != 2, lambda: "multi_head_attention takes 1 or 3 inputs, and is given 2")
        q, k, v = self._qkv()
        fits = len(q) == len(k) == len(v) == 2 and k[0] == v[0]
        require(fits, lambda: f"attention needs [L, E], and is given {', '.join(map(shape_text, self.inputs))}")
        require(q[1] % self.heads == 0, lambda: f"heads {self.heads} do not divide the width {q[1]}")
        return q

    def _qkv(self) -> tuple[Shape, Shape, Shape]:
        q, k, v = self.inputs if len(self.inputs) == 3 else self.inputs * 3
        return q, k, v

    def weights(self) -> dict[str, Shape]:
        q, k, v = self._qkv()
        width = q[1]
        shapes: dict[str, Shape] = {"in_proj_weight": (3 * width, width)}
        if not self._is_of_one_width():
            shapes = {f"{name}_proj_weight": (width, shape[1]) for name, shape in zip("qkv", (q, k, v), strict=True)}
        if self.bias:
            shapes["in_proj_bias"] = (3 * width,)
        shapes["out_proj.weight"] = (width, width)
        if self.bias:
            shapes["out_proj.bias"] = (width,)
        return shapes

    def _is_of_one_width(self) -> bool:
        q, k, v = self._qkv()
        return decided(q[1] == k[1]) is not False and decided(q[1] == v[1]) is not False

    def models_memory(self) -> bool:
        """Of one width and without a mask."""
        return self._is_of_one_width() and not self.causal

    def work(self) -> Work:
        q, k, _ = self._qkv()
        width = q[1]
        work = attention_work(self.heads, q[0], k[0], width // self.heads, width // self.heads)
        work["mac"] = width * self._projected_elements() + q[0] * width * width
        if self.bias:
            work["add"] += self.further()["projection_add"]
        return work

    def _projected_elements(self) -> Dim:
        """Elements of queries, keys and values before their projections."""
        elements: Dim = sum(map(product, self._qkv()))
        return elements

    def backward(self) -> Backward:
        """The projections before the attention give the inputs' gradients; what is behind them is the way there.

        The attention itself is that of a fused kernel, which computes its scores once more.
        """
        q, k, _ = self._qkv()
        width, work = q[1], self.work()
        scores = self.heads * q[0] * k[0] * (width // self.heads)
        inner = q[0] * width * width + 2 * work["matmul"] + scores
        return Backward(weights=work["mac"], inputs=width * self._projected_elements(), inner=inner)

    def further(self) -> Work:
        """``projection_add``: the additions of the projections' biases."""
        q, k, _ = self._qkv()
        return {"projection_add": 2 * (q[0] + k[0]) * q[1] if self.bias else 0}

    def sights(self) -> tuple[tuple[Window | AxisAccess, ...], ...]:
        if len(self.inputs) == 1:
            return ((GLANCE, WHOLE_AXIS),)
        return (SAME_POSITION, WHOLE_AXIS), (GLANCE, WHOLE_AXIS), (GLANCE, WHOLE_AXIS)

    @property
    def loose_sight(self) -> Mapping[str, str]:
        return {"channels": "a query sees what is not hidden"} if self.causal else {}

    def place(self, given: Given) -> Placed:
        return Placed(_heads_inside(given.sizes(self.output)))

    def copies_gradient(self, given: Given, gradient: Layout) -> bool:
        batch, rows, width = gradient.sizes
        return gradient.permuted((1, 0, 2)).viewed((batch * rows, width)) is None

    def _projected(self, given: Given) -> int:
        """How many projections there are at once: of one tensor, of queries and of keys and values, or of all three."""
        tensors = given.tensors
        if len(set(tensors)) == 1:
            return 1
        return 2 if tensors[1] == tensors[2] else 3

    def returns(self, given: Given, gradient: Layout) -> tuple[Returned | None, ...]:
        """One for each projection's input."""
        return tuple(
            Returned(Gradient.NEW, _heads_inside(layout.sizes), is_view=True) if at < self._projected(given) else None
            for at, layout in enumerate(given.layouts)
        )

    def keeps(self) -> SavedTensors:
        """Inputs in another order, queries, keys and values, a number per row and head, and the heads' output."""
        q, k, _ = self._qkv()
        projected = product(q) + 2 * product(k)
        given = product(q) if len(self.inputs) == 1 else projected
        return SavedTensors(elements=given + projected + product(q), precise=self.heads * q[0])

    def _copied(self, given: Given) -> list[bool]:
        """Of each projection's input, whether it is copied, since its rows do not follow each other batch second."""
        turned = map(_batch_second, given.layouts[: self._projected(given)])
        return [one.viewed((one.sizes[0] * one.sizes[1], one.sizes[2])) is None for one in turned]

    def keeps_of(self, given: Given) -> SavedTensors:
        """The inputs' copies, or inputs that need none."""
        copied = self._copied(given)
        q, k, _ = map(product, self._qkv())
        copies = sum(size * copy for size, copy in zip((q, k, k), copied, strict=False))
        kept = [not copy for copy in copied] + [False] * (len(self.inputs) - len(copied))
        return SavedTensors(tuple(kept), elements=copies + 2 * q + 2 * k, precise=self.heads * self.x[0])

    def gives_weights_in_parts(self, given: Given) -> bool:
        return True

    def is_nearly(self, given: Given) -> bool:
        """Of a single row, PyTorch leaves out some copies in the backward pass."""
        return any(1 in layout.sizes[:2] for layout in given.layouts)

    def scratch_of(self, given: Given) -> Workspaces:
        """Each input is copied into another order and projected; then come the heads, and their output's projection.

        What is projected at once, keys with values or all three, is copied once more. The gradients of the projections'
        weights are parts, put together at the end.
        """
        steps = (self._scratch_of_one, self._scratch_of_two, self._scratch_of_three)
        return steps[self._projected(given) - 1](given)

    def _sizes(self) -> tuple[Dim, Dim, Dim, Dim, Dim]:
        """Elements of queries, of keys, of a projection's weights with its bias, of the bias; and a number per row."""
        bias = self.x[1] if self.bias else 0
        return product(self.x), product(self._qkv()[1]), self.x[1] ** 2 + bias, bias, self.heads * self.x[0]

    def _freed(self, given: Given, last: int) -> list[tuple[int, int]]:
        """Inputs that are kept themselves, and the moment that begins when their projection's backward pass has ended.

        The queries' projection, the first, is the last of them.
        """
        return [(at, last - at) for at, copied in enumerate(self._copied(given)) if not copied]

    def _scratch_of_one(self, given: Given) -> Workspaces:
        q, _, weights, _, rows = self._sizes()
        (copied,) = self._copied(given)
        packed = 3 * q * _has_rows(given.layouts[0])
        return Workspaces(
            inference=(Workspace(3 * q + packed), Workspace(4 * q, precise=rows)),
            training=(Workspace((3 + copied) * q + packed),),
            backward=(
                Workspace(4 * q, shared=weights),
                Workspace((given.wanted[0] - 1) * q, shared=4 * weights, precise=-rows),
            ),
            frees=((GRADIENT, 0),),
        )

    def _scratch_of_two(self, given: Given) -> Workspaces:
        q, k, weights, bias, rows = self._sizes()
        packed = 2 * k * _has_rows(given.layouts[1])
        copied_q, copied_k = (size * copy for size, copy in zip((q, k), self._copied(given), strict=True))
        for_q, for_k, _ = given.wanted
        inputs = for_q * q + for_k * k
        return Workspaces(
            inference=(Workspace(q + 2 * k + packed), Workspace(2 * q + 2 * k, precise=rows)),
            training=(Workspace(q + copied_q + 2 * k + packed + copied_k),),
            backward=(
                Workspace(q, shared=weights),
                Workspace(2 * q + 2 * k, shared=weights),
                Workspace(3 * k - q, shared=weights, precise=-rows),
                Workspace(for_k * k - q, shared=3 * weights, precise=-rows),
                Workspace(inputs - q - 2 * k - copied_k, shared=4 * weights, precise=-rows),
                Workspace(inputs - 2 * q - 2 * k - copied_q - copied_k, shared=7 * weights - 3 * bias, precise=-rows),
            ),
            frees=((GRADIENT, 1), *self._freed(given, 5)),
        )

    def _scratch_of_three(self, given: Given) -> Workspaces:
        q, k, weights, bias, rows = self._sizes()
        copied_q, copied_k, copied_v = (size * copy for size, copy in zip((q, k, k), self._copied(given), strict=True))
        for_q, for_k, for_v = given.wanted
        keys = (for_k + for_v) * k
        inputs = for_q * q + keys
        added = k if self.bias and not _batch_second(given.layouts[2]).is_in_order else 0
        return Workspaces(
            inference=(Workspace(q + 2 * k + max(copied_v, added)), Workspace(2 * q + 2 * k, precise=rows)),
            training=(Workspace(q + 2 * k + copied_q + copied_k + copied_v + added),),
            backward=(
                Workspace(q, shared=weights),
                Workspace(2 * q + 2 * k, shared=weights),
                Workspace(for_v * k - q, shared=2 * weights, precise=-rows),
                Workspace(keys - q - k - copied_v, shared=3 * weights, precise=-rows),
                Workspace(inputs - q - 2 * k - copied_v - copied_k, shared=4 * weights, precise=-rows),
                Workspace(
                    inputs - 2 * q - 2 * k - copied_q - copied_k - copied_v,
                    shared=7 * weights - 3 * bias,
                    precise=-rows,
                ),
            ),
            frees=((GRADIENT, 1), *self._freed(given, 5)),
        )

    def torch(self) -> Torch:
        kwargs: dict[str, Any] = {} if self.bias else {"bias": False}
        if self.causal:
            kwargs["causal"] = True
        if not self._is_of_one_width():
            _, k, v = self._qkv()
            kwargs |= {"kdim": k[1], "vdim": v[1]}
        return Torch("archcalc.MultiheadAttention", (self.x[1], self.heads), kwargs)
