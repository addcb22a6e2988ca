"""The types of numbers: the bits of each, and the bytes of a tensor."""

from __future__ import annotations

from typing import Any

from archcalc.arithmetic import ceil_div
from archcalc.errors import UserError
from archcalc.words import as_written, nearest_or_all, quote

BITS = {
    "float64": 64,
    "float32": 32,
    "tf32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8": 8,
    "int8": 8,
    "float4": 4,
    "nf4": 4,
    "int4": 4,
}
"""Bits of an element of each type. tf32 is stored as float32."""
RUNNABLE = ("float64", "float32", "tf32", "float16", "bfloat16")
"""The types in which PyTorch runs a network."""
OTHER_NAMES = {
    "double": "float64",
    "fp64": "float64",
    "float": "float32",
    "single": "float32",
    "fp32": "float32",
    "half": "float16",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "float8",
    "fp4": "float4",
    "i8": "int8",
    "i4": "int4",
}
"""Other names of types, as PyTorch, NumPy, papers and recipes write them."""


def dtype_name(dtype: str) -> str:
    """Return the name of a type: `fp16`, `half`, `Float16` and `torch.float16` are `float16`.

    Raises `UserError` for an unknown type.
    """
    name = as_written(dtype.removeprefix("torch."), BITS, OTHER_NAMES)
    check_dtype(name)
    return name


def bytes_of(elements: Any, dtype: str) -> Any:
    """Return the bytes of a tensor; 4-bit elements lie two in a byte."""
    bits = BITS[dtype]
    return elements * (bits // 8) if bits % 8 == 0 else ceil_div(elements * bits, 8)


def check_dtype(dtype: str) -> None:
    """Raise `UserError` for an unknown type."""
    if dtype not in BITS:
        raise UserError(f"unknown dtype {quote(dtype)}{dtype_hint(dtype)}")


def dtype_hint(dtype: str) -> str:
    """Return a help line for an unknown type."""
    return nearest_or_all(dtype, BITS)
