"""A network that runs: its layers in order, how their tensors lie in memory, and which of them are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcalc.analysis.costs import ITEM_SIZES, Analysis
from archcalc.analysis.heap import Heap, Moment, Piece
from archcalc.arithmetic import Shape, product
from archcalc.network import Layer, Network
from archcalc.ops.layout import Given, Layout, Placed
from archcalc.ops.operator import Held

INDEX_BYTES = 8
"""Bytes of a whole number that points into a table."""

LEAST_PRECISE = 4
"""Bytes of a number that is kept precisely, at least: PyTorch computes in float32 what halves are too coarse for."""


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


_PAIR = "\0"
"""Stands in the names of pairs that a join begins with, and in no other."""


def shown(name: str) -> str:
    """What the analysis calls a layer, a part of which this may be."""
    return name.partition(_PAIR)[0]


def piece_of(name: str, what: str, made_by: str = "") -> Piece:
    """The piece of memory of a layer, or of a pair that it begins with."""
    layer, _, number = name.partition(_PAIR)
    return Piece(layer, what, shown(made_by) or number)


def _pairs(layer: Layer) -> list[Layer]:
    """The layer as it runs: a join of more than two inputs takes one after another."""
    operators = layer.op.pairs()
    if not operators:
        return [layer]
    left, *others = layer.inputs
    pairs = []
    for number, (op, right) in enumerate(zip(operators, others, strict=True), 1):
        name = layer.name if number == len(others) else f"{layer.name}{_PAIR}{number}"
        pairs.append(Layer(name, op, (left, right), layer.origin))
        left = name
    return pairs


class Run:
    """A network that runs: its tensors, by the names of the layers that make them."""

    def __init__(self, analysis: Analysis, training: bool = False) -> None:
        network = analysis.network
        passed = _passed(network)
        self.layers: list[Layer] = []
        """Those of the analysis, in order; joins of several inputs as a row of pairs."""
        self.rows: list[range] = []
        """Of each of the analysis' layers, the numbers of what it is here."""
        for row in analysis.rows:
            pairs = _pairs(_fed(row.layer, passed))
            self.rows.append(range(len(self.layers), len(self.layers) + len(pairs)))
            self.layers.extend(pairs)
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
        self.shapes: dict[str, Shape] = dict(network.inputs)
        """Of each name, the shape per sample."""
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
        tensors: dict[str, str] = {}  # of a layer that gives the very tensor it takes, what that is called
        for at, unresolved in enumerate(self.layers):
            layer = self.layers[at] = _fed(unresolved, tensors)
            sources = layer.inputs
            given = Given(
                tuple(layouts[name] for name in sources),
                sources,
                tuple(name in self.differentiable for name in sources),
                training,
            )
            placed = layer.op.place(given)
            self.given.append(given)
            self.placed.append(placed)
            layouts[layer.name] = placed.layout
            self.shapes[layer.name] = layer.op.output
            if placed.is_same:
                tensors[layer.name] = sources[0]
        self.outputs = tuple(tensors.get(name, name) for name in self.outputs)

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

    def within(self, block: range) -> range:
        """The numbers of a row of the analysis' layers here."""
        return range(self.rows[block.start].start, self.rows[block.stop - 1].stop)

    def moment(self, phase: str, at: int, scratch: int = 0) -> Moment:
        """The memory now, while layer number ``at`` runs."""
        return self.heap.moment(phase, shown(self.layers[at].name), scratch)

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
            self.piece[layer.name] = piece_of(layer.name, what)
            self.heap.make(self.piece[layer.name], self.output_bytes(at))

    def share(self, layer: Layer) -> None:
        """The layer's output comes to be in its input's memory."""
        self.piece[layer.name] = self.piece[layer.inputs[0]]
        self.heap.hold(self.piece[layer.name])

    def forget(self, at: int) -> None:
        """Let go of what nothing takes after layer number ``at``."""
        for name in self.ends[at]:
            self.heap.drop(self.piece[name])
