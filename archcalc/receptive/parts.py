"""Receptive fields along one dimension, exact for every position: intervals that repeat with a period.

A *part* says what position ``period·q + r`` sees: the input positions ``advance·q + first[r]`` to
``advance·q + last[r]``. Its *jump* is ``advance / period``. Upsampling after a stride gives period 1 again. Where paths
of equal jump meet, a part has the hull of both, residue by residue; paths of other jumps stay beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm
from typing import Any, NamedTuple

from archcalc.arithmetic import ratio
from archcalc.ops.reads import MOST_RESIDUES, Reads

Interval = tuple[Any, Any]
"""The first and the last position."""


class Part(NamedTuple):
    """What positions see along one dimension: an interval for each residue, which moves by ``advance`` per period."""

    advance: Any
    first: tuple[Any, ...]
    """The first position that each residue sees; None if it sees nothing."""
    last: tuple[Any, ...]
    exact: bool = True
    """False if it is a bound: a longer period, or paths laid end to end."""

    @property
    def period(self) -> int:
        """Positions after which the pattern repeats."""
        return len(self.first)

    @property
    def jump(self) -> Any:
        """Input positions between neighbors, on average over a period."""
        return ratio(self.advance, len(self.first))

    def at(self, position: Any) -> Interval | None:
        """Return the interval that a position sees; None if nothing."""
        turn, residue = divmod(position, len(self.first)) if len(self.first) > 1 else (position, 0)
        first = self.first[residue]
        if first is None:
            return None
        return first + self.advance * turn, self.last[residue] + self.advance * turn

    def bound(self) -> Part:
        """Return a part of period 1, with fractions, whose intervals contain those of this one."""
        offsets = self.offsets()
        if not offsets:
            return Part(self.jump, (None,), (None,), exact=False)
        firsts, lasts = zip(*offsets, strict=True)
        return Part(self.jump, (min(firsts),), (max(lasts),), exact=False)

    def through(self, reads: Reads) -> Part:
        """Return what the outputs of an operator see if its inputs see this."""
        period, step = len(self.first), len(reads.taps)
        taps = reads.taps[0]
        if period == step == 1 and reads.exact and taps is not None and self.first[0] is not None:
            return self._through_window(reads.advance, taps.first, taps.last)
        if not (self.exact and reads.exact):
            first, last = reads.drift
            return self.bound()._through_window(ratio(reads.advance, step), first, last)
        turns = period // gcd(reads.advance, period)
        if step * turns > MOST_RESIDUES:
            first, last = reads.drift
            return self.bound()._through_window(ratio(reads.advance, step), first, last)
        seen = [self._hull(reads, turn * step + residue) for turn in range(turns) for residue in range(step)]
        return _part(self.advance * (reads.advance * turns // period), seen).reduced()

    def _through_window(self, stride: Any, first: Any, last: Any) -> Part:
        """Return the part after a window, if both have one residue."""
        if self.first[0] is None:
            return self
        ends = (first, last) if self.advance >= 0 else (last, first)
        return Part(
            self.advance * stride,
            (self.first[0] + self.advance * ends[0],),
            (self.last[0] + self.advance * ends[1],),
            self.exact,
        )

    def _hull(self, reads: Reads, position: int) -> Interval | None:
        """Return the smallest interval that contains what all positions see that an output position reads."""
        taps, period = reads.at(position), len(self.first)
        ends = [*taps[:period], *taps[-period:]] if len(taps) > 2 * period else taps  # those between lie inside
        seen = [interval for tap in ends if (interval := self.at(tap)) is not None]
        return (min(first for first, _ in seen), max(last for _, last in seen)) if seen else None

    def joined(self, other: Part) -> Part:
        """Return the hull of two parts of equal jump, residue by residue."""
        period = lcm(len(self.first), len(other.first))
        if period == 1 and self.first[0] is not None and other.first[0] is not None:
            first, last = min(self.first[0], other.first[0]), max(self.last[0], other.last[0])
            return self._replace(first=(first,), last=(last,), exact=self.exact and other.exact)
        if self.exact and other.exact and period <= MOST_RESIDUES:
            pairs = [(self.at(position), other.at(position)) for position in range(period)]
            seen = [_both(*pair) for pair in pairs]
            return _part(self.advance * (period // len(self.first)), seen).reduced()
        mine, theirs = self.bound(), other.bound()
        return _part(mine.advance, [_both(mine.at(0), theirs.at(0))])._replace(exact=False)

    def reduced(self) -> Part:
        """Return the same with the shortest period: divided by each prime as often as the intervals repeat."""
        part, rest, prime = self, len(self.first), 2
        while rest > 1:
            if prime * prime > rest:
                prime = rest
            while rest % prime == 0:
                rest //= prime
                part = part._divided(prime)
            prime += 1
        return part

    def _divided(self, factor: int) -> Part:
        if self.advance % factor:
            return self
        period, advance = len(self.first) // factor, self.advance // factor
        for ends in (self.first, self.last):
            for before, after in zip(ends, ends[period:], strict=False):
                if (before is None) != (after is None) or (before is not None and before + advance != after):
                    return self
        return Part(advance, self.first[:period], self.last[:period], self.exact)

    def offsets(self) -> list[tuple[Any, Any]]:
        """Return for each residue that sees something how far its interval lies from ``jump`` times its position."""
        period, found = len(self.first), []
        for residue, (first, last) in enumerate(zip(self.first, self.last, strict=True)):
            if first is not None:
                moved = self.advance * residue
                found.append((ratio(period * first - moved, period), ratio(period * last - moved, period)))
        return found

    def is_centered_as(self, other: Part) -> bool:
        """Return True if both have one jump, and every position has the same center in both."""
        if len(self.first) == len(other.first) == 1:
            here, there = self.at(0), other.at(0)
            return self.advance == other.advance and (here is None or there is None or sum(here) == sum(there))
        if not has_equal_jump(self, other):
            return False
        period = lcm(len(self.first), len(other.first))
        pairs = ((self.at(position), other.at(position)) for position in range(min(period, MOST_RESIDUES)))
        return all(first is None or second is None or sum(first) == sum(second) for first, second in pairs)


def _part(advance: Any, seen: Sequence[Interval | None]) -> Part:
    return Part(
        advance,
        tuple([interval and interval[0] for interval in seen]),
        tuple([interval and interval[1] for interval in seen]),
    )


def _both(left: Interval | None, right: Interval | None) -> Interval | None:
    """Return the hull of two intervals; None is empty."""
    if left is None or right is None:
        return left or right
    return min(left[0], right[0]), max(left[1], right[1])


def has_equal_jump(left: Part, right: Part) -> bool:
    """Return True if neighbors are equally far from each other in both."""
    equal: bool = left.advance * len(right.first) == right.advance * len(left.first)
    return equal


Field = tuple[Part, ...]
"""The parts of different jumps that a position sees; nearly always one."""

ITSELF: Field = (Part(1, (0,), (0,)),)
"""The field of an input's own positions."""


def through(field: Field, reads: Reads) -> Field:
    """Return the field after an operator."""
    return tuple([part.through(reads) for part in field])


def join(left: Field, right: Field) -> Field:
    """Return the field where two paths meet."""
    if left is right or left == right:
        return left
    parts = list(left)
    for part in right:
        for index, known in enumerate(parts):
            if known == part:
                break
            if has_equal_jump(known, part):
                parts[index] = known.joined(part)
                break
        else:
            parts.append(part)
    return tuple(parts)


def seen_at(field: Field, position: Any) -> Interval | None:
    """Return the interval that a position sees, over all parts."""
    seen: Interval | None = None
    for part in field:
        seen = _both(seen, part.at(position))
    return seen


def are_centered(left: Field, right: Field) -> bool:
    """Return True if two paths have the same stride, and the same center at every position."""
    return len(left) == len(right) == 1 and left[0].is_centered_as(right[0])


def as_bound(field: Field) -> Field:
    """Return the field marked as a bound."""
    return tuple(part._replace(exact=False) for part in field)
