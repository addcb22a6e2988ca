"""Multi-head attention (Vaswani et al., *Attention Is All You Need*, 2017), as PyTorch's `nn.MultiheadAttention`."""

from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, decided, product, require
from archcalc.ops.arguments import Bool, Count, option, required
from archcalc.ops.attention import attention_work, rows_outside
from archcalc.ops.calls import Call, Operand
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.naming import SEQUENCE, AxisNames, sequence_names
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    GLANCE,
    GRADIENT,
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


def _batch_second(layout: Layout) -> Layout:
    """Return the layout of `[batch, rows, width]` with the batch second."""
    return layout.permuted((1, 0, 2))


class MultiHeadAttention(Operator):
    """Projections to queries, keys and values, attention in every head, and a projection of the result.

    A single input attends to itself. Three inputs are queries `[L, E]`, keys `[S, K]` and values `[S, V]`, which are
    projected to the queries' width. Products with positions that ``causal`` hides are counted like the others.
    """

    kind = "multi_head_attention"
    aten = "MultiheadAttention"
    synonyms = "mha multiheadattention multihead_attention attention self_attention selfattention attn"
    category = "attention"
    least_inputs = 1
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

    def expected_axes(self) -> AxisNames:
        return SEQUENCE

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
        elements: Dim = sum(map(product, self._qkv()))
        return elements

    def _has_one_width(self) -> bool:
        q, k, v = self._qkv()
        return decided(q[1] == k[1]) is not False and decided(q[1] == v[1]) is not False

    def models_memory(self) -> bool:
        return self._has_one_width() and not self.causal

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
        batch, rows, width = gradient.sizes
        return gradient.permuted((1, 0, 2)).viewed((batch * rows, width)) is None

    def _projected(self, tensors: InputTensors) -> int:
        """Return the number of projections: 1 of one tensor, 2 if keys and values are one tensor, else 3."""
        names = tensors.names
        if len(set(names)) == 1:
            return 1
        return 2 if names[1] == names[2] else 3

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """One for each projection's input."""
        count = self._projected(tensors)
        made = [InputGradient(GradientKind.NEW, rows_outside(x.sizes), is_view=True) for x in tensors.layouts[:count]]
        return (*made, *(None,) * (len(self.inputs) - count))

    def saved_tensors(self) -> SavedTensors:
        """Inputs in another order, queries, keys and values, a number per row and head, and the heads' output."""
        q, k, _ = self._qkv()
        projected = product(q) + 2 * product(k)
        inputs = product(q) if len(self.inputs) == 1 else projected
        return SavedTensors(elements=inputs + projected + product(q), precise=self.heads * q[0])

    def _copied(self, tensors: InputTensors) -> list[bool]:
        """Return, for each projection's input, whether it is copied to be one matrix with the batch second."""
        layouts = map(_batch_second, tensors.layouts[: self._projected(tensors)])
        return [x.viewed((x.sizes[0] * x.sizes[1], x.sizes[2])) is None for x in layouts]

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The inputs that are not copied, or else their copies."""
        copied = self._copied(tensors)
        q, k, _ = map(product, self._qkv())
        copies = sum(size * copy for size, copy in zip((q, k, k), copied, strict=False))
        kept = [not copy for copy in copied] + [False] * (len(self.inputs) - len(copied))
        return SavedTensors(tuple(kept), elements=copies + 2 * q + 2 * k, precise=self.heads * self.x[0])

    def weight_gradients_in_parts(self, tensors: InputTensors) -> bool:
        return True

    def is_approximate(self, tensors: InputTensors) -> bool:
        """True for a single row, for which PyTorch makes fewer copies in the backward pass."""
        return any(1 in layout.sizes[:2] for layout in tensors.layouts)

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """Each input is copied into another order and projected; then come the heads, and their output's projection.

        The result of a projection to keys and values, or to all three, is copied again. The gradients of the
        projections' weights are parts, which are joined at the end.
        """
        cases = (self._self_attention, self._shared_keys_and_values, self._three_inputs)
        return cases[self._projected(tensors) - 1](tensors)

    def _sizes(self) -> tuple[Dim, Dim, Dim, Dim, Dim]:
        """Return the elements of queries, keys, a projection's weights with bias, its bias, and a number per row."""
        bias = self.x[1] if self.bias else 0
        return product(self.x), product(self._qkv()[1]), self.x[1] ** 2 + bias, bias, self.heads * self.x[0]

    def _freed(self, tensors: InputTensors, last: int) -> list[tuple[int, int]]:
        """Return `Workspaces.frees` of saved inputs: each is freed after the backward pass of its projection.

        The projection of the queries is the last of them, at point ``last``.
        """
        return [(number, last - number) for number, copied in enumerate(self._copied(tensors)) if not copied]

    @staticmethod
    def _packs(layout: Layout) -> bool:
        """Return True if the result of a joint projection is copied: not for a single row, which is contiguous."""
        rows: int = product(layout.sizes[:2])
        return rows > 1

    def _self_attention(self, tensors: InputTensors) -> Workspaces:
        q, _, weights, _, rows = self._sizes()
        (copied,) = self._copied(tensors)
        packed = 3 * q * self._packs(tensors.layouts[0])
        return Workspaces(
            inference=(Workspace(3 * q + packed), Workspace(4 * q, precise=rows)),
            training=(Workspace((3 + copied) * q + packed),),
            backward=(
                Workspace(4 * q, shared=weights),
                Workspace((tensors.needs_gradient[0] - 1) * q, shared=4 * weights, precise=-rows),
            ),
            frees=((GRADIENT, 0),),
        )

    def _shared_keys_and_values(self, tensors: InputTensors) -> Workspaces:
        q, k, weights, bias, rows = self._sizes()
        packed = 2 * k * self._packs(tensors.layouts[1])
        copied_q, copied_k = (size * copy for size, copy in zip((q, k), self._copied(tensors), strict=True))
        for_q, for_k, _ = tensors.needs_gradient
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
            frees=((GRADIENT, 1), *self._freed(tensors, 5)),
        )

    def _three_inputs(self, tensors: InputTensors) -> Workspaces:
        q, k, weights, bias, rows = self._sizes()
        copies = zip((q, k, k), self._copied(tensors), strict=True)
        copied_q, copied_k, copied_v = (size * copied for size, copied in copies)
        for_q, for_k, for_v = tensors.needs_gradient
        keys = (for_k + for_v) * k
        inputs = for_q * q + keys
        added = k if self.bias and not _batch_second(tensors.layouts[2]).is_in_order else 0
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
            frees=((GRADIENT, 1), *self._freed(tensors, 5)),
        )

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        return {"heads": call.arguments["num_heads"], "bias": "in_proj_bias" in call.arguments}

    @classmethod
    def call_inputs(cls, call: Call) -> Sequence[Operand]:
        return call.operands[:1] if len({*call.operands}) == 1 else call.operands

    def torch(self) -> Torch:
        kwargs = self.changed("bias", "causal")
        if not self._has_one_width():
            _, k, v = self._qkv()
            kwargs |= {"kdim": k[1], "vdim": v[1]}
        return Torch("archcalc.MultiheadAttention", (self.x[1], self.heads), kwargs)
