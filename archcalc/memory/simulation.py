"""A network that runs: its layers in order, the layout of their tensors, and which of them are live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from archcalc.analysis.costs import Analysis
from archcalc.analysis.types import tensor_types
from archcalc.arithmetic import Shape, product
from archcalc.dtypes import BITS, bytes_of
from archcalc.memory.casting import copied_weights, with_casts
from archcalc.memory.estimating import modelled
from archcalc.memory.heap import Heap, Storage, TimelinePoint
from archcalc.network import Layer, Network
from archcalc.ops.layout import InputTensors, Layout, Placement
from archcalc.ops.vocabulary import Workspace, Workspaces

INDEX_BYTES = 8
"""Bytes of an integer: an index into a table, or a count of batches."""

STATISTICS = "float32"
"""The type that PyTorch uses for some numbers where the dtype is smaller."""


def _bypassed(network: Network) -> dict[str, str]:
    """Return each layer that exists only in training, with the tensor that inference uses instead."""
    bypassed: dict[str, str] = {}
    for layer in network.layers:
        if layer.train:
            source = layer.inputs[0]
            bypassed[layer.name] = bypassed.get(source, source)
    return bypassed


def _rewired(layer: Layer, names: Mapping[str, str]) -> Layer:
    """Return the layer with its inputs renamed."""
    if names.keys().isdisjoint(layer.inputs):
        return layer
    return layer.rewired(layer.op, tuple(names.get(name, name) for name in layer.inputs))


_PAIR = "\0"
"""Separates a join's name from a pair's number; no other name contains it."""


def layer_of(name: str) -> str:
    """Return the name of the analysis' layer that a layer here is, or is a part of."""
    return name.partition(_PAIR)[0]


def storage_of(name: str, use: str, made_by: str = "") -> Storage:
    """Return the storage of a layer, or of a pair of a join."""
    layer, _, number = name.partition(_PAIR)
    return Storage(layer, use, layer_of(made_by) or number)


def _pairs(layer: Layer) -> list[Layer]:
    """Return the layer as it runs: a join of more than two inputs adds them one after another."""
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


