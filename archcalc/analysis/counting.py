"""The settings of an analysis: samples, element type and convention."""

from __future__ import annotations

from typing import Any

from archcalc.analysis.conventions import CONVENTIONS, Convention
from archcalc.analysis.precision import Precision
from archcalc.arithmetic import as_python, ratio
from archcalc.dtypes import BITS, dtype_name
from archcalc.errors import UserError
from archcalc.structs import Struct
from archcalc.words import as_written, did_you_mean, quote


class Counting(Struct):
    """The settings by which costs are counted.

    Raises `UserError` for an unknown convention or dtype, or a batch below 1.
    """

    batch: int = 1
    """Samples at once. Counts and bytes grow with it, parameters do not."""
    dtype: str = "float32"
    """Type of every element, unless ``precision`` says more: a key of `BITS`."""
    convention: str = "lecture"
    """Name of the convention: a key of `CONVENTIONS`."""
    precision: Precision | None = None
    """The type of each role; None if all have ``dtype``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "convention", as_written(str(self.convention), CONVENTIONS))
        object.__setattr__(self, "dtype", dtype_name(str(self.dtype)))
        object.__setattr__(self, "batch", as_python(self.batch))
        if isinstance(self.batch, (float, str, type(None))):
            raise UserError(f"a batch is an integer above 0, got {self.batch!r}")
        if self.convention not in CONVENTIONS:
            raise UserError(f"unknown convention {quote(self.convention)}{did_you_mean(self.convention, CONVENTIONS)}")
        if self.batch < 1:
            raise UserError(f"a batch has at least 1 sample, got {self.batch}")

    @property
    def rule(self) -> Convention:
        """The convention itself."""
        return CONVENTIONS[self.convention]

    @property
    def roles(self) -> Precision:
        """The type of each role."""
        return self.precision or Precision.all(self.dtype)

    @property
    def types(self) -> str:
        """The dtype or the precision, as a title shows it."""
        return self.roles.name

    @property
    def itemsize(self) -> Any:
        """Bytes of an element of an activation."""
        return ratio(BITS[self.roles.activations], 8)


DEFAULT = Counting()
"""One sample in float32, counted as the lecture does."""
