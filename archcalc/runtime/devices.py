"""The device to run on, and what it is."""

from __future__ import annotations

import platform
from typing import Any

import torch

from archcalc.spec.errors import did_you_mean, quote

DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device(name: str | None = None) -> torch.device:
    """The device of that name; without a name the best there is: cuda, mps or cpu.

    Raises `ValueError` for a device that is not here, or that there is no such thing as.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cuda", "mps", "cpu"):
        raise ValueError(f"there is no device {quote(name)}{did_you_mean(name, ('cuda', 'mps', 'cpu'))}")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"{quote(name)} is no device: write cuda, cuda:1, mps or cpu") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device here, or this build of torch cannot use it")
    if kind == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"there is no {name}: {torch.cuda.device_count()} CUDA devices are here")
    if kind == "mps" and not _has_mps():
        raise ValueError("there is no MPS device here")
    return device


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def torch_dtype(name: str) -> torch.dtype:
    """The type of that name; `ValueError` if PyTorch computes in no such type."""
    try:
        return DTYPES[name]
    except KeyError:
        raise ValueError(f"there is no dtype {quote(name)} to compute in{did_you_mean(name, DTYPES)}") from None


def describe(device: torch.device) -> dict[str, Any]:
    """What a figure measured on it must be read with: device, driver, versions."""
    result: dict[str, Any] = {
        "device": str(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        result |= {"name": properties.name, "memory_bytes": properties.total_memory, "cuda": torch.version.cuda}
    return result
