"""Lower bounds of layer times, by the roofline model.

A device has a peak of FLOP/s, and a bandwidth in bytes/s to and from its memory. A layer with few FLOPs per byte (low
arithmetic intensity) is bound by memory, a layer with many by compute. Source: Williams, Waterman, Patterson, Roofline:
An Insightful Visual Performance Model, CACM 2009.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analysis import Analysis
from archcalc.analysis.costs import LayerCosts
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.structs import Struct

CONVENTION = "full"
"""Counts every arithmetic operation; a multiply-add is two."""


class Prediction(Struct):
    """FLOPs and memory traffic of a layer, and the minimum time in seconds."""

    name: str
    kind: str
    """Name of the operator."""
    flops: int
    bytes_read: int
    bytes_written: int
    seconds: float
    bound: str
    """The limit that decides: compute, memory or overhead; none for a view."""

    @property
    def intensity(self) -> float | None:
        """FLOPs per byte; None if no bytes are moved."""
        moved = self.bytes_read + self.bytes_written
        return self.flops / moved if moved else None


class Roofline(Struct):
    """Predictions for the layers of a network, run in order, each with its own reads and writes."""

    layers: tuple[Prediction, ...]

    @property
    def total(self) -> Prediction:
        """The sum; its bound is the one with the largest share of the time."""
        return _sum("total", self.layers)

    def groups(self, depth: int | None) -> dict[str, tuple[Prediction, ...]]:
        """Return the layers by the first ``depth`` parts of their names; each alone for None."""
        found: dict[str, tuple[Prediction, ...]] = {}
        for layer in self.layers:
            name = layer.name if depth is None else ".".join(layer.name.split(".")[:depth])
            found[name] = (*found.get(name, ()), layer)
        return found


def joined(name: str, layers: Sequence[Prediction]) -> Prediction:
    """Return the sum of a group's layers; a layer alone is itself."""
    return layers[0] if len(layers) == 1 and layers[0].name == name else _sum(name, layers)


def _sum(name: str, layers: Sequence[Prediction]) -> Prediction:
    spent: dict[str, float] = {}
    for layer in layers:
        spent[layer.bound] = spent.get(layer.bound, 0.0) + layer.seconds
    return Prediction(
        name,
        "",
        sum(layer.flops for layer in layers),
        sum(layer.bytes_read for layer in layers),
        sum(layer.bytes_written for layer in layers),
        sum(layer.seconds for layer in layers),
        max(spent, key=lambda bound: spent[bound], default="none"),
    )


def predict(analysis: Analysis, profile: DeviceProfile) -> Roofline:
    """Predict the times of an analysis in `CONVENTION`.

    Raises:
        UserError: if the profile does not have the dtype.
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
