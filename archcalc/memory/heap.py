"""Memory as storages: each is made, held by one or several owners, and freed when nobody holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple, Protocol

from archcalc.errors import UserError

USES = ("input", "output", "saved", "recomputed", "gradient", "weights' gradient", "workspace")
"""What a storage can be used for. `saved` is what autograd stores beside inputs and outputs."""


class Storage(NamedTuple):
    """One storage: the layer or input that it belongs to, and what it is used for."""

    layer: str
    """The layer, or input of the network, whose tensor this is."""
    use: str
    """One of `USES`."""
    made_by: str = ""
    """The layer that made it, where a layer has several of one use, such as gradients that are not added yet."""


class LiveTensor(NamedTuple):
    """A storage that is allocated at a timeline point."""

    storage: Storage
    bytes: int


class TimelinePoint(NamedTuple):
    """The live tensors while one layer runs, without parameters, buffers and optimizer state."""

    phase: str
    """`forward`, `recompute`, `backward` or `update`."""
    layer: str
    """The layer that runs."""
    live_bytes: int
    """Bytes of all live tensors."""
    stored: tuple[int, ...]
    """Bytes of storages by use, in the order of `USES`."""
    storages: int
    """Number of storages."""
    workspace: int
    """Bytes that the layer uses while it runs; negative for what it has freed of the tensors saved for it."""

    @property
    def parts(self) -> tuple[int, ...]:
        """The live bytes by use, in the order of `USES`."""
        parts = dict(zip(USES, self.stored, strict=True))
        parts["workspace"] += max(self.workspace, 0)
        parts["saved"] += min(self.workspace, 0)
        return tuple(parts.values())

    @property
    def tensors(self) -> int:
        """Number of live tensors; a layer's workspace counts as one."""
        return self.storages + (self.workspace > 0)


class Peak(NamedTuple):
    """The first timeline point with the most live bytes."""

    point: TimelinePoint
    alive: tuple[LiveTensor, ...]
    """The live tensors in the order in which they were made; their sum is `live_bytes`."""

    @property
    def live_bytes(self) -> int:
        """Bytes of all live tensors."""
        return self.point.live_bytes


class Heap:
    """The live storages, with the number of owners that hold each."""

    def __init__(self) -> None:
        self.live = 0
        """Bytes of all storages."""
        self._sizes: dict[Storage, int] = {}
        self._holders: dict[Storage, int] = {}
        self._parts = dict.fromkeys(USES, 0)

    def make(self, storage: Storage, size: int) -> None:
        """Add a storage of ``size`` bytes with one holder."""
        self._sizes[storage] = size
        self._holders[storage] = 1
        self.live += size
        self._parts[storage.use] += size

    def hold(self, *storages: Storage) -> None:
        """Add a holder to storages."""
        for storage in storages:
            self._holders[storage] += 1

    def drop(self, *storages: Storage) -> None:
        """Remove a holder of storages; the last one frees a storage."""
        for storage in storages:
            self._holders[storage] -= 1
            if not self._holders[storage]:
                del self._holders[storage]
                size = self._sizes.pop(storage)
                self.live -= size
                self._parts[storage.use] -= size

    def has(self, storage: Storage) -> bool:
        """Return True if the storage is live."""
        return storage in self._holders

    def is_held_once(self, storage: Storage) -> bool:
        """Return True if a live storage has one holder."""
        return self._holders[storage] == 1

    def size(self, storage: Storage) -> int:
        """Return the bytes of a live storage."""
        return self._sizes[storage]

    def point(self, phase: str, layer: str, workspace: int = 0) -> TimelinePoint:
        """Return the live memory now, with the `TimelinePoint.workspace` of the layer that runs."""
        stored = tuple(self._parts.values())
        return TimelinePoint(phase, layer, self.live + workspace, stored, len(self._sizes), workspace)

    def alive(self) -> tuple[LiveTensor, ...]:
        """Return the live tensors that take memory."""
        return tuple(LiveTensor(storage, size) for storage, size in self._sizes.items() if size)


def by_layer(timeline: Iterable[TimelinePoint]) -> list[TimelinePoint]:
    """Return the highest of the points that follow each other in one phase of one layer."""
    groups = groupby(timeline, key=lambda point: (point.phase, point.layer))
    return [max(group, key=lambda point: point.live_bytes) for _, group in groups]


class SimulatedRun(Protocol):
    """A network that runs once."""

    heap: Heap

    def points(self) -> Iterator[TimelinePoint]:
        """Run, and yield the live memory at every point."""


def peak_of(start: Callable[[], SimulatedRun]) -> Peak:
    """Return the peak of a run. It runs twice: to find the point, and to list the live tensors there.

    Raises `UserError` if no layer runs.
    """
    # The first of equals, as the peak's layer is shown.
    found = max(enumerate(start().points()), key=lambda pair: pair[1].live_bytes, default=None)
    if found is None:
        raise UserError("no layer runs at inference; add a layer that is not only for training")
    run = start()
    point = next(islice(run.points(), found[0], None))
    alive = run.heap.alive()
    workspace = point.live_bytes - run.heap.live
    if workspace:
        alive += (LiveTensor(Storage(point.layer, "workspace"), workspace),)
    return Peak(point, alive)
