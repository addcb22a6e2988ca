"""The settings of an analysis: samples, element type and convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archcalc.analysis.conventions import CONVENTIONS, Convention
from archcalc.errors import UserError
from archcalc.words import did_you_mean, quote

ITEM_SIZES = {"float64": 8, "float32": 4, "tf32": 4, "float16": 2, "bfloat16": 2, "float8": 1, "int8": 1}
"""Bytes of an element of each dtype."""


@dataclass(frozen=True)
class Counting:
    """The settings by which costs are counted.

    Raises `UserError` for an unknown convention or dtype, or a batch below 1.
    """

    batch: int = 1
    """Samples at once. Counts and bytes grow with it, parameters do not."""
    dtype: str = "float32"
    """Type of every element: a key of `ITEM_SIZES`."""
    convention: str = "lecture"
    """Name of the convention: a key of `CONVENTIONS`."""

    def __post_init__(self) -> None:
        _check(CONVENTIONS, self.convention, "convention")
        _check(ITEM_SIZES, self.dtype, "dtype")
        if self.batch < 1:
            raise UserError(f"a batch has at least 1 sample, got {self.batch}")

    @property
    def rule(self) -> Convention:
        """The convention itself."""
        return CONVENTIONS[self.convention]

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return ITEM_SIZES[self.dtype]


def _check(known: Mapping[str, Any], name: str, what: str) -> None:
    if name not in known:
        raise UserError(f"unknown {what} {quote(name)}{did_you_mean(name, known)}")


DEFAULT = Counting()
"""One sample in float32, counted as the lecture does."""
