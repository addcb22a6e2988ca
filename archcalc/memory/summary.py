"""The memory of a network at inference and in a training step, and the largest batch that fits into a budget.

Everything has the dtype of the analysis: weights, gradients, optimizer state and activations, as after
`module.to(dtype)`. Bytes are those of the tensors, as PyTorch requests them. The allocator's rounding and reserve, the
workspaces of GPU kernels and the context of a GPU come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, NamedTuple

from archcalc.analysis.costs import Analysis, analyze
from archcalc.arithmetic import product
from archcalc.errors import UserError
from archcalc.memory.heap import Peak, TimelinePoint
from archcalc.memory.inference import peak, timeline
from archcalc.memory.simulation import INDEX_BYTES
from archcalc.memory.training import OPTIMIZERS, saved_tensor_bytes, training_peak, training_timeline
from archcalc.network import Layer
from archcalc.words import did_you_mean, quote

MODES = ("inference", "training")


@dataclass(frozen=True)
class Memory:
    """The memory of inference or of a training step, in bytes for the whole batch."""

    analysis: Analysis
    mode: str
    """`inference` or `training`."""
    optimizer: str
    """A key of `OPTIMIZERS`; empty at inference."""
    weights: int
    buffers: int
    """Stored tensors that are not trained; their integers take 8 bytes each."""
    gradients: int
    """Gradients of all weights, which stay until the update; part of the timeline. 0 at inference."""
    state: int
    """What the optimizer stores between steps."""
    saved: int
    """Tensors that autograd saves, at the end of the forward pass; the inputs and outputs that it needs included."""
    timeline: tuple[TimelinePoint, ...]
    """Live tensors in the order of execution, without weights, buffers and optimizer state."""
    live_peak: Peak
    """The timeline point with the most bytes."""

    @property
    def persistent(self) -> int:
        """Persistent memory: parameters, buffers and optimizer state."""
        return self.weights + self.buffers + self.state

    @property
    def peak(self) -> int:
        """Peak memory: persistent memory and the most live tensors."""
        return self.persistent + self.live_peak.live_bytes

    to_dict: ClassVar[Callable[..., Any]]
    """The contract of `archcalc memory --format json`; attached by `archcalc.methods`."""


def memory(analysis: Analysis, mode: str = "inference", optimizer: str = "sgd", in_place: bool = False) -> Memory:
    """Compute the memory of a network at inference, or in a training step with an optimizer.

    Args:
        analysis: the costs, which hold the batch and the dtype.
        mode: `inference` or `training`.
        optimizer: a key of `OPTIMIZERS`; used in training only.
        in_place: at inference, activations overwrite their input where they can (PyTorch's `inplace=True`).

    Raises:
        UserError: for an unknown mode or optimizer, or for in-place activations in training.
    """
    for what, name, known in (("mode", mode, MODES), ("optimizer", optimizer, OPTIMIZERS)):
        if name not in known:
            raise UserError(f"unknown {what} {quote(name)}{did_you_mean(name, known)}")
    training = mode == "training"
    if in_place and training:
        raise UserError("activations in place are for inference: in training, autograd keeps what they would overwrite")
    itemsize = analysis.counting.itemsize
    weights = analysis.totals.params * itemsize
    return Memory(
        analysis=analysis,
        mode=mode,
        optimizer=optimizer if training else "",
        weights=weights,
        buffers=sum(_buffer_bytes(row.layer, itemsize) for row in analysis.rows),
        gradients=weights if training else 0,
        state=weights * OPTIMIZERS[optimizer].state if training else 0,
        saved=saved_tensor_bytes(analysis) if training else 0,
        timeline=tuple(training_timeline(analysis, optimizer) if training else timeline(analysis, in_place)),
        live_peak=training_peak(analysis, optimizer) if training else peak(analysis, in_place),
    )


def _buffer_bytes(layer: Layer, itemsize: int) -> int:
    """Return the bytes of a layer's own buffers."""
    if layer.shares is not None:
        return 0
    op = layer.op
    sizes = ((product(shape), name in op.integer_buffers) for name, shape in op.buffers().items())
    return sum(count * (INDEX_BYTES if is_integer else itemsize) for count, is_integer in sizes)


class Fit(NamedTuple):
    """The largest batch that fits into a budget."""

    mode: str
    optimizer: str
    batch: int
    """0 if not even one sample fits."""
    bytes: int
    """Peak memory of that batch; 0 if none fits."""
    next_bytes: int
    """Peak memory of one sample more."""


def fit(analysis: Analysis, budget: int, mode: str = "inference", optimizer: str = "sgd") -> Fit:
    """Return the largest batch whose peak memory is at most ``budget`` bytes, in the analysis' dtype.

    The batch of the analysis does not matter. The bytes of a timeline point are ``fixed + batch · each``, so the batch
    is the least of ``(budget − fixed) // each`` over all points. The result is checked against this batch and the next,
    because PyTorch does less for a single sample.
    """

    def analyzed(batch: int) -> Analysis:
        return analyze(analysis.network, replace(analysis.counting, batch=batch))

    @cache
    def points(batch: int) -> Sequence[TimelinePoint]:
        again = analyzed(batch)
        return timeline(again) if mode == "inference" else training_timeline(again, optimizer)

    two = memory(analyzed(2), mode, optimizer)

    @cache
    def peak_bytes(batch: int) -> int:
        return two.persistent + max(point.live_bytes for point in points(batch))

    room = budget - two.persistent
    growth = [
        (low.live_bytes, high.live_bytes - low.live_bytes) for low, high in zip(two.timeline, points(3), strict=True)
    ]
    batch = min((room - (of_two - 2 * each)) // each for of_two, each in growth if each > 0)
    if batch < 0 or any(of_two > room for of_two, each in growth if each <= 0):
        batch = 0
    while batch and peak_bytes(batch) > budget:
        batch -= 1
    while peak_bytes(batch + 1) <= budget:
        batch += 1
    return Fit(mode, two.optimizer, batch, peak_bytes(batch) if batch else 0, peak_bytes(batch + 1))
