"""Sizes of a tensor in a cell: `64x56x56`, `(None, 10)`, `torch.Size([1, 96, 55, 55])`, `C=96, H=55, W=55`.

sizes = [order ":"] SIZE {mark SIZE} ["=" product] | AXIS "=" SIZE {mark AXIS "=" SIZE}
      | SIZE {mark SIZE} mark COUNT noun | COUNT noun ["of" SIZE {mark SIZE}]
mark  = "x" | "×" | "*" | "·" | "," | ";" | "@" | "by" | " "

Brackets, `torch.Size` and `px` are ignored. Before the sizes may be the batch: `None`, `N`, `-1`, `?`, `B`, `batch`.
"""

from __future__ import annotations

import re
from math import prod

from archcalc.homework.answers.answer import ChannelOrder, WrittenSizes
from archcalc.homework.answers.arithmetic import read_arithmetic
from archcalc.homework.answers.numbers import DecimalStyle, Unreadable
from archcalc.homework.answers.spelling import tidy
from archcalc.words import quote

LARGEST = 10**9
"""The largest size that can be written."""
MOST_CHARACTERS = 120
MOST_SIZES = 8
_BATCHES = frozenset({"-1", "n", "b", "m", "bs", "none", "?", "batch", "batchsize"})
_NAME = re.compile(
    r"(?:(?:torch\.)?size|tensorshape|tensor|(?:(?:output|activation)\s*)?(?:shape|size|volume)|output)\s*[:=]?\s*(?=[(\[\d])",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"[(\[]?\b(?:[nb]\s*[x×,]?\s*)?(?:(?P<first>c\s*[x×*,]?\s*h\s*[x×*,]?\s*w|channels?[- ]first)|"
    r"(?P<last>h\s*[x×*,]?\s*w\s*[x×*,]?\s*[cd]|channels?[- ]last))\b[)\]]?\s*[:=]?",
    re.IGNORECASE,
)
_AXIS = re.compile(r"\b(channels?|depth|height|width|length|[chwdl])\s*[=:]\s*(\d{1,10})\b", re.IGNORECASE)
_NOUN = re.compile(
    r"(\d{1,10})\s*(?:(?:feature|activation|output)\s*)?"
    r"(?:channels?|maps?|filters?|features?|neurons?|units?|class(?:es)?|kernels?|outputs?|planes?)\b",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"\s*[x×*·,;@]\s*|\s+(?:by\s+)?", re.IGNORECASE)
_SIZE = re.compile(r"(\d{1,10})(?:\.0+)?(?:\^([1-4]))?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:[ ,.']\d{3})+", re.ASCII)


def read_order(text: str) -> ChannelOrder | None:
    """Return the order that a text names: `HxWxC`, `CHW`, `channels last`; None if it names none."""
    match = _ORDER.search(tidy(text))
    return None if match is None else ChannelOrder.FIRST if match["first"] else ChannelOrder.LAST


def read_sizes(text: str, rank: int, batch: int) -> WrittenSizes:
    """Read sizes; only the rank of the true ones is used. Raises `Unreadable` for anything else."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{quote(text)} is too long: a shape has at most {MOST_CHARACTERS} characters")
    bare = _NAME.sub("", tidy(text))
    order = read_order(bare) if rank > 1 else None
    if order is not None:
        bare = _ORDER.sub("", bare)
    named = _AXIS.findall(bare)
    if named:
        return _named(named, _AXIS.sub("", bare), text)
    nouns = _NOUN.findall(bare)
    if len(nouns) == 1:
        rest = re.sub(r"\b(?:of|each|with|and|size)\b", " ", _NOUN.sub(" ", bare), flags=re.IGNORECASE)
        sides = _plain(rest, text) if re.search(r"\d", rest) else ()
        sides = sides[1:] if len(sides) == rank and rank > 2 else sides  # a batch before them
        return WrittenSizes((int(nouns[0]), *sides), order=ChannelOrder.FIRST if sides else None)
    before, equals, after = bare.partition("=")
    if not equals:
        return WrittenSizes(_one_or_more(bare, text, rank, batch), order=order)
    try:
        sizes = _one_or_more(before, text, rank, batch)
    except Unreadable:  # a formula, and its value
        return WrittenSizes(_one_or_more(after.rpartition("=")[2], text, rank, batch), order=order)
    product = re.sub(r"(?<=\d)[ ,.'](?=\d{3})", "", after.strip())
    if product != str(prod(sizes)) and (rank > 1 or len(sizes) > 1):
        raise Unreadable(f"{quote(text)}: {prod(sizes):,} is the product of these sizes; write one shape")
    return WrittenSizes(sizes, order=order)


def _named(found: list[tuple[str, str]], rest: str, text: str) -> WrittenSizes:
    """Return sizes whose axes are named, channels first."""
    sizes = {axis[0].lower(): int(size) for axis, size in found}
    if "d" in sizes and "c" not in sizes:
        sizes["c"] = sizes.pop("d")  # the depth of a volume is its channels
    if len(sizes) != len(found) or re.search(r"\d", rest):
        raise Unreadable(f"cannot read {quote(text)} as a shape; write it as 64x56x56")
    ordered = tuple(sizes[axis] for axis in "cldhw" if axis in sizes)
    return WrittenSizes(ordered, order=ChannelOrder.FIRST if len(ordered) > 1 else None)


def _one_or_more(bare: str, text: str, rank: int, batch: int) -> tuple[int, ...]:
    """Read sizes without their batch; for a single size also thousands and arithmetic."""
    bare = bare.strip()
    if rank == 1:
        inside = bare.strip("()[]{} ")
        if _GROUPED.fullmatch(inside):
            return (int(re.sub(r"\D", "", inside)),)
    try:
        return _plain(bare, text, rank, batch)
    except Unreadable:
        worked = read_arithmetic(bare, DecimalStyle.POINT, lambda word: False) if rank == 1 else None
        if worked is None or worked[0].value.denominator != 1 or not 0 < worked[0].value <= LARGEST:
            raise
        return (int(worked[0].value),)


def _plain(bare: str, text: str, rank: int = 0, batch: int = 0) -> tuple[int, ...]:
    """Read sizes with marks between them."""
    bare = re.sub(r"(?:pixels?|px)$", "", bare.strip("()[]{} ,;"), flags=re.IGNORECASE).strip(" ,;x×@")
    bare = re.sub(r"\bbatch[_ -]?size\b", "batch", bare, flags=re.IGNORECASE)
    parts = _SPLIT.split(re.sub(r"[()\[\]]", " ", bare).strip())
    if len(parts) > 1 and parts[0].lower() in _BATCHES:
        del parts[0]
    sizes: list[int] = []
    for part in parts[: MOST_SIZES + 1]:
        match = _SIZE.fullmatch(part)
        if match is None or int(match[1]) > LARGEST:
            raise Unreadable(f"cannot read {quote(text)} as a size or a shape; write it as 64 or 64x56x56")
        sizes += [int(match[1])] * int(match[2] or 1)
    if len(sizes) > MOST_SIZES:
        raise Unreadable(f"{quote(text)} has more than {MOST_SIZES} sizes")
    if len(sizes) == rank + 1 and rank > 1 and sizes[0] == batch:
        del sizes[0]
    return tuple(sizes)
