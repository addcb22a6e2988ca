"""The time of a network on a device: predicted and, if the device is present, measured (`runtime.bench`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.analysis import Counting, analyze
from archcalc.network import Network
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.roofline import CONVENTION, Roofline, predict
from archcalc.structs import Struct

if TYPE_CHECKING:
    from archcalc.runtime.timing import Timing


class Benchmark(Struct):
    """The result for one network at one batch size."""

    network: str
    batch: int
    dtype: str
    peak: float
    """Peak FLOP/s of the device profile in this dtype."""
    roofline: Roofline
    timing: Timing | None = None
    """Time of the whole network; None if it is only predicted."""
    layer_seconds: dict[str, float] | None = None
    """Median seconds of each layer; None if it is only predicted."""
    failure: str = ""
    """Why it could not be timed; empty if it was."""


def predict_only(network: Network, batch: int, dtype: str, profile: DeviceProfile) -> Benchmark:
    """Return the lower bound for the device of a profile, without timing."""
    analysis = analyze(network, Counting(batch, dtype, CONVENTION))
    return Benchmark(network.name, batch, dtype, profile.peak(dtype), predict(analysis, profile))
