"""How much memory a network takes, at inference and in a training step; and the largest batch that fits into a budget.

Everything is of the analysis' dtype: weights, their gradients, the optimizer's state and activations, as after
`module.to(dtype)`. Bytes of tensors, as PyTorch asks for them: what the allocator rounds up, holds in reserve or loses
between tensors, the kernels' own workspaces and a GPU's context come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, NamedTuple

from archcalc.analysis.costs import Analysis, analyze
from archcalc.arithmetic import product
from archcalc.errors import UserError
from archcalc.memory.heap import Moment, Peak
from archcalc.memory.inference import peak, timeline
from archcalc.memory.simulation import INDEX_BYTES
from archcalc.memory.training import OPTIMIZERS, training_memory, training_peak, training_timeline
from archcalc.network import Layer
from archcalc.words import did_you_mean, quote

MODES = ("inference", "training")


@dataclass(frozen=True)
class Memory:
    """What running a network takes, in bytes."""

    analysis: Analysis
    mode: str
    """`inference` or `training`."""
    optimizer: str
    """A key of `OPTIMIZERS`; at inference nothing."""
    weights: int
    buffers: int
    """Tensors that are stored but not trained; whole numbers take 8 bytes each."""
    gradients: int
    """Of all weights; they stand until the update, which is among the moments."""
    state: int
    """What the optimizer keeps between steps."""
    saved: int
    """What autograd keeps at the end of the forward pass; inputs and outputs among it where it needs them."""
    moments: tuple[Moment, ...]
    """Tensors alive, in the order of execution; weights, buffers and the optimizer's state apart."""
    highest: Peak
    """The moment with the most."""

    @property
    def standing(self) -> int:
        """Persistent memory in bytes: parameters, buffers and optimizer state."""
        return self.weights + self.buffers + self.state

    @property
    def peak(self) -> int:
        """Peak memory in bytes: persistent memory and the most live tensors."""
        return self.standing + self.highest.live_bytes

    to_dict: ClassVar[Callable[..., Any]]
    """The contract of `archcalc memory --format json`; attached by `archcalc.methods`."""


def memory(analysis: Analysis, mode: str = "inference", optimizer: str = "sgd", in_place: bool = False) -> Memory:
    """The memory of a network at inference, or in a training step with an optimizer.

    ``in_place``: at inference, activations overwrite their input where they can (PyTorch's `inplace=True`).

    Raises `UserError` for an unknown mode or optimizer, or for in-place activations in training.
    """
    if mode not in MODES:
        raise UserError(f"there is no mode {quote(mode)}{did_you_mean(mode, MODES)}")
    if optimizer not in OPTIMIZERS:
        raise UserError(f"there is no optimizer {quote(optimizer)}{did_you_mean(optimizer, OPTIMIZERS)}")
    if in_place and mode == "training":
        raise UserError("activations in place are for inference: in training, autograd keeps what they would overwrite")
    itemsize = analysis.counting.itemsize
    weights = analysis.totals.params * itemsize
    buffers = sum(_buffer_bytes(row.layer, itemsize) for row in analysis.rows)
    if mode == "inference":
        moments, highest = timeline(analysis, in_place), peak(analysis, in_place)
        return Memory(analysis, mode, "", weights, buffers, 0, 0, 0, tuple(moments), highest)
    step = training_memory(analysis, optimizer)
    moments, highest = training_timeline(analysis, optimizer), training_peak(analysis, optimizer)
    return Memory(
        analysis,
        mode,
        optimizer,
        weights,
        buffers,
        step.gradients,
        step.optimizer,
        step.saved,
        tuple(moments),
        highest,
    )


def _buffer_bytes(layer: Layer, item: int) -> int:
    """Bytes of a layer's own buffers."""
    if layer.shares is not None:
        return 0
    op = layer.op
    return sum(
        product(shape) * (INDEX_BYTES if name in op.whole_numbers else item) for name, shape in op.buffers().items()
    )


class Fit(NamedTuple):
    """The largest batch that fits into a budget."""

    mode: str
    optimizer: str
    batch: int
    """0 where not even one sample fits."""
    bytes: int
    """What that batch takes; 0 for none."""
    next_bytes: int
    """What one sample more takes."""


def fit(analysis: Analysis, budget: int, mode: str = "inference", optimizer: str = "sgd") -> Fit:
    """The largest batch whose peak is at most ``budget`` bytes, in the analysis' dtype; its own batch does not matter.

    Between the same two moments of a run, a batch's memory grows by the same for each sample: a moment's bytes are
    ``fixed + batch · each``, so the batch is the least of ``(budget − fixed) // each`` over all moments. What comes of
    it is then computed for this batch and the next, and moved where PyTorch does less for a single sample.
    """

    def analyzed(batch: int) -> Analysis:
        return analyze(analysis.network, replace(analysis.counting, batch=batch))

    @cache
    def moments(batch: int) -> Sequence[Moment]:
        again = analyzed(batch)
        return timeline(again) if mode == "inference" else training_timeline(again, optimizer)

    two = memory(analyzed(2), mode, optimizer)

    @cache
    def peak_bytes(batch: int) -> int:
        return two.standing + max(moment.live_bytes for moment in moments(batch))

    room = budget - two.standing
    growth = [
        (low.live_bytes, high.live_bytes - low.live_bytes) for low, high in zip(two.moments, moments(3), strict=True)
    ]
    batch = min((room - (of_two - 2 * each)) // each for of_two, each in growth if each > 0)
    if batch < 0 or any(of_two > room for of_two, each in growth if each <= 0):
        batch = 0
    while batch and peak_bytes(batch) > budget:
        batch -= 1
    while peak_bytes(batch + 1) <= budget:
        batch += 1
    return Fit(mode, two.optimizer, batch, peak_bytes(batch) if batch else 0, peak_bytes(batch + 1))
