"""Devices and element types that a network can run in."""

from __future__ import annotations

import gc
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from archcalc.dtypes import RUNNABLE
from archcalc.errors import UserError
from archcalc.words import help_line, is_digits, nearest_or_all, quote

DTYPES = {name: torch.float32 if name == "tf32" else getattr(torch, name) for name in RUNNABLE}
"""Dtypes that a network can run in. With `tf32`, tensors are float32."""


def choose_device(name: str | None) -> torch.device:
    """Return the device called ``name``; for None, the first of CUDA, MPS and CPU that is present.

    Grammar::

        name = "cuda" [ ":" digits ] | "mps" | "cpu"

    Raises:
        UserError: for an unknown name, or a device that is not present.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, colon, index = name.partition(":")
    if kind not in ("cuda", "mps", "cpu") or (colon and not is_digits(index, 3)):
        raise UserError(f"unknown device {quote(name)}{help_line('use one of: cuda, cuda:N, mps, cpu')}")
    if kind == "cuda":
        _need_cuda(int(index or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no device mps here: it needs macOS on Apple silicon")
    if kind != "cuda" and int(index or 0) > 0:
        raise UserError(f"there is no device {name}{help_line(f'use {kind}: there is only one')}")
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)


def _need_cuda(index: int) -> None:
    if not torch.cuda.is_available():
        built = torch.version.cuda or getattr(torch.version, "hip", None)
        why = "PyTorch finds no GPU that it can use" if built else "this build of PyTorch is for the CPU only"
        raise UserError(f"there is no CUDA device here: {why}{help_line('use --device cpu')}")
    count = torch.cuda.device_count()
    if index >= count:
        raise UserError(f"there is no device cuda:{index}: the last one is cuda:{count - 1}")


def device_name(device: torch.device) -> str:
    """Return the product name, such as `NVIDIA H200`; for a CPU, what the system reports."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        model = _line_of(Path("/proc/cpuinfo"), "model name") or ""
        return model.partition(":")[2].strip() or platform.processor() or platform.machine() or "CPU"
    return f"Apple {device.type.upper()}"


def driver_version(file: str = "/proc/driver/nvidia/version") -> str | None:
    """Return the version of the NVIDIA driver from Linux's file; None if it is not there."""
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", _line_of(Path(file)) or "")
    return found[0] if found else None


def _line_of(file: Path, before: str = "") -> str | None:
    """Return the first line of a file that begins with ``before``, without that; None if there is none."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return next((line.removeprefix(before).strip() for line in lines if line.startswith(before)), None)
    except OSError:
        return None


def torch_dtype(name: str) -> torch.dtype:
    """Return torch's dtype for a name; raise `UserError` for a dtype that networks do not run in."""
    try:
        return DTYPES[name]
    except KeyError:
        hint = nearest_or_all(name, DTYPES)
        raise UserError(f"a network cannot run in {quote(name)}{hint}") from None


def available_memory(device: torch.device, system: Path = Path("/")) -> int | None:
    """Return the bytes that a program can still take on a device; None where the system does not say it.

    On Linux it is what the machine has available, or what is left of a container's limit if that is less; elsewhere,
    what the machine has in all.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    machine = _number_in(system / "proc/meminfo", "MemAvailable:")
    limit = _number_in(system / "sys/fs/cgroup/memory.max")
    taken = _number_in(system / "sys/fs/cgroup/memory.current")
    left = [] if machine is None else [machine * 1024]
    left += [] if limit is None or taken is None else [max(0, limit - taken)]
    return min(left) if left else _installed_memory()


def _number_in(file: Path, before: str = "") -> int | None:
    """Return the number at the beginning of a file, or of its line that begins with ``before``."""
    words = (_line_of(file, before) or "").split()
    return int(words[0]) if words and words[0].isdecimal() else None


def _installed_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def release(device: torch.device) -> None:
    """Free unused memory: torch.fx modules are reference cycles, and a GPU's allocator caches."""
    gc.collect()
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()


@contextmanager
def computing_in(name: str) -> Iterator[None]:
    """Set how a GPU multiplies float32: in TF32 for the dtype `tf32`, else in full precision.

    PyTorch's default is TF32 for convolutions and full precision for matrix products, which mixes two peak rates.
    """
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
