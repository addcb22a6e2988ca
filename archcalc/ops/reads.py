"""What an operator reads along an axis: whole positions, with a pattern that may repeat with a period.

Output position ``period·q + r`` reads the input positions ``advance·q + t`` for the taps t of residue r. A convolution
has period 1, and its stride is the advance. Upsampling by 2 has period 2 and advance 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from operator import index
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arithmetic import Dim, common_divisor, ratio

if TYPE_CHECKING:
    from fractions import Fraction

MOST_RESIDUES = 4096
"""The longest pattern that is followed; a longer one is replaced by bounds."""


class PaddingMode(Enum):
    """What a window reads beyond the ends of an axis."""

    NOTHING = "nothing, or a constant"
    MIRRORED = "the axis again, backwards"
    REPEATED = "its last position again"
    WRAPPED = "the axis again, from its other end"

    def inside(self, position: int, size: int) -> int | None:
        """Return the position of the axis that is read there; None if none is."""
        if 0 <= position < size:
            return position
        if self is PaddingMode.MIRRORED:
            return -position if position < 0 else 2 * (size - 1) - position
        if self is PaddingMode.REPEATED:
            return min(max(position, 0), size - 1)
        return position % size if self is PaddingMode.WRAPPED else None


class Taps(NamedTuple):
    """Positions ``first, first + step, … last``."""

    first: Any = 0
    last: Any = 0
    step: Any = 1


class Reads(NamedTuple):
    """The input positions that an output position reads along one axis.

    Position ``period·q + r`` reads ``advance·q + t`` for the taps t of residue r; the period is the number of residues.
    """

    advance: Any = 1
    taps: tuple[Taps | None, ...] = (Taps(),)
    """The taps of each residue; None where nothing is read (between the inputs of a transposed convolution)."""
    edge: PaddingMode = PaddingMode.NOTHING
    exact: bool = True
    """False if the pattern is longer than `MOST_RESIDUES`: then it has one residue, and its numbers may be fractions.

    All integers between the bounds are taken to be read.
    """

    @property
    def period(self) -> int:
        """Output positions after which the pattern repeats."""
        return len(self.taps)

    def fills(self, before: int, after: int) -> bool:
        """Return True if windows end as far beyond an axis as they begin before it: its size has no remainder."""
        taps = self.taps[0]
        return taps is not None and self.advance * (after - 1) + taps.last == before - 1 - taps.first

    def at(self, position: int) -> range:
        """Return the input positions that one output position reads, including those beyond the axis."""
        turn, residue = divmod(position, len(self.taps))
        taps = self.taps[residue]
        if taps is None:
            return range(0)
        start = self.advance * turn
        if not self.exact:
            return range(math.ceil(start + taps.first), math.floor(start + taps.last) + 1)
        return range(start + taps.first, start + taps.last + 1, taps.step)

    @property
    def drift(self) -> tuple[Any, Any]:
        """How far an output position's first and last taps lie from ``advance / period`` times that position.

        The smallest first and the largest last of all residues, in input positions; fractions if the period is not 1.
        """
        period = len(self.taps)
        known = [(residue, taps) for residue, taps in enumerate(self.taps) if taps is not None]
        firsts = [ratio(period * taps.first - self.advance * residue, period) for residue, taps in known]
        lasts = [ratio(period * taps.last - self.advance * residue, period) for residue, taps in known]
        return min(firsts), max(lasts)


def bound(advance: Any, first: Any, last: Any, edge: PaddingMode = PaddingMode.NOTHING) -> Reads:
    """Return what holds a pattern that is too long: ``advance·o + first … advance·o + last`` of output o."""
    return Reads(advance, (Taps(first, last),), edge, exact=False)


def window(kernel: Dim, stride: Dim = 1, before: Dim = 0, dilation: Dim = 1) -> Reads:
    """Return what a window reads: convolution, pooling, cutting and padding, with ``before`` positions of padding."""
    return Reads(stride, (Taps(-before, dilation * (kernel - 1) - before, dilation),))


def shifted(start: Dim, step: Dim = 1, edge: PaddingMode = PaddingMode.NOTHING) -> Reads:
    """Return what a part of an axis reads: one position each, the first from ``start``."""
    return Reads(step, (Taps(start, start),), edge)


def spread(kernel: Dim, stride: Dim, padding: Dim, dilation: Dim = 1) -> Reads:
    """Return what a transposed window reads: output o meets input i where ``o = stride·i − padding + dilation·t``."""
    if stride > MOST_RESIDUES:
        return bound(ratio(1, stride), ratio(padding - dilation * (kernel - 1), stride), ratio(padding, stride))
    divisor = math.gcd(dilation, stride)
    between = stride // divisor
    inverse = pow(index(dilation // divisor), -1, index(between)) if between > 1 else 0
    taps: list[Taps | None] = []
    for residue in range(stride):
        place = residue + padding
        tap = place // divisor * inverse % between  # the first of the taps that meet an input, every `between`
        if place % divisor != 0 or tap >= kernel:
            taps.append(None)
            continue
        last_tap = tap + (kernel - 1 - tap) // between * between
        first, last = (place - dilation * last_tap) // stride, (place - dilation * tap) // stride
        taps.append(Taps(first, last, dilation // divisor))
    return Reads(1, tuple(taps))


def repeated(factor: Dim) -> Reads:
    """Return what each position reads if every input position is there ``factor`` times."""
    if factor > MOST_RESIDUES:
        return bound(ratio(1, factor), ratio(1 - factor, factor), 0)
    return Reads(1, (Taps(),) * factor)


def blocks(size: Dim, shift: Dim = 0) -> Reads:
    """Return what a position reads if it reads all of its block, the first of which begins at ``shift − size``."""
    if size > MOST_RESIDUES:
        return bound(1, 1 - size, size - 1)
    before, after = Taps(shift - size, shift - 1), Taps(shift, shift + size - 1)
    return Reads(size, tuple(before if place < shift else after for place in range(size)))


def adaptive(n: Dim, m: Dim) -> Reads:
    """Return what adaptive pooling of n positions to m reads: ``floor(i·n/m) … ceil((i + 1)·n/m) − 1``."""
    advance, period = _lowest(n, m)
    if period > MOST_RESIDUES:
        return bound(ratio(n, m), -1, ratio(n, m))
    taps = (Taps(residue * advance // period, -(-(residue + 1) * advance // period) - 1) for residue in range(period))
    return Reads(advance, tuple(taps))


def _lowest(n: Dim, m: Dim) -> tuple[Any, Any]:
    divisor = common_divisor(n, m)
    return n // divisor, m // divisor


# -- interpolation, as PyTorch computes it (aten/src/ATen/native/UpSample.h)


def exact_scale(scale: float) -> Fraction:
    """Return the fraction that a scale such as 1.7 or 1/3 stands for."""
    from fractions import Fraction

    simple = Fraction(scale).limit_denominator(4096)
    return simple if float(simple) == float(scale) else Fraction(scale)


def _single(value: float) -> float:
    """Return a number in single precision."""
    rounded: float = unpack("f", pack("f", value))[0]
    return rounded


CORNER, MIDDLE, FUSED_MIDDLE = (0, 0, 0), (0.5, 0, 0), (0.5, -0.5, 0.5)
"""What is added to an output's number; to its product with n/m, before that is rounded; and to the rounded number.

