"""Sparse matrices: the share of weights that is kept, as a factor of work and of stored bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arithmetic import ceil_div
from archcalc.dtypes import bytes_of
from archcalc.errors import UserError
from archcalc.words import help_line, quote

if TYPE_CHECKING:
    from fractions import Fraction


class Sparsity(NamedTuple):
    """The matrices of products have zeros, which are neither stored nor multiplied."""

    name: str
    kept: Fraction
    """The share of weights that are kept."""
    index_bits: int
    """Bits that say where a kept weight is; 0 without a pattern, where indices are not counted."""

    def of(self, count: Any) -> Any:
        """Return how many of so many weights, or of so many multiply-adds with them, are left."""
        return ceil_div(count * self.kept.numerator, self.kept.denominator)

    def bytes_of(self, elements: Any, dtype: str) -> Any:
        """Return the bytes of the kept weights and their indices."""
        kept = self.of(elements)
        return bytes_of(kept, dtype) + ceil_div(kept * self.index_bits, 8)


def parse_sparsity(text: str) -> Sparsity:
    """Read a sparsity.

        sparsity = KEPT ":" OF | SHARE

    With `2:4`, two of four neighbors are kept, each with an index of two bits (NVIDIA, *A100 Tensor Core GPU
    Architecture*, 2020). SHARE is the share of zeros, without a pattern.

    Raises:
        UserError: for anything else.
    """
    from fractions import Fraction

    pattern = re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", text)
    if pattern is not None:
        kept, among = map(int, pattern.groups())
        if 0 < kept < among:
            return Sparsity(text, Fraction(kept, among), (among - 1).bit_length())
    elif re.fullmatch(r"0?\.[0-9]{1,9}", text) and Fraction(text):
        return Sparsity(text, 1 - Fraction(text), 0)
    raise UserError(f"unknown sparsity {quote(text)}{help_line('write 2:4, or the share of zeros: 0.9')}")
