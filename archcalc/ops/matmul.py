"""The product of two computed matrices."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Dim, Shape, product, require
from archcalc.ops.arguments import Bool, option
from archcalc.ops.calls import Call
from archcalc.ops.layout import InputTensors, Layout
from archcalc.ops.naming import AxisNames
from archcalc.ops.onnx_calls import only_operands
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
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


def merges(sizes: tuple[int, ...], layout: Layout) -> bool:
    """Return True if a tensor of matrices, repeated to ``sizes``, can be viewed as one axis of matrices.

    A product of such tensors needs no copy.
    """
    steps = zip(layout.sizes, sizes, layout.strides, strict=True)
    repeated = Layout(sizes, tuple(stride if size == full else 0 for size, full, stride in steps))
    return repeated.joined(-2) is not None


class ProductOfTwo(Operator):
    """Base of products of two tensors that are both computed."""

    tools_agree = False
    joins = True
    least_inputs = 2
    most_inputs = 2

    def backward_for(self, needed: Sequence[bool]) -> Backward:
        return Backward(weights=0, inputs=self.work()["matmul"] * sum(needed))


class Matmul(ProductOfTwo):
    """`[…, L, K]` times `[…, K, M]` gives `[…, L, M]`; axes before the last two go side by side.

    An axis of size 1 before these is repeated, as in PyTorch.
    """

    kind = "matmul"
    aten = "matmul bmm einsum linear"
    onnx = "MatMul"
    synonyms = "bmm batch_matmul dot einsum"
    category = "linear"
    transposed: Bool = option(False, "the second matrix is given as `[…, M, K]`")
    examples = (
        example((4, 5, 6), (4, 6, 7)),
        example((5, 6), (7, 6), transposed=True),
        example((2, 3, 5, 6), (2, 3, 6, 4)),
        example((1, 5, 6), (3, 6, 4)),
    )

    def output_shape(self) -> Shape:
        left, right = self.inputs
        inner, outer = (-1, -2) if self.transposed else (-2, -1)
        pairs = list(zip(left[:-2], right[:-2], strict=False))
        fits = (
            2 <= len(left) == len(right) and left[-1] == right[inner] and all(n == m or 1 in (n, m) for n, m in pairs)
        )
        require(fits, lambda: f"matmul cannot multiply {shape_text(left)} and {shape_text(right)}")
        return (*(m if n == 1 else n for n, m in pairs), left[-2], right[outer])

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        left, right = inputs
        return (*left[:-1], right[-2 if self.transposed else -1])

    def work(self) -> Work:
        return {"matmul": self.elements * self.x[-1]}

    def extra_work(self) -> Work:
        """``fvcore``: its count, which takes the first matrices for as many as there are of the output."""
        return {"fvcore": product(self.x) * self.output[-1]}

    def saved_tensors_for(self, tensors: InputTensors) -> SavedTensors:
        """The matrices whose partner needs a gradient, as copies where they are copied."""
        both = list(zip(self._copied(tensors), tensors.needs_gradient[::-1], self._full_sizes(), strict=True))
        copies = sum(size for copied, wants, size in both if copied and wants)
        return SavedTensors(inputs=tuple(wants and not copied for copied, wants, _ in both), elements=copies)

    def _full_sizes(self) -> tuple[Dim, Dim]:
        """Return the elements of both inputs, repeated along axes of size 1."""
        beside = product(self.output[:-2])
        left, right = (beside * product(shape[-2:]) for shape in self.inputs)
        return left, right

    def _copied(self, tensors: InputTensors) -> list[bool]:
        """Return whether each input is copied, because it is repeated or its axes in front cannot be merged."""
        return [
            not merges(tensors.sizes((*self.output[:-2], *shape[-2:])), layout)
            for shape, layout in zip(self.inputs, tensors.layouts, strict=True)
        ]

    def workspaces_for(self, tensors: InputTensors) -> Workspaces:
        """The copies beside the output; backward, the gradients of full size."""
        copies = sum(n for n, is_copy in zip(self._full_sizes(), self._copied(tensors), strict=True) if is_copy)
        full = sum(n for n, wants in zip(self._full_sizes(), tensors.needs_gradient, strict=True) if wants)
        forward = (Workspace(self.elements + copies),) if copies else ()
        return Workspaces(forward, forward, (Workspace(full),) if full else ())

    def input_gradients(self, tensors: InputTensors, gradient: Layout) -> tuple[InputGradient | None, ...]:
        """Products of the output's gradient; that of a transposed matrix is transposed."""
        left, right = (layout.sizes for layout in tensors.layouts)
        second = Layout.exchanged(right, -2, -1) if self.transposed else Layout.in_order(right)
        return tuple(InputGradient(GradientKind.NEW, own, is_view=True) for own in (Layout.in_order(left), second))

    def accesses(self) -> tuple[Access, ...]:
        column = WHOLE_AXIS if self.transposed else SAME_POSITION
        first, second = (
            [SAME_POSITION if n == m else WHOLE_AXIS for n, m in zip(shape[:-2], self.output, strict=False)]
            for shape in self.inputs
        )
        return (*first, SAME_POSITION, WHOLE_AXIS), (*second, WHOLE_AXIS, column)

    @property
    def overestimates(self) -> dict[str, str]:
        """A column of the output sees one row of a transposed second matrix."""
        return dict.fromkeys(("channels", "positions"), "a column sees one row") if self.transposed else {}

    @classmethod
    def from_aten(cls, call: Call) -> dict[str, Any] | None:
        if len(call.operands) != 2:
            return None
        if call.operation == "linear":  # its weights are computed
            return {"transposed": True}
        if call.operation != "einsum":
            return {}
        first, second, result = call.arguments["equation"].replace(" ", "").replace("->", ",").split(",")
        (*front, row, inner), (*beside, left, right) = first, second
        if front != beside or len({*first, *second}) != len(front) + 3:
            return None
        column = right if left == inner else left
        return {"transposed": left != inner} if [*result] == [*front, row, column] else None

    @classmethod
    def from_onnx(cls, call: Call) -> dict[str, Any] | None:
        return {} if only_operands(call, "A", "B") else None

    def torch(self) -> Torch:
        return Torch("archcalc.matmul_transposed" if self.transposed else "torch.matmul")
