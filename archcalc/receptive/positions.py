"""Sets of positions in several axes, exact: rows of a mask, each with the columns that go with it.

A set in axes a, b, … is a tuple of pairs: a mask of positions along a, with a set in the other axes. The masks of the
pairs have no position in common and their sets differ, so equal sets are equal tuples. The last axis has only a mask,
an integer with a bit for each position. A rectangle has one pair for each axis; a cross has two or three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from archcalc.ops.reads import PaddingMode, Reads, Taps

Mask = int
"""Positions along one axis, a bit for each."""
Positions = Any
"""A set of positions: a mask, or a tuple of pairs of a mask and a set. Empty is 0 or ()."""


def rectangle(masks: Sequence[Mask]) -> Positions:
    """Return the positions that lie in every axis's mask."""
    *others, last = masks
    found: Positions = last
    for mask in reversed(others):
        found = ((mask, found),) if mask and found else ()
    return found


def union(first: Positions, second: Positions) -> Positions:
    """Return the positions in either of two sets."""
    if first == second or not second:
        return first
    if not first:
        return second
    if isinstance(first, int):
        return first | second
    found: dict[Positions, Mask] = {}
    pending = list(second)
    for rows, columns in first:
        rest, left = rows, []
        for others, theirs in pending:
            common = rows & others
            if common:
                both = union(columns, theirs)
                found[both] = found.get(both, 0) | common
                rest &= ~common
                others &= ~common
            if others:
                left.append((others, theirs))
        pending = left
        if rest:
            found[columns] = found.get(columns, 0) | rest
    for rows, columns in pending:
        found[columns] = found.get(columns, 0) | rows
    return tuple(sorted((rows, columns) for columns, rows in found.items()))


def mapped(positions: Positions, maps: Sequence[Callable[[Mask], Mask]]) -> Positions:
    """Return a set after each axis's mask is mapped; the maps respect unions."""
    if len(maps) == 1:
        return maps[0](positions)
    found: Positions = ()
    for rows, columns in positions:
        rows, columns = maps[0](rows), mapped(columns, maps[1:])
        if rows and columns:
            found = union(found, ((rows, columns),))
    return found


def products(positions: Positions, axes: int) -> Iterator[tuple[Mask, ...]]:
    """Yield rectangles that together are the set and have no position in common, as a mask for each axis."""
    if axes == 1:
        if positions:
            yield (positions,)
        return
    for rows, columns in positions:
        for masks in products(columns, axes - 1):
            yield (rows, *masks)


def of_products(rectangles: Iterable[Sequence[Mask]]) -> Positions:
    """Return the union of rectangles."""
    found: Positions = ()
    for masks in rectangles:
        found = union(found, rectangle(masks))
    return found


def along(positions: Positions, axes: int) -> list[Mask]:
    """Return the positions along each axis at which the set has any."""
    found = [0] * axes
    for masks in products(positions, axes):
        found = [mask | own for mask, own in zip(found, masks, strict=True)]
    return found


def count(positions: Positions, axes: int) -> int:
    """Return the number of positions."""
    total = 0
    for masks in products(positions, axes):
        number = 1
        for mask in masks:
            number *= mask.bit_count()
        total += number
    return total


def full(size: int) -> Mask:
    """Return the mask of a whole axis."""
    return (1 << size) - 1


def bits(mask: Mask) -> list[int]:
    """Return the numbers of the bits that are set."""
    start = (mask & -mask).bit_length() - 1  # long runs of zeros before it are not spelled out
    return [number for number, bit in enumerate(reversed(bin(mask >> start)[2:]), start) if bit == "1"] if mask else []


# -- masks through operators


