"""Which device a network runs on, and in which numbers."""

from __future__ import annotations

import gc
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from archcalc.errors import UserError
from archcalc.words import did_you_mean, quote

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""The names that `archcalc` has for the types a network can run in. In `tf32`, tensors are float32."""


def choose_device(name: str | None) -> torch.device:
    """The device called ``name`` (`cuda`, `cuda:1`, `mps`, `cpu`), or the first of these that is there.

    Raises `UserError` where it is not there, or is no such device.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, colon, index = name.partition(":")
    if kind not in ("cuda", "mps", "cpu") or (colon and not (index.isascii() and index.isdigit() and len(index) < 4)):
        raise UserError(f"there is no device {quote(name)}: a device is cuda, cuda:N, mps or cpu")
    if kind == "cuda":
        _need_cuda(int(index or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("there is no device mps here: it needs macOS on Apple silicon")
    if kind != "cuda" and int(index or 0) > 0:
        raise UserError(f"there is no device {name}: there is one {kind} only")
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device(kind)


def _need_cuda(index: int) -> None:
    if not torch.cuda.is_available():
        built = torch.version.cuda or getattr(torch.version, "hip", None)
        why = "PyTorch finds no GPU that it can use" if built else "this build of PyTorch is for the CPU only"
        raise UserError(f"there is no CUDA device here: {why}; --device cpu runs everywhere")
    count = torch.cuda.device_count()
    if index >= count:
        raise UserError(f"there is no device cuda:{index}: the last one is cuda:{count - 1}")


def device_name(device: torch.device) -> str:
    """What the maker calls it: `NVIDIA H200`; of a CPU, what the system knows."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return _cpu_model() or platform.processor() or platform.machine() or "CPU"
    return f"Apple {device.type.upper()}"


def driver_version(file: str = "/proc/driver/nvidia/version") -> str | None:
    """The version of NVIDIA's driver, where the system says it in a file, as Linux does."""
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            found = re.search(r"\b\d+\.\d+(\.\d+)?\b", lines.readline())
    except OSError:
        return None
    return found[0] if found else None


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return ""


def torch_dtype(name: str) -> torch.dtype:
    """The type of tensors for a name of `DTYPES`; `UserError` for one that PyTorch runs no network in."""
    try:
        return DTYPES[name]
    except KeyError:
        hint = did_you_mean(name, DTYPES) or f": one of {', '.join(DTYPES)}"
        raise UserError(f"a network cannot run in {quote(name)}{hint}") from None


def release(device: torch.device) -> None:
    """Give back what nobody needs any more: modules of torch.fx are cycles, and a GPU's allocator keeps what it has."""
    gc.collect()
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()


@contextmanager
def computing_in(name: str) -> Iterator[None]:
    """While it lasts, a GPU multiplies float32 as asked: in TF32 where the dtype's name is `tf32`, else in full.

    PyTorch's own default is TF32 for convolutions and full precision for matrix products, so that neither figure
    would be that of a known peak.
    """
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
