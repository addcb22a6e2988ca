"""The time of a training run, from its work, a device's peak, and a stated utilization.

Utilization is the share of the peak that a run reaches; measured ones are about 0.3 to 0.5 for large networks on GPUs
(Chowdhery et al., PaLM, 2022, section 4.1: MFU). It is an assumption, so the result is a range.
"""

from __future__ import annotations

import re
from fractions import Fraction

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.runtime.device_profile import find_profile
from archcalc.structs import Struct
from archcalc.words import quote

PREFIXES = {"M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


class TrainingTime(Struct):
    """The time of a run over samples."""

    work: Fraction
    """FLOPs of a sample: forward, and backward if the run trains."""
    samples: float
    """Samples in all: of an epoch, times epochs."""
    peak: float
    """FLOP/s of all devices together."""
    utilizations: tuple[float, float]
    """The lowest and the highest share of the peak that is assumed."""

    @property
    def flops(self) -> float:
        """FLOPs of the whole run."""
        return float(self.work) * self.samples

    @property
    def seconds(self) -> tuple[float, float]:
        """The shortest and the longest time."""
        low, high = self.utilizations
        return self.flops / (self.peak * high), self.flops / (self.peak * low)


def training_time(
    analysis: Analysis,
    samples: float,
    peak: float,
    utilizations: tuple[float, float] = (1.0, 1.0),
    forward_only: bool = False,
    per_mac: int = 2,
) -> TrainingTime:
    """Compute the time of a run.

    Args:
        analysis: the costs; the batch does not matter.
        samples: samples in all.
        peak: FLOP/s of all devices together.
        utilizations: the lowest and the highest share of the peak.
        forward_only: True for inference.
        per_mac: FLOPs of a multiply-add: 2 as devices' peaks count, 1 as lectures do.
    """
    totals = analysis.totals
    macs = totals.macs if forward_only else totals.macs + totals.backward_macs
    return TrainingTime(Fraction(macs * per_mac, analysis.batch), samples, peak, utilizations)


def find_rate(text: str, dtype: str) -> tuple[str, float]:
    """Return the name of a device and its FLOP/s in a dtype.

        device = NAME | FILE.json | NUMBER ("M" | "G" | "T" | "P") "FLOP/s"

    Raises:
        UserError: for an unknown device, or a profile without the dtype.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([MGTP])FLOP/s", text)
    if match is not None:
        rate = float(match[1]) * PREFIXES[match[2]]
        if rate:
            return text, rate
        raise UserError(f"a device has a rate above 0, got {quote(text)}")
    profile = find_profile(text)
    return profile.name, profile.peak(dtype)


def parse_utilization(text: str) -> tuple[float, float]:
    """Read a share of the peak, or a range of shares.

        utilization = SHARE ["-" SHARE]

    Raises:
        UserError: unless the shares are above 0, at most 1 and in order.
    """
    match = re.fullmatch(r"([0-9]?\.?[0-9]{1,9})(?:-([0-9]?\.?[0-9]{1,9}))?", text)
    low = float(match[1]) if match is not None else 0.0
    high = float(match[2]) if match is not None and match[2] else low
    if not 0 < low <= high <= 1:
        raise UserError(f"expected a share such as 0.4, or 0.3-0.5, got {quote(text)}")
    return low, high
