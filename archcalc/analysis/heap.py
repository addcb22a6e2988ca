"""Memory as pieces that are made, held by one or several, and gone when nobody holds them any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from archcalc.analysis.costs import ITEM_SIZES, Analysis
from archcalc.arithmetic import Shape, product
from archcalc.network import Layer, Network
from archcalc.ops.layout import Given, Layout, Placed
from archcalc.ops.operator import Held

INDEX_BYTES = 8
"""Bytes of a whole number that points into a table."""


LEAST_PRECISE = 4
"""Bytes of a number that is kept precisely, at least: PyTorch computes in float32 what halves are too coarse for."""
WHAT = ("input", "output", "saved", "recomputed", "gradient", "weights' gradient", "scratch")
"""What a piece of memory can be."""


class Piece(NamedTuple):
    """One piece of memory: whose it is, and what."""

    layer: str
    """The layer, or input of the network, whose tensor this is."""
    what: str
    """One of `WHAT`: `saved` is what autograd keeps beside inputs and outputs, `scratch` what ends with its layer."""
    made_by: str = ""
    """Where one layer has several of a kind, as gradients on their way: the layer that made it."""


class Alive(NamedTuple):
    """A piece of memory that is there at a moment."""

    piece: Piece
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
        self._sizes: dict[Piece, int] = {}
        self._holders: dict[Piece, int] = {}
        self._parts = dict.fromkeys(WHAT, 0)

    def make(self, piece: Piece, size: int) -> None:
        """A new piece, held once."""
        self._sizes[piece] = size
        self._holders[piece] = 1
        self.live += size
        self._parts[piece.what] += size

    def hold(self, piece: Piece) -> None:
        """Hold a piece that is there once more."""
        self._holders[piece] += 1

    def drop(self, piece: Piece) -> None:
        """Hold it once less; the last to do so frees it."""
        self._holders[piece] -= 1
        if not self._holders[piece]:
            del self._holders[piece]
            size = self._sizes.pop(piece)
            self.live -= size
            self._parts[piece.what] -= size

    def has(self, piece: Piece) -> bool:
        """Whether it is there."""
        return piece in self._holders

    def is_held_once(self, piece: Piece) -> bool:
        """Whether only one holds it."""
        return self._holders[piece] == 1

    def size(self, piece: Piece) -> int:
        """Bytes of a piece that is there."""
        return self._sizes[piece]

    def moment(self, phase: str, layer: str, scratch: int = 0) -> Moment:
        """The memory now, with ``scratch`` bytes that a layer has on its way.

        Below 0 they are what it has given back of what was saved for it.
        """
        parts = {**self._parts, "scratch": max(scratch, 0)}
        parts["saved"] += min(scratch, 0)
        return Moment(phase, layer, self.live + scratch, tuple(parts.values()), len(self._sizes) + (scratch > 0))

    def alive(self) -> tuple[Alive, ...]:
        """What is there."""
        return tuple(Alive(piece, size) for piece, size in self._sizes.items() if size)


def _passed(network: Network) -> dict[str, str]:
    """Of each layer that exists only in training, and is left out, the name of what passes in its place."""
    passed: dict[str, str] = {}
    for layer in network.layers:
        if layer.train:
            source = layer.inputs[0]
            passed[layer.name] = passed.get(source, source)
    return passed


def _fed(layer: Layer, passed: Mapping[str, str]) -> Layer:
    """The layer, with what passes in place of inputs that are left out."""
    if passed.keys().isdisjoint(layer.inputs):
        return layer
    fed = Layer(layer.name, layer.op, tuple(passed.get(name, name) for name in layer.inputs), layer.origin)
    fed.shares = layer.shares
    return fed


class Run:
    """A network that runs: its tensors, by the names of the layers that make them."""

    def __init__(self, analysis: Analysis, training: bool = False) -> None:
        network = analysis.network
        passed = _passed(network)
        self.layers: Sequence[Layer] = [_fed(row.layer, passed) for row in analysis.rows]
        self.outputs = tuple(passed.get(name, name) for name in network.outputs)
        self.batch = analysis.batch
        self.item = ITEM_SIZES[analysis.dtype]
        self.heap = Heap()
        self.piece: dict[str, Piece] = {}
        """Of each name, the memory that its tensor is in."""
        self.differentiable = self._differentiable() if training else set()
        """Names of layers whose outputs depend on weights."""
        self.given: list[Given] = []
        """How the inputs of each layer come to it."""
        self.placed: list[Placed] = []
        """Where the output of each layer lies."""
        self._place(network.inputs, training)
        for name, shape in network.inputs.items():
            self.piece[name] = Piece(name, "input")
            item = INDEX_BYTES if name in network.indices else self.item
            self.heap.make(self.piece[name], product(shape) * self.batch * item)
        self.ends = self._ends(self.outputs)

    def _differentiable(self) -> set[str]:
        found: set[str] = set()
        for layer in self.layers:
            if layer.op.weights() or not found.isdisjoint(layer.inputs):
                found.add(layer.name)
        return found

    def _place(self, inputs: Mapping[str, Shape], training: bool) -> None:
        """Lay every tensor out in memory."""
        layouts = {name: Layout.in_order((self.batch, *shape)) for name, shape in inputs.items()}
        tensors = {name: name for name in inputs}  # of a name, the first that is the same tensor
        for layer in self.layers:
            sources = layer.inputs
            given = Given(
                tuple(layouts[name] for name in sources),
                tuple(tensors[name] for name in sources),
                tuple(name in self.differentiable for name in sources),
                training,
            )
            placed = layer.op.place(given)
            self.given.append(given)
            self.placed.append(placed)
            layouts[layer.name] = placed.layout
            tensors[layer.name] = given.tensors[0] if placed.is_same else layer.name

    def _ends(self, outputs: Sequence[str]) -> list[list[str]]:
        """For each layer, the names that nothing takes after it. The network's outputs stay, and its inputs."""
        last: dict[str, int] = {}
        for at, layer in enumerate(self.layers):
            last[layer.name] = at
            for source in layer.inputs:
                if source in last:
                    last[source] = at
        ends: list[list[str]] = [[] for _ in self.layers]
        for name, at in last.items():
            if name not in outputs:
                ends[at].append(name)
        return ends

    def bytes_of(self, held: Held) -> int:
        """Bytes of an operator's tensors, for the whole batch."""
        own = (held.elements * self.batch + held.shared) * self.item
        precise = held.precise * self.batch * max(self.item, LEAST_PRECISE)
        return int(own + precise + held.bytes * self.batch + held.shared_bytes)

    def output_bytes(self, at: int) -> int:
        """Bytes of what layer number ``at`` makes; none for a view."""
        return 0 if self.placed[at].is_view else int(self.layers[at].op.elements * self.batch * self.item)

    def give(self, at: int, what: str = "output") -> None:
        """The output of layer number ``at`` comes to be."""
        layer = self.layers[at]
        if self.placed[at].is_view:
            self.share(layer)
        else:
            self.piece[layer.name] = Piece(layer.name, what)
            self.heap.make(self.piece[layer.name], self.output_bytes(at))

    def share(self, layer: Layer) -> None:
        """The layer's output comes to be in its input's memory."""
        self.piece[layer.name] = self.piece[layer.inputs[0]]
        self.heap.hold(self.piece[layer.name])

    def forget(self, at: int) -> None:
        """Let go of what nothing takes after layer number ``at``."""
        for name in self.ends[at]:
            self.heap.drop(self.piece[name])


def by_layer(moments: Iterable[Moment]) -> list[Moment]:
    """Of the moments of one layer in one pass, which stand together, the highest."""
    groups = groupby(moments, key=lambda moment: (moment.phase, moment.layer))
    return [max(group, key=lambda moment: moment.live_bytes) for _, group in groups]


def peak_of(start: Callable[[], tuple[Heap, Iterator[Moment]]]) -> Peak:
    """The highest moment of a run, which is made twice: to find the moment, and to look what is there.

    Raises `ValueError` where nothing runs.
    """
    _, moments = start()
    highest, best = -1, -1
    for at, moment in enumerate(moments):
        if moment.live_bytes > best:
            highest, best = at, moment.live_bytes
    if highest < 0:
        raise ValueError("no layer runs at inference: there is nothing to measure")
    heap, moments = start()
    moment = next(islice(moments, highest, None))
    alive = heap.alive()
    scratch = moment.live_bytes - heap.live
    if scratch:
        alive += (Alive(Piece(moment.layer, "scratch"), scratch),)
    return Peak(moment, alive)
