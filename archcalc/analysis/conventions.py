"""What an operation is worth: one table per convention, as data.

A table gives, for an operator, the worth of each of its quantities. A key with a rank (`adaptive_avg_pool2d`) goes
before one without. Quantities are the primitive operations of `Operator.work`, and

* ``output``: elements of the output, ``input``: elements of the first input
* ``weighted``: elements of the output if the operator has weights, else 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archcalc.arithmetic import product
from archcalc.ops.operator import PRIMITIVES, Operator

Rates = Mapping[str, int]
_ALL = dict.fromkeys(PRIMITIVES, 1)
_NOTHING: Rates = {}


@dataclass(frozen=True)
class Convention:
    """A named way of counting."""

    name: str
    says: str
    """What it counts, in words a student understands."""
    otherwise: Rates
    """Worth of an operator that the table does not name."""
    table: Mapping[str, Rates]
    memory_says: str
    in_place: frozenset[str] = frozenset()
    """Categories whose output takes no memory of its own."""

    def flops(self, op: Operator, work: Mapping[str, int]) -> int:
        """What the convention counts for one sample."""
        rates = self.table.get(f"{op.kind}{op.rank}d") or self.table.get(op.kind, self.otherwise)
        total = 0
        for quantity, worth in rates.items():
            if quantity in work:
                total = total + worth * work[quantity]
            elif quantity == "output" or (quantity == "weighted" and op.weights()):
                total = total + worth * op.elements
            elif quantity == "input":
                total = total + worth * product(op.x)
        return total


_MACS: Rates = {"mac": 1, "matmul": 1}
_LARGEST: Rates = {"compare": 1, "output": 1}
_AVERAGE: Rates = {"add": 1, "div": 1}
_FVCORE_NORM: Rates = {"output": 4, "weighted": 1}

CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(
            name="lecture",
            says="1 per multiply-add of convolution, linear and attention, K·K per output of a pooling; bias, "
            "normalization, activation and everything else 0",
            otherwise=_MACS,
            table={
                "max_pool": _LARGEST,
                "adaptive_max_pool": _LARGEST,
                "global_max_pool": _LARGEST,
                "avg_pool": _AVERAGE,
                "adaptive_avg_pool": _AVERAGE,
                "global_avg_pool": _AVERAGE,
            },
            memory_says="output elements × {itemsize} B; activation, normalization and dropout work in place",
            in_place=frozenset({"activation", "normalization", "regularization"}),
        ),
        Convention(
            name="full",
            says="every arithmetic operation: 2 per multiply-add, 1 per addition, multiplication, division, "
            "comparison, exponential and the like",
            otherwise={**_ALL, "mac": 2, "matmul": 2},
            table={},
            memory_says="output elements × {itemsize} B, for every layer",
        ),
        Convention(
            name="fvcore",
            says="as fvcore's FlopCountAnalysis: 1 per multiply-add, 2 per element of batch normalization, 5 of other "
            "normalizations, adaptive average pooling and interpolation; the rest 0",
            otherwise=_NOTHING,
            table={
                "conv": _MACS,
                "conv_transpose": _MACS,
                "linear": _MACS,
                "multi_head_attention": {"mac": 1},  # its projections; the attention itself is unsupported
                "window_attention": _MACS,
                "batch_norm": {"output": 1, "weighted": 1},
                "layer_norm": _FVCORE_NORM,
                "group_norm": _FVCORE_NORM,
                "instance_norm": _FVCORE_NORM,
                "adaptive_avg_pool2d": {"input": 1},
                "global_avg_pool2d": {"input": 1},
                "upsample2d": {"output": 1, "add": 1},  # nearest 1, bilinear 4
            },
            memory_says="output elements × {itemsize} B, for every layer",
        ),
        Convention(
            name="torch",
            says="as torch.utils.flop_counter: 2 per multiply-add of convolution, linear and attention; the rest 0",
            otherwise={"mac": 2, "matmul": 2},
            table={},
            memory_says="output elements × {itemsize} B, for every layer",
        ),
    )
}