`nearest` takes the first, `nearest-exact` in two dimensions the second, and in one or three dimensions the third.
"""


def nearest(n: Dim, m: Dim, scale: float | None = None, shifts: tuple[float, float, float] = CORNER) -> Reads:
    """Return what m positions read of n if each takes the nearest: ``floor(o·n/m)``, or ``floor((o + ½)·n/m)``.

    PyTorch multiplies in single precision, so some positions are one less or more than the fraction says; then the
    pattern is a table of all m positions. Factors up to 16 agree with the fraction.

    Args:
        n: input positions.
        m: output positions.
        scale: the factor, if PyTorch is given it instead of a size. It then takes 1/scale for n/m.
        shifts: `CORNER`, or for the middle of an output position `MIDDLE` or `FUSED_MIDDLE`.
    """
    if m % n == 0 and m // n <= 16 and (scale is None or scale == m // n):
        return repeated(m // n)
    if scale is None:
        advance, period = _lowest(n, m)
        step = _single(n / m)
    else:
        advance, period = (1 / exact_scale(scale)).as_integer_ratio()
        step = _single(1 / float(scale))
    half = 1 if sum(shifts) else 0
    if m > MOST_RESIDUES:  # single precision is off by more where numbers are large
        middle, off = ratio(half * n, 2 * m), 1 + n // 2**22
        return bound(ratio(advance, period), middle - 1 - off, middle + off)
    before, inside, after = shifts
    rounded = (_single(_single((o + before) * step + inside) + after) for o in range(m))
    taken = [min(math.floor(place), n - 1) for place in rounded]
    places = ((2 * residue + half) * advance // (2 * period) for residue in range(min(period, m)))
    reads = Reads(advance, tuple(Taps(place, place) for place in places))
    if period <= m and all(reads.at(o)[0] == place for o, place in enumerate(taken)):
        return reads
    return Reads(n, tuple(Taps(place, place) for place in taken))


def interpolated(n: Dim, m: Dim, scale: float | None = None, reach: Dim = 1) -> Reads:
    """Return what linear (reach 1) or cubic (reach 2) interpolation of n positions to m reads.

    Output o lies at ``x = (o + ½)·n/m − ½``. Where x is a whole number only that position has a weight. Linear
    interpolation to the same size copies, whatever the scale.
    """
    if m == n and reach == 1:
        return Reads()
    advance, period = _lowest(n, m) if scale is None else (1 / exact_scale(scale)).as_integer_ratio()
    if min(period, m) > MOST_RESIDUES:
        middle = ratio(advance - period, 2 * period)
        return bound(ratio(advance, period), middle - reach, middle + reach, PaddingMode.REPEATED)
    if scale is not None and period > m:
        places = [((2 * o + 1) * advance - period, 2 * period) for o in range(m)]
        return Reads(n, _around(places, reach), PaddingMode.REPEATED)
    places = [((2 * residue + 1) * advance - period, 2 * period) for residue in range(period)]
    return Reads(advance, _around(places, reach), PaddingMode.REPEATED)


def between_corners(n: Dim, m: Dim, reach: Dim = 1) -> Reads:
    """Return what interpolation reads if both ends of input and output lie on each other: ``x = o·(n − 1)/(m − 1)``."""
    if m == 1 or n == 1:
        return Reads(0, (Taps(),), PaddingMode.REPEATED)
    advance, period = _lowest(n - 1, m - 1)
    if period > MOST_RESIDUES:
        return bound(ratio(advance, period), -reach, reach, PaddingMode.REPEATED)
    return Reads(
        advance, _around(((residue * advance, period) for residue in range(period)), reach), PaddingMode.REPEATED
    )


def _around(places: Iterable[tuple[Any, Any]], reach: Dim) -> tuple[Taps, ...]:
    """Return the taps at places that are fractions: ``reach`` positions on each side, or the position itself."""
    taps = []
    for numerator, denominator in places:
        below = numerator // denominator
        whole = below * denominator == numerator
        taps.append(Taps(below, below) if whole else Taps(below - reach + 1, below + reach))
    return tuple(taps)
