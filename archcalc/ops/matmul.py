"""The product of two computed matrices."""

from collections.abc import Sequence
from typing import Any

from archcalc.arithmetic import Shape, product, require
from archcalc.ops.arguments import Bool, option
from archcalc.ops.calls import Call
from archcalc.ops.naming import AxisNames
from archcalc.ops.onnx_calls import only_operands
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import (
    SAME_POSITION,
    WHOLE_AXIS,
    Access,
    Torch,
    Work,
    example,
    shape_text,
)


class Matmul(Operator):
    """`[…, L, K]` times `[…, K, M]` gives `[…, L, M]`; axes before the last two go side by side.

    An axis of size 1 before these is repeated, as in PyTorch.
    """

    kind = "matmul"
    aten = "matmul bmm einsum"
    onnx = "MatMul"
    synonyms = "bmm batch_matmul dot einsum"
    category = "linear"
    joins = True
    least_inputs = 2
    most_inputs = 2
    transposed: Bool = option(False, "the second matrix is given as `[…, M, K]`")
    examples = (
        example((4, 5, 6), (4, 6, 7)),
        example((5, 6), (7, 6), transposed=True),
        example((2, 3, 5, 6), (2, 3, 6, 4)),
        example((1, 5, 6), (3, 6, 4)),
    )

    def output_shape(self) -> Shape:
        one, other = self.inputs
        inner, outer = (-1, -2) if self.transposed else (-2, -1)
        pairs = list(zip(one[:-2], other[:-2], strict=False))
        fits = 2 <= len(one) == len(other) and one[-1] == other[inner] and all(n == m or 1 in (n, m) for n, m in pairs)
        require(fits, lambda: f"matmul cannot multiply {shape_text(one)} and {shape_text(other)}")
        return (*(m if n == 1 else n for n, m in pairs), one[-2], other[outer])

    def axis_names(self, inputs: Sequence[AxisNames]) -> AxisNames:
        one, other = inputs
        return (*one[:-1], other[-2 if self.transposed else -1])

    def work(self) -> Work:
        return {"matmul": self.elements * self.x[-1]}

    def extra_work(self) -> Work:
        """``fvcore``: its count, which takes the first matrices for as many as there are of the output."""
        return {"fvcore": product(self.x) * self.output[-1]}

    def tools_agree(self) -> bool:
        return False

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
