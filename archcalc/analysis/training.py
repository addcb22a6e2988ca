"""What a training step keeps in memory between its forward and its backward pass.

Autograd saves tensors of its own for every operator (`Operator.keeps`). A tensor that several operators save, or that
is a view of another, is one piece of memory, and counts once.
"""

from __future__ import annotations

from typing import NamedTuple

from archcalc.analysis.costs import ITEM_SIZES, Analysis
from archcalc.arithmetic import product

OPTIMIZER_COPIES = {"none": 0, "sgd": 0, "momentum": 1, "adam": 2}
"""How many numbers of the parameters' own size an optimizer keeps for each of them."""


class Saved(NamedTuple):
    """What one layer adds to the saved tensors."""

    layer: str
    saved_bytes: int


class TrainingMemory(NamedTuple):
    """Bytes that a training step needs at the end of its forward pass."""

    weights: int
    gradients: int
    optimizer: int
    saved: int
    """Tensors that autograd keeps for the backward pass."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


def saved_activations(analysis: Analysis) -> list[Saved]:
    """What each layer adds to the tensors that autograd saves, for the whole batch, in order of execution."""
    network = analysis.network
    item = ITEM_SIZES[analysis.dtype]
    sizes = {name: product(shape) * item * analysis.batch for name, shape in network.inputs.items()}
    owner = {name: name for name in network.inputs}
    differentiable: set[str] = set()
    kept: set[str] = set()
    result = []
    for row in analysis.rows:
        layer, op = row.layer, row.layer.op
        owner[row.name] = owner[layer.inputs[0]] if op.is_view_in_training else row.name
        sizes.setdefault(owner[row.name], row.bytes_written)
        added = 0
        if op.weights() or not differentiable.isdisjoint(layer.inputs):
            differentiable.add(row.name)
            keeps = op.keeps()
            names = [*(layer.inputs if keeps.inputs else ()), *([row.name] if keeps.output else ())]
            new = {owner[name] for name in names} - kept
            kept |= new
            added = sum(sizes[name] for name in new)
            added += (keeps.elements * analysis.batch + keeps.shared) * item + keeps.index_bytes * analysis.batch
        result.append(Saved(row.name, added))
    return result


def training_memory(analysis: Analysis, optimizer: str = "sgd") -> TrainingMemory:
    """Weights, their gradients, the optimizer's state (a key of `OPTIMIZER_COPIES`) and what autograd saves."""
    weights = analysis.totals.params * ITEM_SIZES[analysis.dtype]
    saved = sum(one.saved_bytes for one in saved_activations(analysis))
    return TrainingMemory(weights, weights, weights * OPTIMIZER_COPIES[optimizer], saved)
