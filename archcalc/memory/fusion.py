"""Assumptions about which operators write their output over their input, because a runtime fuses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import SAME_POSITION

Kernel = Sequence[Operator]
"""Operators that run as one, in order."""


class Fusion(NamedTuple):
    """An assumption: layers that a rule takes into the kernel before them need no output of their own.

    It holds where nothing else needs what they take.
    """

    says: str
    source: str
    takes: Callable[[Operator, Kernel], bool]
    """Return True if an operator becomes part of the kernel that makes its input."""

    def joins(self, op: Operator, kernel: Kernel) -> bool:
        """Return True if an operator is fused with the kernel before it, whose output has its shape."""
        return op.output == kernel[-1].output and self.takes(op, kernel)


def _is_in_place(op: Operator, kernel: Kernel) -> bool:
    return op.category == "activation" and op.can_overwrite


def _is_pointwise(op: Operator, kernel: Kernel) -> bool:
    """Return True if every element needs the same element of the inputs only; a normalization is one kernel too."""
    return op.category == "normalization" or all(axis == SAME_POSITION for access in op.accesses() for axis in access)


_STAGES = ("normalization", "merge", "activation")
"""What a convolution of ONNX Runtime computes after its products, in this order and each once."""


def _is_onnxruntime(op: Operator, kernel: Kernel) -> bool:
    root, last = kernel[0], kernel[-1].category
    is_later = last not in _STAGES or (op.category in _STAGES and _STAGES.index(op.category) > _STAGES.index(last))
    is_matrix = "Gemm" not in root.onnx.split() or len(root.x) == 1  # other tensors are reshaped around it
    return is_later and is_matrix and not op.fused_into.isdisjoint(root.onnx.split())


IN_PLACE = Fusion("activations overwrite their input", "nn.ReLU(inplace=True)", _is_in_place)
FUSIONS = {
    "inductor": Fusion(
        "chains of elementwise operators and normalization are one kernel, which writes over its input",
        "PyTorch, torch.compile with its default backend: pointwise fusion and inplace_buffers",
        _is_pointwise,
    ),
    "onnxruntime": Fusion(
        "batch normalization, a sum and one of some activations are part of the convolution before them, "
        "an activation part of the linear layer",
        "ONNX Runtime, Graph Optimizations: Conv BatchNorm, Conv Add, Conv Activation and GEMM Activation fusion",
        _is_onnxruntime,
    ),
}
"""Assumptions by the name of the runtime whose defaults they describe."""
