"""Axes as words of digits, so that reshaping and permuting keep what each position sees.

A dimension of the input may run along several axes, as after ``[C, H] → [C, H/p, p]``, and an axis may hold several
dimensions, as after ``[C, H, W] → [C, H·W]``. Each axis is a *word*: digits of dimensions, and free digits (channels),
from the slowest to the fastest. A dimension's field is over the number that all its digits make together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape, ratio
from archcalc.ops.operator import Operator
from archcalc.ops.reads import MOST_RESIDUES, Reads, Taps, bound

FREE = -1
"""The dimension of digits that belong to none: channels, features."""
MIXED = 0
"""The weight of a digit whose place in its dimension is not known."""


class Digit(NamedTuple):
    """One digit of a dimension's positions."""

    dimension: int
    weight: Any = 1
    """Positions of the dimension from one value of the digit to the next; `MIXED` if they are not known."""
    size: Any = 1
    """Values of the digit, if its word has several digits; else the axis has that size."""


Word = tuple[Digit, ...]
"""The digits of an axis; empty if all of it is free."""


def along(dimension: int) -> Word:
    """Return the word of an axis along which one dimension runs."""
    return (Digit(dimension),)


def sized(words: Sequence[Word], shape: Shape) -> list[Word]:
    """Return the words with the size of every digit."""
    return [
        (word[0]._replace(size=size),) if len(word) == 1 else word or (Digit(FREE, 1, size),)
        for word, size in zip(words, shape, strict=True)
    ]


def rearranged(op: Operator, words: Sequence[Word]) -> list[Word]:
    """Return the words of an operator's output from those of its input, which have sizes."""
    if op.keeps_order:
        made = _cut([digit for word in words for digit in word], op.output)
        if made is not None:
            return [_merged(word) for word in made]
    origins = op.axes()
    used = [axis for origin in origins for axis in origin]
    if len(set(used)) == len(used) and (not op.keeps_order or all(len(origin) < 2 for origin in origins)):
        return [_merged([digit for axis in origin for digit in words[axis]]) for origin in origins]
    return [
        words[origin[0]] if len(origin) == 1 and used.count(origin[0]) == 1 else _mixture(words, origin)
        for origin in origins
    ]


def origins(op: Operator, shape: Shape) -> list[Word]:
    """Return for each axis of an operator's output the digits of its input's axes, as if these were dimensions.

    An axis that is made of others in a way that no digits say has none, and neither has a new one.
    """
    words = rearranged(op, [(Digit(axis, 1, size),) for axis, size in enumerate(shape)])
    return [tuple(digit for digit in word if digit.weight is not MIXED) for word in words]


def inner_along(words: Sequence[Word], axis: int) -> bool:
    """Return True if for all digits of an axis a slower one of the same dimension runs along another axis.

    Then positions along the axis are those inside a block: what reads all of them reads one block.
    """
    sizes = sizes_of(words)
    digits = [digit for digit in words[axis] if digit.dimension != FREE]
    return all(digit.weight is not MIXED and not is_outermost(digit, sizes) for digit in digits)


def _mixture(words: Sequence[Word], origin: Sequence[int]) -> Word:
    """Return the word of an axis that is made of others in a way that no digits say."""
    dimensions = dict.fromkeys(digit.dimension for axis in origin for digit in words[axis])
    return tuple(Digit(dimension, MIXED) for dimension in dimensions if dimension != FREE)