class MemorySimulation:
    """The tensors of a network that runs, by the names of the layers that make them.

    The memory of an operator that does not model it is estimated (`memory.estimating`).
    """

    def __init__(self, analysis: Analysis, training: bool = False) -> None:
        network = analysis.network
        bypassed = _bypassed(network)
        self.roles = analysis.counting.roles
        self.types = dict(tensor_types(network, analysis.counting))
        """The type of each tensor; empty if all have that of activations."""
        self.layers: list[Layer] = []
        """The layers of the analysis in order; a join of several inputs is a sequence of pairs."""
        self.rows: list[range] = []
        """For each layer of the analysis, its numbers in `layers`."""
        for row in analysis.rows:
            pairs = _pairs(_rewired(modelled(row.layer), bypassed))
            if self.roles.autocast:
                pairs = [
                    layer for pair in pairs for layer in with_casts(pair, self._typed(pair), self.roles.autocast, _PAIR)
                ]
            self.rows.append(range(len(self.layers), len(self.layers) + len(pairs)))
            self.layers.extend(pairs)
        self.outputs = tuple(bypassed.get(name, name) for name in network.outputs)
        self.batch = analysis.batch
        self.copies: list[Storage] = []
        """The copies of weights that autocast keeps until the forward pass ends."""
        self.heap = Heap()
        self.by_name = {layer.name: layer for layer in network.layers}
        self.tied = {ref for layer in network.layers for ref in layer.ties.values()}
        """The weights that several layers have."""
        self.trained = {row.name: network.trained_weights(row.layer) for row in analysis.rows}
        """For each layer of the analysis, the names of its trained weights."""
        self.storage: dict[str, Storage] = {}
        """The storage of each layer's or input's tensor."""
        self.differentiable = self._differentiable() if training else set()
        """Names of layers whose outputs depend on trained weights."""
        self.tensors: list[InputTensors] = []
        """The inputs of each layer: their layouts, and whether they need gradients."""
        self.placements: list[Placement] = []
        """The layout of each layer's output."""
        self.shapes: dict[str, Shape] = dict(network.inputs)
        """Shape of each tensor, per sample."""
        self.integers = set(network.indices)
        """Names of tensors of integers."""
        self._place(network.inputs, training)
        for name, shape in network.inputs.items():
            self.storage[name] = Storage(name, "input")
            elements = product(shape) * self.batch
            size = elements * INDEX_BYTES if name in network.indices else self.tensor_bytes(name, elements)
            self.heap.make(self.storage[name], size)
        self.last_uses = self._last_uses(self.outputs)
        """For each layer, the names that no layer takes after it, without the network's inputs and outputs."""

    def _differentiable(self) -> set[str]:
        found: set[str] = set()
        for layer in self.layers:
            positions = (number for number, source in enumerate(layer.inputs) if source in found)
            if any(map(layer.op.differentiates, positions)) or self.trained.get(layer.name):
                found.add(layer.name)
        return found

    def _place(self, inputs: Mapping[str, Shape], training: bool) -> None:
        """Give every tensor its layout."""
        layouts = {name: Layout.in_order((self.batch, *shape)) for name, shape in inputs.items()}
        renamed: dict[str, str] = {}  # a layer that returns its input tensor to that tensor's name
        for number, unresolved in enumerate(self.layers):
            layer = self.layers[number] = _rewired(unresolved, renamed)
            sources = layer.inputs
            tensors = InputTensors(
                tuple(layouts[name] for name in sources),
                sources,
                tuple(name in self.differentiable for name in sources),
                training,
                bool(self.trained.get(layer.name)),
                self.dtype_of(layer.name),
                bool(self.roles.autocast),
            )
            if layer.op.gives_indices or layer.moves(self.integers):
                self.integers.add(layer.name)
            placement = layer.op.placement(tensors)
            self.tensors.append(tensors)
            self.placements.append(placement)
            layouts[layer.name] = placement.layout
            self.shapes[layer.name] = layer.op.output
            if placement.is_same:
                renamed[layer.name] = sources[0]
        self.outputs = tuple(renamed.get(name, name) for name in self.outputs)

    def _last_uses(self, outputs: Sequence[str]) -> list[list[str]]:
        last: dict[str, int] = {}
        for number, layer in enumerate(self.layers):
            last[layer.name] = number
            last.update((source, number) for source in layer.inputs if source in last)
        uses: list[list[str]] = [[] for _ in self.layers]
        for name, number in last.items():
            if name not in outputs:
                uses[number].append(name)
        return uses

    def within(self, rows: range) -> range:
        """Return the numbers in `layers` of consecutive layers of the analysis."""
        return range(self.rows[rows.start].start, self.rows[rows.stop - 1].stop)

    def point(self, phase: str, number: int, workspace: int = 0) -> TimelinePoint:
        """Return the live memory now, while layer ``number`` runs."""
        return self.heap.point(phase, layer_of(self.layers[number].name), workspace)

    def dtype_of(self, name: str) -> str:
        """Return the type of a tensor."""
        return self.types.get(name, self.roles.activations)

    def _typed(self, pair: Layer) -> dict[str, str]:
        """Return the types, with that of a pair of a join, which is the join's."""
        self.types.setdefault(pair.name, self.dtype_of(layer_of(pair.name)))
        return self.types

    def copy_weights(self, number: int) -> list[Storage]:
        """Make the copies of a layer's weights that autocast makes; return that of what autograd may save.

        Copies of trained weights are kept until the forward pass ends, for other uses.
        """
        layer = self.layers[number]
        weights, biases = copied_weights(layer, self.roles.autocast)
        made = []
        for size, what in ((weights, "copied weights"), (biases, "copied biases")):
            storage = Storage(layer.shares or layer.name, "saved", what)
            if size and not self.heap.has(storage):
                self.heap.make(storage, size)
                self.copies.append(storage)
            made.append(storage)
        return made[:1] if weights else []

    def drop_copies(self) -> None:
        """Drop the copies of weights, at the end of the forward pass."""
        self.heap.drop(*self.copies)
        self.copies.clear()

    def tensor_bytes(self, name: str, elements: Any) -> Any:
        """Return the bytes of so many elements in the type of a tensor."""
        return bytes_of(elements, self.dtype_of(name))

    def bytes_of(self, workspace: Workspace, number: int) -> Any:
        """Return the bytes of the workspace of layer ``number``, for the whole batch."""
        dtype = self.dtype_of(self.layers[number].name)
        own = bytes_of(workspace.elements * self.batch + workspace.shared, dtype)
        precise = bytes_of(
            workspace.precise * self.batch + workspace.shared_precise,
            max(dtype, STATISTICS, key=lambda candidate: BITS[candidate]),
        )
        return own + precise + workspace.bytes * self.batch + workspace.shared_bytes

    def workspaces(self, number: int) -> Workspaces:
        """Return the workspaces of layer ``number``, for its inputs."""
        return self.layers[number].op.workspaces_for(self.tensors[number])

    def workspace_points(self, phase: str, number: int, workspaces: Iterable[Workspace]) -> Iterator[TimelinePoint]:
        """Yield the points at which layer ``number`` uses each of its workspaces."""
        for workspace in workspaces:
            yield self.point(phase, number, self.bytes_of(workspace, number))

    def output_bytes(self, number: int) -> Any:
        """Return the bytes of the output of layer ``number``; 0 for a view."""
        placement, layer = self.placements[number], self.layers[number]
        if placement.is_view:
            return 0
        elements = layer.op.elements * self.batch if placement.elements is None else placement.elements
        return elements * INDEX_BYTES if layer.name in self.integers else self.tensor_bytes(layer.name, elements)

    def make_output(self, number: int, use: str = "output") -> None:
        """Allocate the output of layer ``number``, or share its input's storage if it is a view."""
        layer = self.layers[number]
        if self.placements[number].is_view:
            self.share_input(layer)
        else:
            self.storage[layer.name] = storage_of(layer.name, use)
            self.heap.make(self.storage[layer.name], self.output_bytes(number))

    def share_input(self, layer: Layer, source: str = "") -> None:
        """Put the layer's output into the storage of an input, the first one if none is named."""
        self.storage[layer.name] = self.storage[source or layer.inputs[0]]
        self.heap.hold(self.storage[layer.name])

    def release(self, number: int) -> None:
        """Drop the tensors that no layer takes after layer ``number``."""
        self.heap.drop(*[self.storage[name] for name in self.last_uses[number]])
