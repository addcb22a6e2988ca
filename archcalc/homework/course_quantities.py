"""Quantities as courses define them, beside those of a table: connections, neurons, additions, memory in training.

They are of one sample. `connections` are the weights that each output position uses, with its bias: those of LeNet-5's
C1 are 28·28·6·(25 + 1) = 122,304 (LeCun and others, *Gradient-Based Learning Applied to Document Recognition*, 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis, LayerCosts
from archcalc.analysis.rows import FOLDED
from archcalc.arithmetic import product
from archcalc.ops.operator import Operator
from archcalc.ops.reads import PaddingMode, Reads
from archcalc.quantities.quantity import AmountWithUnits
from archcalc.units import BYTES, Unit, choose_unit

KILO = 1
"""The lectures' unit of memory among `BYTES`."""


class CourseAmount(AmountWithUnits):
    """A number that a course defines in its own way."""

    also: str = ""
    """The question whose column answers it, if that is not asked: `flops` for operations by two."""

    def unit_for(self, values: Sequence[Any], analysis: Analysis, exact: bool = False) -> Unit | None:
        """Return the unit for a column of these values; None for counts, which are written in full."""
        return choose_unit(values, self.units_for(analysis), KILO) if self.units is BYTES else None


def _of_operators(count: Callable[[Operator], Any]) -> Callable[[Sequence[LayerCosts]], Any]:
    return lambda rows: sum(count(costs.layer.op) for costs in rows)


def _products(op: Operator) -> Any:
    """Return the multiply-adds of one sample."""
    work = op.work()
    return work.get("mac", 0) + work.get("matmul", 0)


def _bias_additions(op: Operator) -> Any:
    return op.work().get("add", 0) if getattr(op, "bias", False) and _products(op) else 0


def _additions(op: Operator) -> Any:
    """Return the additions: a sum of n products has n − 1, and 1 for the bias."""
    products = _products(op)
    return products - product(op.output) + _bias_additions(op) if products else 0


def _inside(op: Operator) -> Any:
    """Return the connections without those to padding."""
    share = Fraction(1)
    products = _products(op)
    for axis, look in enumerate(op.access() if products else ()):
        if isinstance(look, Reads) and look != Reads() and look.edge is PaddingMode.NOTHING:
            size = op.x[axis]
            reads = [look.at(position) for position in range(op.output[axis])]
            inside = sum(0 <= position < size for read in reads for position in read)
            share *= Fraction(inside, sum(map(len, reads)))
    return int(products * share) + _bias_additions(op)


def _statistics(op: Operator) -> Any:
    """Return the stored elements that are not trained, without PyTorch's counter of batches."""
    return sum(product(shape) for shape in op.buffers().values() if shape)


def _neurons(rows: Sequence[LayerCosts]) -> Any:
    counted = [costs for costs in rows if costs.layer.op.category not in FOLDED] or rows[-1:]
    return sum(product(costs.output_shape) for costs in counted)


COURSE_QUANTITIES = (
    CourseAmount(
        "buffers",
        "Stored elements that are not trained: 2C of a batch normalization.",
        heading="non-trainable",
        layers=_of_operators(_statistics),
        words="buffers, non trainable, non trainable params, non trainable parameters, untrainable params, "
        "untrainable parameters, running statistics, statistics",
    ),
    CourseAmount(
        "neurons",
        "Elements of the output.",
        layers=_neurons,
        words="neuron, units, output units, activations, activation size, output elements, elements, activation units, "
        "activation count, hidden units",
        also="memory",
    ),
    CourseAmount(
        "connections",
        "Weights, and the bias, that each output position uses; those to padding too.",
        layers=lambda rows: sum(_products(costs.layer.op) + _bias_additions(costs.layer.op) for costs in rows),
        words="connection, links, synapses",
    ),
    CourseAmount(
        "connections_inside",
        "Connections without those to padding.",
        heading="connections without padding",
        layers=_of_operators(_inside),
        words="connections inside, connections to the input",
        also="connections",
    ),
    CourseAmount(
        "multiplications",
        "Multiplications of convolutions and linear layers.",
        layers=_of_operators(_products),
        words="multiplication, mults, muls, products",
        also="macs",
    ),
    CourseAmount(
        "additions",
        "Additions of convolutions and linear layers: n − 1 for n products, and 1 for the bias.",
        layers=_of_operators(_additions),
        words="addition, adds, sums",
    ),
    CourseAmount(
        "double_macs",
        "Operations of convolutions and linear layers, 2 for each multiply-add.",
        heading="2 × MACs",
        layers=lambda rows: sum(2 * _products(costs.layer.op) for costs in rows),
        words="2 macs, twice macs, double macs, 2 mac, flops by 2, operations by 2",
        also="flops",
    ),
    CourseAmount(
        "training_memory",
        "Bytes of the outputs and of their gradients, for the batch.",
        heading="memory in training",
        layers=lambda rows: sum(2 * costs.memory for costs in rows),
        units=BYTES,
        words="training memory, memory for training, memory training",
        also="memory",
    ),
)
"""The quantities that only homework asks for; `buffers` is asked as courses count it."""
