"""The memory of inference and of a training step, and the largest batch that fits into a budget.

Each role has the type that the analysis' precision says; by default all have its dtype, as after `module.to(dtype)`.
Bytes are those of the tensors, as PyTorch requests them. The allocator's rounding and reserve, the
workspaces of GPU kernels and the context of a GPU come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

from archcalc.analysis.costs import Analysis, analyze
from archcalc.analysis.counting import Counting
from archcalc.arithmetic import product
from archcalc.dtypes import bytes_of
from archcalc.errors import UserError
from archcalc.memory.estimating import estimated
from archcalc.memory.fusion import FUSIONS, IN_PLACE
from archcalc.memory.heap import Peak, TimelinePoint
from archcalc.memory.inference import peak, timeline
from archcalc.memory.optimizers import TrainingStep, as_step
from archcalc.memory.simulation import INDEX_BYTES
from archcalc.memory.training import saved_tensor_bytes, training_peak, training_timeline
from archcalc.network import Layer
from archcalc.structs import Struct, replace
from archcalc.words import did_you_mean, quote

MODES = ("inference", "training")


class Memory(Struct):
    """The memory of inference or of a training step, in bytes for the whole batch."""

    analysis: Analysis
    mode: str
    """`inference` or `training`."""
    step: TrainingStep | None
    """How the step is done; None at inference."""
    fused: str
    """The assumption about fused operators, a key of `FUSIONS`; empty without one."""
    weights: int
    buffers: int
    """Stored tensors that are not trained; their integers take 8 bytes each."""
    gradients: int
    """Gradients of the trained weights, which stay until the update; part of the timeline. 0 at inference."""
    state: int
    """What the optimizer stores between steps."""
    master: int
    """The copy of the trained weights that the optimizer updates; 0 without one."""
    saved: int
    """Tensors that autograd saves, at the end of the forward pass; the inputs and outputs that it needs included."""
    timeline: tuple[TimelinePoint, ...]
    """Live tensors in the order of execution, without weights, buffers and optimizer state."""
    live_peak: Peak
    """The timeline point with the most bytes."""

    @property
    def estimated(self) -> tuple[str, ...]:
        """The layers whose memory is not modelled: each is taken to save its inputs and its output."""
        return tuple(estimated(self.analysis.network))

    @property
    def optimizer(self) -> str:
        """The optimizer; empty at inference."""
        return self.step.optimizer if self.step else ""

    @property
    def persistent(self) -> int:
        """Persistent memory: parameters, buffers, master copy and optimizer state."""
        return self.weights + self.buffers + self.master + self.state

    @property
    def peak(self) -> int:
        """Peak memory: persistent memory and the most live tensors."""
        return self.persistent + self.live_peak.live_bytes

    to_dict: ClassVar[Callable[..., Any]]
    """The contract of `archcalc memory --format json`; attached by `archcalc.methods`."""


def memory(
    analysis: Analysis,
    mode: str = "inference",
    optimizer: str | TrainingStep = "sgd",
    in_place: bool = False,
    fused: str = "",
) -> Memory:
    """Compute the memory of a network at inference, or in a training step with an optimizer.

    Args:
        analysis: the costs, which hold the batch and the dtype.
        mode: `inference` or `training`.
        optimizer: a key of `OPTIMIZERS`, or a `TrainingStep` that says more; used in training only.
        in_place: at inference, activations overwrite their input where they can (PyTorch's `inplace=True`).
        fused: a key of `FUSIONS`: at inference, operators are fused as the defaults of that runtime do.

    Raises:
        UserError: for an unknown mode or optimizer, or for in-place activations in training.
    """
    if mode not in MODES:
        raise UserError(f"unknown mode {quote(mode)}{did_you_mean(mode, MODES)}")
    training = mode == "training"
    if fused and fused not in FUSIONS:
        raise UserError(f"unknown fusion {quote(fused)}{did_you_mean(fused, FUSIONS)}")
    if (in_place or fused) and training:
        raise UserError("activations in place are for inference: in training, autograd keeps what they would overwrite")
    fusion = FUSIONS[fused] if fused else IN_PLACE if in_place else None
    step = as_step(optimizer)
    if training:
        parts = training_parts(analysis, step)
    else:
        buffers = sum(_buffer_bytes(row.layer, analysis.counting) for row in analysis.rows)
        parts = TrainingParts(analysis.totals.weight_memory, buffers, 0, 0, 0, 0)
    return Memory(
        analysis=analysis,
        mode=mode,
        step=step if training else None,
        fused=fused,
        **parts._asdict(),
        timeline=tuple(training_timeline(analysis, step) if training else timeline(analysis, fusion)),
        live_peak=training_peak(analysis, step) if training else peak(analysis, fusion),
    )


def _state_bytes(analysis: Analysis, step: TrainingStep) -> Any:
    """Return the bytes of the optimizer's state for the trained tensors, each counted where it is owned."""
    dtype = analysis.counting.roles.state
    trained = (row.layer for row in analysis.rows if row.layer.trainable)
    return sum(step.rule.state(shape, dtype) for layer in trained for shape in layer.own_weights().values())


def _buffer_bytes(layer: Layer, counting: Counting) -> Any:
    """Return the bytes of a layer's own buffers."""
    if layer.shares is not None:
        return 0
    op, dtype = layer.op, layer.dtype or counting.roles.weights
    sizes = ((product(shape), name in op.integer_buffers) for name, shape in op.buffers().items())
    return sum(count * INDEX_BYTES if is_integer else bytes_of(count, dtype) for count, is_integer in sizes)


class TrainingParts(NamedTuple):
    """What a training step with Adam holds, in bytes; their sum has a closed form."""

    weights: Any
    buffers: Any
    gradients: Any
    state: Any
    master: Any
    saved: Any

    @property
    def total(self) -> Any:
        """The sum."""
        return sum(self)


def training_parts(analysis: Analysis, optimizer: str | TrainingStep = "adam") -> TrainingParts:
    """Return the parts of a training step's memory, each as if the others were not there."""
    step, roles = as_step(optimizer), analysis.counting.roles
    trained = analysis.totals.trained_params
    return TrainingParts(
        weights=step.share(analysis.totals.weight_memory, 3),
        buffers=sum(_buffer_bytes(row.layer, analysis.counting) for row in analysis.rows),
        gradients=step.share(bytes_of(trained, roles.gradients), 2),
        state=step.share(_state_bytes(analysis, step), 1),
        master=step.share(bytes_of(trained, roles.master), 1) if roles.master else 0,
        saved=saved_tensor_bytes(analysis),
    )


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


def fit(analysis: Analysis, budget: int, mode: str = "inference", optimizer: str | TrainingStep = "sgd") -> Fit:
    """Return the largest batch whose peak memory is at most ``budget`` bytes, in the analysis' precision.

    The batch of the analysis does not matter. The bytes of a timeline point are ``fixed + batch · each``, so the batch
    is the least of ``(budget − fixed) // each`` over all points. The result is checked against this batch and the next,
    because PyTorch does less for a single sample.

    Raises `UserError` for a budget below 0.
    """
    if budget < 0:
        raise UserError(f"a budget is a number of bytes, got {budget}")
    budget = int(budget)

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
