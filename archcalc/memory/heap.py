"""Memory as pieces that are made, held by one or several, and gone when nobody holds them any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple

from archcalc.errors import UserError

WHAT = ("input", "output", "saved", "recomputed", "gradient", "weights' gradient", "scratch")
"""What a piece of memory can be."""


class Storage(NamedTuple):
    """One storage: the layer or input that it belongs to, and what it is used for."""

    layer: str
    """The layer, or input of the network, whose tensor this is."""
    what: str
    """One of `WHAT`: `saved` is what autograd keeps beside inputs and outputs, `scratch` what ends with its layer."""
    made_by: str = ""
    """Where one layer has several of a kind, as gradients on their way: the layer that made it."""


class Alive(NamedTuple):
    """A piece of memory that is there at a moment."""

    piece: Storage
    bytes: int


class Moment(NamedTuple):
    """The memory at one moment of a run, weights apart."""

    phase: str
    """`forward`, `recompute`, `backward` or `update`."""
    layer: str
    """The layer that runs."""
    live_bytes: int
    """Bytes of all tensors that are there."""
    parts: tuple[int, ...]
    """The same bytes by `WHAT` they are."""
    tensors: int
    """How many they are; what the layer makes on its way counts as one."""


class Peak(NamedTuple):
    """The moment with the most bytes, the first of them if there are several."""

    moment: Moment
    alive: tuple[Alive, ...]
    """What is there, in the order in which it came; the sum is `moment.live_bytes`."""

    @property
    def live_bytes(self) -> int:
        """Bytes of all tensors that are there, weights apart."""
        return self.moment.live_bytes

    @property
    def layer(self) -> str:
        """The layer that runs."""
        return self.moment.layer


class Heap:
    """What is held, and how often."""

    def __init__(self) -> None:
        self.live = 0
        self._sizes: dict[Storage, int] = {}
        self._holders: dict[Storage, int] = {}
        self._parts = dict.fromkeys(WHAT, 0)

    def make(self, piece: Storage, size: int) -> None:
        """A new piece, held once."""
        self._sizes[piece] = size
        self._holders[piece] = 1
        self.live += size
        self._parts[piece.what] += size

    def hold(self, piece: Storage) -> None:
        """Hold a piece that is there once more."""
        self._holders[piece] += 1

    def drop(self, piece: Storage) -> None:
        """Hold it once less; the last to do so frees it."""
        self._holders[piece] -= 1
        if not self._holders[piece]:
            del self._holders[piece]
            size = self._sizes.pop(piece)
            self.live -= size
            self._parts[piece.what] -= size

    def has(self, piece: Storage) -> bool:
        """Whether it is there."""
        return piece in self._holders

    def is_held_once(self, piece: Storage) -> bool:
        """Whether only one holds it."""
        return self._holders[piece] == 1

    def size(self, piece: Storage) -> int:
        """Bytes of a piece that is there."""
        return self._sizes[piece]

    def moment(self, phase: str, layer: str, scratch: int = 0) -> Moment:
        """The memory now, with ``scratch`` bytes that a layer has on its way.

        A negative value is memory that the layer freed early from what was saved for it of what was saved for it.
        """
        parts = {**self._parts, "scratch": max(scratch, 0)}
        parts["saved"] += min(scratch, 0)
        return Moment(phase, layer, self.live + scratch, tuple(parts.values()), len(self._sizes) + (scratch > 0))

    def alive(self) -> tuple[Alive, ...]:
        """What is there."""
        return tuple(Alive(piece, size) for piece, size in self._sizes.items() if size)


def by_layer(moments: Iterable[Moment]) -> list[Moment]:
    """Of the moments of one layer in one pass, which stand together, the highest."""
    groups = groupby(moments, key=lambda moment: (moment.phase, moment.layer))
    return [max(group, key=lambda moment: moment.live_bytes) for _, group in groups]


def peak_of(start: Callable[[], tuple[Heap, Iterator[Moment]]]) -> Peak:
    """The highest moment of a run, which is made twice: to find the moment, and to look what is there.

    Raises `UserError` where nothing runs.
    """
    _, moments = start()
    highest, best = -1, -1
    for at, moment in enumerate(moments):
        if moment.live_bytes > best:
            highest, best = at, moment.live_bytes
    if highest < 0:
        raise UserError("no layer runs at inference: there is nothing to measure")
    heap, moments = start()
    moment = next(islice(moments, highest, None))
    alive = heap.alive()
    scratch = moment.live_bytes - heap.live
    if scratch:
        alive += (Alive(Storage(moment.layer, "scratch"), scratch),)
    return Peak(moment, alive)
