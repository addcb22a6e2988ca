"""A network's time on a device: predicted, and where the device is here, measured (`runtime.bench`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcalc.analysis import Counting, analyze
from archcalc.network import Network
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.roofline import CONVENTION, Roofline, predict

if TYPE_CHECKING:
    from archcalc.runtime.timing import Timing


@dataclass(frozen=True)
class Benchmark:
    """What came of one network at one batch. Without ``timing`` it was only predicted."""

    network: str
    batch: int
    dtype: str
    peak: float
    """The profile's FLOP/s in the dtype."""
    roofline: Roofline
    timing: Timing | None = None
    """The whole network."""
    layer_seconds: dict[str, float] | None = None
    """Each layer, run alone after the one before it: the median."""
    failure: str = ""
    """Why it could not be timed."""


def predict_only(network: Network, batch: int, dtype: str, profile: DeviceProfile) -> Benchmark:
    """What the profile's device would take at least."""
    analysis = analyze(network, Counting(batch, dtype, CONVENTION))
    return Benchmark(network.name, batch, dtype, profile.peak(dtype), predict(analysis, profile))
