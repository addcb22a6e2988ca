"""Peak rates of the present device, measured by matrix products, large copies and tiny operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.devices import DTYPES, computing_in, device_name, torch_dtype
from archcalc.runtime.timing import measure

SIZES = (512, 1024, 2048, 4096, 8192)
"""Rows of the square matrices in the product."""
LONG_ENOUGH = 0.1
"""Seconds; once a product takes longer, larger ones have the same rate."""
COPIED_BYTES = 2**28
CHAIN = 200
"""Number of tiny operations timed together."""
SECONDS = 1.0
"""Seconds for each measurement."""


def calibrate(device: torch.device, dtypes: Sequence[str] = ()) -> DeviceProfile:
    """Measure the profile of a device in these dtypes; without any, in all that it supports."""
    wanted = dtypes or [name for name in DTYPES if _has(device, name)]
    with torch.inference_mode():
        return DeviceProfile(
            name=device_name(device),
            source=f"measured by archcalc with torch {torch.__version__}"
            + (f", threads: {torch.get_num_threads()}" if device.type == "cpu" else ""),
            peak_flops={name: measured_peak(device, name) for name in wanted},
            bandwidth=measured_bandwidth(device),
            overhead=measured_overhead(device),
        )


def measured_peak(device: torch.device, dtype: str) -> float:
    """Return the FLOP/s of the fastest square matrix product: 2·n³ FLOPs each."""
    best = 0.0
    with computing_in(dtype), torch.inference_mode():
        for size in SIZES:
            left, right = (torch.randn(size, size, device=device).to(torch_dtype(dtype)) for _ in range(2))
            timing = measure(partial(torch.matmul, left, right), device, seconds=SECONDS)
            best = max(best, 2 * size**3 / timing.median)
            if timing.median > LONG_ENOUGH:
                break
    return best


def measured_bandwidth(device: torch.device) -> float:
    """Return the bytes per second of a copy too large for a cache; each byte is read and written."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / measure(lambda: target.copy_(source), device, seconds=SECONDS).median


def measured_overhead(device: torch.device) -> float:
    """Return the seconds of an operation on one number."""
    number = torch.zeros(1, device=device)

    def chain() -> None:
        for _ in range(CHAIN):
            number.add(1)

    return measure(chain, device, seconds=SECONDS).median / CHAIN


def _has(device: torch.device, dtype: str) -> bool:
    """True if the device supports a dtype: TF32 needs NVIDIA Ampere or later, and MPS has no float64."""
    if dtype == "tf32":
        return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return not (dtype == "float64" and device.type == "mps")
