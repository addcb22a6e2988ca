"""How long a layer takes at least, by the roofline model.

A device has two limits: so many operations per second, and so many bytes per second to and from its memory. A layer
with few operations per byte (low arithmetic intensity) waits for the memory, one with many for the arithmetic
(Williams, Waterman, Patterson, Roofline: An Insightful Visual Performance Model, CACM 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

from archcalc.analysis import Analysis
from archcalc.analysis.costs import LayerCosts
from archcalc.runtime.device_profile import DeviceProfile

CONVENTION = "full"
"""What an operation is here: every arithmetic operation, a multiply-add being two."""


@dataclass(frozen=True)
class Prediction:
    """What a layer moves and computes, and the seconds that this takes at least."""

    name: str
    kind: str
    """The operator."""
    flops: int
    bytes_read: int
    bytes_written: int
    seconds: float
    bound: str
    """What it waits for: compute, memory or overhead; none where it moves nothing."""

    @property
    def intensity(self) -> float | None:
        """Operations per byte; None where nothing is moved."""
        moved = self.bytes_read + self.bytes_written
        return self.flops / moved if moved else None


@dataclass(frozen=True)
class Roofline:
    """The predictions for a network's layers, one after the other, each reading and writing memory."""

    layers: tuple[Prediction, ...]

    @property
    def total(self) -> Prediction:
        """The sum; its bound is that in which most of the time is spent."""
        spent: dict[str, float] = {}
        for layer in self.layers:
            spent[layer.bound] = spent.get(layer.bound, 0.0) + layer.seconds
        return Prediction(
            "total",
            "",
            sum(layer.flops for layer in self.layers),
            sum(layer.bytes_read for layer in self.layers),
            sum(layer.bytes_written for layer in self.layers),
            sum(layer.seconds for layer in self.layers),
            max(spent, key=lambda bound: spent[bound], default="none"),
        )


def predict(analysis: Analysis, profile: DeviceProfile) -> Roofline:
    """The roofline of a network that was analyzed in `CONVENTION`.

    Raises `ValueError` where the profile does not know the dtype.
    """
    peak = profile.peak(analysis.dtype)
    return Roofline(tuple(_layer(row, peak, profile) for row in analysis.rows))


def _layer(row: LayerCosts, peak: float, profile: DeviceProfile) -> Prediction:
    op = row.layer.op
    if op.is_view:
        return Prediction(row.name, op.kind, row.flops, 0, 0, 0.0, "none")
    times = {
        "compute": row.flops / peak,
        "memory": (row.bytes_read + row.bytes_written) / profile.bandwidth,
        "overhead": profile.overhead,
    }
    bound = max(times, key=lambda name: times[name])
    return Prediction(row.name, op.kind, row.flops, row.bytes_read, row.bytes_written, times[bound], bound)