def _cut(digits: Sequence[Digit], shape: Shape) -> list[list[Digit]] | None:
    """Return digits in a row, cut into axes of these sizes; None if no digits make them."""
    pending = [digit for digit in reversed(digits) if digit.dimension != FREE or digit.size != 1]
    made: list[list[Digit]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            if axis == 0 or shape[axis - 1] != 1:
                made += _single(pending, shape[axis:])
            continue
        word: list[Digit] = []
        while size != 1:
            if not pending or pending[-1].weight is MIXED:
                return None
            digit = pending.pop()
            if size % digit.size == 0:
                word.append(digit)
                size = size // digit.size
            elif digit.size % size == 0:
                rest = digit.size // size
                word.append(Digit(digit.dimension, digit.weight * rest, size))
                pending.append(digit._replace(size=rest))
                size = 1
            else:
                return None
        made.append(word)
    if pending and made:
        made[-1] += reversed(pending)
    return made


def _single(pending: list[Digit], shape: Shape) -> list[list[Digit]]:
    """Take the digits of one value for the axes of one position with which a shape begins.

    If there are as many digits as axes, each is of one. Else nothing says which axis is whose.
    """
    axes = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    taken: list[Digit] = []
    while pending and pending[-1].size == 1:
        taken.append(pending.pop())
    if len(taken) == axes:
        return [[digit] for digit in taken]
    return [[digit._replace(weight=MIXED) for digit in taken], *[[]] * (axes - 1)]


def _merged(digits: Sequence[Digit]) -> Word:
    """Return the digits with neighbors in one that count on as one."""
    word: list[Digit] = []
    for digit in digits:
        if digit.dimension == FREE and digit.size == 1:
            continue
        if word and _counts_on(word[-1], digit):
            word[-1] = digit._replace(size=word[-1].size * digit.size)
        else:
            word.append(digit)
    return tuple(word)


def _counts_on(slow: Digit, fast: Digit) -> bool:
    """Return True if two digits beside each other are one."""
    if slow.dimension != fast.dimension or slow.weight is MIXED or fast.weight is MIXED:
        return False
    continues: bool = fast.dimension == FREE or slow.weight == fast.weight * fast.size
    return continues


def sizes_of(words: Sequence[Word]) -> dict[int, Any]:
    """Return how many positions the digits of each dimension make together."""
    found: dict[int, Any] = {}
    for word in words:
        for digit in word:
            if digit.dimension != FREE and digit.weight is not MIXED:
                found[digit.dimension] = found.get(digit.dimension, 1) * digit.size
    return found


def is_outermost(digit: Digit, sizes: dict[int, Any]) -> bool:
    """Return True if no digit of its dimension is slower."""
    outermost: bool = digit.weight * digit.size == sizes[digit.dimension]
    return outermost


def stretched(words: list[Word]) -> Iterator[tuple[int, Reads]]:
    """Give the free digits of an axis of positions to its dimension, as a pixel shuffle does; change ``words``.

    Yields each dimension that grows, with what its new positions read of the old ones.
    """
    for axis in range(len(words)):
        while (index := _free_in_positions(words, axis)) is not None:
            word = words[axis]
            factor, before = word[index].size, word[index - 1]
            inner, dimension = before.weight, before.dimension
            yield dimension, _inserted(inner, factor)
            words[axis] = (*word[:index], Digit(dimension, inner, factor), *word[index + 1 :])
            for other, digits in enumerate(words):
                grown = [
                    digit._replace(weight=digit.weight * factor)
                    if digit.dimension == dimension and digit.weight >= inner and (other, place) != (axis, index)
                    else digit
                    for place, digit in enumerate(digits)
                ]
                words[other] = tuple(grown)
            words[axis] = _merged(words[axis])


def _inserted(inner: Any, factor: Any) -> Reads:
    """Return what a dimension reads after a new digit of so many values, with ``inner`` positions inside each."""
    if inner * factor > MOST_RESIDUES:
        return bound(ratio(1, factor), -inner, inner)
    return Reads(inner, tuple(Taps(place % inner, place % inner) for place in range(inner * factor)))


def _free_in_positions(words: Sequence[Word], axis: int) -> int | None:
    """Return the first free digit of an axis that begins with the slowest digit of its only dimension."""
    word = words[axis]
    if len(word) < 2 or word[0].dimension == FREE or word[0].weight is MIXED:
        return None
    if {digit.dimension for digit in word} != {FREE, word[0].dimension} or not is_outermost(word[0], sizes_of(words)):
        return None
    return next(index for index, digit in enumerate(word) if digit.dimension == FREE)


def plain(words: Sequence[Word]) -> tuple[tuple[Word, ...], frozenset[int]]:
    """Return words without needless sizes, and the dimensions with more than one digit, or beside another."""
    count: dict[int, int] = {}
    for word in words:
        for digit in word:
            count[digit.dimension] = count.get(digit.dimension, 0) + (1 if len(word) == 1 else 2)
    split = frozenset(
        digit.dimension
        for word in words
        for digit in word
        if digit.dimension != FREE and (count[digit.dimension] > 1 or digit.weight is MIXED)
    )
    shown = [() if all(digit.dimension == FREE for digit in word) else word for word in words]
    return tuple(shown), split


# -- what is read along one digit, as what is read along its dimension


def of_digit(reads: Reads, digit: Digit, size: int, is_slowest: bool) -> Reads:
    """Return what a dimension reads if an operator reads along one of its digits, and makes ``size`` values of it."""
    inner = digit.weight
    if inner * (len(reads.taps) if is_slowest else size) > MOST_RESIDUES or not reads.exact:
        if not is_slowest:
            return bound(ratio(digit.size, size), -inner * digit.size, inner * digit.size)
        first, last = reads.drift
        return bound(ratio(reads.advance, reads.period), inner * (first - 1), inner * (last + 1), reads.edge)
    if is_slowest:
        taps = [
            taps and Taps(taps.first * inner + place, taps.last * inner + place, taps.step * inner)
            for taps in reads.taps
            for place in range(inner)
        ]
        return Reads(reads.advance * inner, tuple(taps), reads.edge)
    table: list[Taps | None] = []
    for value in range(size):
        inside = {place for tap in reads.at(value) if (place := reads.edge.inside(tap, digit.size)) is not None}
        ends = (min(inside) * inner, max(inside) * inner) if inside else None
        step = reads.taps[value % len(reads.taps)]
        for place in range(inner):
            table.append(ends and Taps(ends[0] + place, ends[1] + place, (step.step if step else 1) * inner))
    return Reads(inner * digit.size, tuple(table))


def all_of_digit(digit: Digit, keeps_position: bool) -> Reads:
    """Return what a dimension reads if every output reads all values of a digit.

    The digit is still there if positions are kept (attention in windows), and gone if not (a linear layer).
    """
    inner, across = digit.weight, digit.weight * (digit.size - 1)
    if inner * (digit.size if keeps_position else 1) > MOST_RESIDUES:
        return bound(1 if keeps_position else digit.size, -across, across)
    reach = [Taps(place, place + inner * (digit.size - 1), inner) for place in range(inner)]
    return Reads(inner * digit.size, tuple(reach) * (digit.size if keeps_position else 1))


def without(words: Sequence[Word], gone: Digit) -> list[Word]:
    """Return words after a digit of a dimension is gone."""
    return [
        tuple(
            digit._replace(weight=digit.weight // gone.size)
            if digit.dimension == gone.dimension and digit.weight is not MIXED and digit.weight > gone.weight
            else digit
            for digit in word
            if digit != gone
        )
        for word in words
    ]


def positions_in(words: Sequence[Word]) -> dict[int, Word]:
    """Return the axes of positions, each with its word: no free digit, and every digit known."""
    return {
        axis: word
        for axis, word in enumerate(words)
        if word and all(digit.dimension != FREE and digit.weight is not MIXED for digit in word)
    }


def number_of(words: Sequence[Word], unit: Mapping[int, int]) -> dict[int, int]:
    """Return the position of a unit in each dimension, from its positions along axes."""
    found: dict[int, int] = {}
    for axis, rest in unit.items():
        for digit in reversed(words[axis]):
            rest, own = divmod(rest, digit.size)
            found[digit.dimension] = found.get(digit.dimension, 0) + own * digit.weight
    return found