def read_by(reads: Reads, mask: Mask, size: int) -> Mask:
    """Return the positions of an axis of that size that an operator reads at any position of a mask."""
    if not mask:
        return 0
    if not reads.exact:
        return _held(reads, mask, size)
    is_steady = len(reads.taps) == reads.advance == 1
    found, start = _shifted(reads, mask) if is_steady else _gathered(reads, mask)
    inside = (found >> -start if start < 0 else found << start) & full(size)
    if reads.edge is PaddingMode.NOTHING:
        return inside
    beyond = [start + number for number in bits(found) if not 0 <= start + number < size]
    for position in beyond:
        place = reads.edge.inside(position, size)
        if place is not None:
            inside |= 1 << place
    return inside


def _held(reads: Reads, mask: Mask, size: int) -> Mask:
    """Return the positions between the bounds of a long pattern, at any position of a mask."""
    found = 0
    for position in bits(mask):
        held = reads.at(position)
        inside = [reads.edge.inside(end, size) for end in (held.start, held.stop - 1)] if held else []
        first, last = max(held.start, 0), min(held.stop, size)
        found |= sum(1 << place for place in {*inside} if place is not None)
        found |= full(max(last - first, 0)) << first
    return found


def _shifted(reads: Reads, mask: Mask) -> tuple[Mask, int]:
    """Return what is read if every position has the same taps, and the position of the first bit."""
    taps = reads.taps[0]
    return (0, 0) if taps is None else (_spread(mask, taps), taps.first)


def _spread(mask: Mask, taps: Taps) -> Mask:
    """Return a mask at every tap, as if the first were 0."""
    covered, taken = 1, (taps.last - taps.first) // taps.step + 1
    while covered < taken:  # twice as many taps each time
        more = min(covered, taken - covered)
        mask |= mask << more * taps.step
        covered += more
    return mask


def _gathered(reads: Reads, mask: Mask) -> tuple[Mask, int]:
    """Return what is read position by position, and the position of the first bit."""
    known = [taps for taps in reads.taps if taps is not None]
    start = min((taps.first for taps in known), default=0)
    start += min(0, reads.advance * ((mask.bit_length() - 1) // len(reads.taps)))
    masks = [0 if taps is None else _spread(1, taps) << taps.first - start for taps in reads.taps]
    found = 0
    for position in bits(mask):
        turn, residue = divmod(position, len(masks))
        by = reads.advance * turn
        found |= masks[residue] << by if by >= 0 else masks[residue] >> -by
    return found, start


# -- masks of digits


def split(positions: Positions, axes: int, axis: int, sizes: Sequence[int]) -> Positions:
    """Return the set with one axis taken as several, the slowest first, whose sizes make up its own."""
    if axis:
        return tuple(sorted((rows, split(columns, axes - 1, axis - 1, sizes)) for rows, columns in positions))
    pairs = ((positions, None),) if axes == 1 else positions
    found: Positions = ()
    for mask, rest in pairs:
        found = union(found, _digits(mask, sizes, rest))
    return found


def _digits(mask: Mask, sizes: Sequence[int], rest: Positions) -> Positions:
    """Return a mask in digits, with a set of further axes under it; None if there are none."""
    if len(sizes) == 1:
        return mask if rest is None else ((mask, rest),)
    inner = 1
    for size in sizes[1:]:
        inner *= size
    parts: dict[Mask, Mask] = {}
    for value in range(sizes[0]):
        part = mask >> value * inner & full(inner)
        if part:
            parts[part] = parts.get(part, 0) | 1 << value
    return of_pairs((values, _digits(part, sizes[1:], rest)) for part, values in parts.items())


def of_pairs(pairs: Iterable[tuple[Mask, Positions]]) -> Positions:
    """Return the union of pairs."""
    found: Positions = ()
    for pair in pairs:
        found = union(found, (pair,))
    return found


def of_digits(digits: Iterable[tuple[Mask, int]]) -> Mask:
    """Return the mask of an axis from those of its digits, the slowest first, each with its size."""
    mask = 1
    for own, size in digits:
        mask = _outer(mask, own, size)
    return mask


def _outer(slow: Mask, fast: Mask, size: int) -> Mask:
    """Return the mask of numbers with a slow digit and a fast one of that size."""
    found = 0
    for value in bits(slow):
        found |= fast << value * size
    return found
