"""The content of a drawing: a network's layers as nodes, its groups as clusters, tensors as edges.

A node is a layer with the normalization, activation and dropout around it, as papers draw a box; or a whole group, if
the drawing goes no deeper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import ClassVar

from archcalc.analysis import Analysis, LayerCosts
from archcalc.analysis.rows import FOLDED
from archcalc.arithmetic import Shape
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import UNREAD
from archcalc.structs import Struct


@dataclass(eq=False)
class DrawingNode:
    """A box of the drawing."""

    layers: list[LayerCosts]
    scope: str
    """Path of the group that contains it; empty at the top."""
    group: str = ""
    """Path of the group that it shows, if it shows one."""
    head: int = 0
    """Which of its layers it is named after."""
    sources: list[str] = field(default_factory=list)
    """The layers or inputs of the network that it takes; twice if it takes one twice."""
    repeats: list[DrawingNode] = field(default_factory=list)
    """The nodes of later, equal blocks that it represents."""
    run: tuple[str, str, int] | None = None
    """Paths of the first and last of the equal blocks that it alone represents, and their number."""

    @property
    def main(self) -> LayerCosts:
        """The layer that it is named after."""
        return self.layers[self.head]

    @property
    def op(self) -> Operator:
        """The operator that it is named after."""
        return self.main.layer.op

    @property
    def has_weights(self) -> bool:
        """True if any of its layers has weights."""
        return any(row.params for row in self.layers)

    @property
    def name(self) -> str:
        """Its full name."""
        return self.group or self.main.name

    @property
    def form(self) -> tuple[tuple[str, int | None], ...]:
        """The axes of its output with their sizes, without those of channels and features, which may grow."""
        named = zip(self.output_axes, self.output_shape, strict=True)
        return tuple((name, None if name in ("channels", "features") else size) for name, size in named)

    @property
    def output_shape(self) -> Shape:
        """The output of its last layer."""
        return self.layers[-1].output_shape

    @property
    def output_axes(self) -> tuple[str, ...]:
        """The names of its axes."""
        return self.layers[-1].output_axes

    @property
    def latest(self) -> DrawingNode:
        """The last of the equal nodes that it represents; itself, if there are none."""
        return self.repeats[-1] if self.repeats else self

    @property
    def category(self) -> str:
        """The category of the operator that it is named after; of a group, that of its costliest layer."""
        return category_of(self.layers) if self.group else self.op.category

    @property
    def shown_layer(self) -> str:
        """The layer that its box leads to."""
        return self.main.name

    @property
    def auxiliary(self) -> bool:
        return self.main.layer.auxiliary

    def nodes(self) -> Iterator[DrawingNode]:
        """Yield it, as a cluster yields the nodes in it."""
        yield self

    def everything(self) -> Iterator[DrawingNode]:
        """Yield it, and every node that it represents."""
        yield self
        for node in self.repeats:
            yield from node.everything()

    @property
    def joins(self) -> bool:
        """True if it is a single join of branches."""
        return not self.group and self.op.joins

    @property
    def adds(self) -> bool:
        """True if it is named after a sum of its inputs."""
        return self.op.adds

    @property
    def concatenates(self) -> bool:
        """True if it is named after a concatenation."""
        return self.op.laid_along() is not None


def category_of(layers: Iterable[LayerCosts]) -> str:
    """Return the category that colors several layers: that of the costliest."""
    return max(layers, key=lambda row: (row.macs, row.params)).layer.op.category


def scope_of(nodes: Sequence[DrawingNode]) -> str:
    """Return the path of the innermost group around nodes; empty if there is none."""
    paths = [node.name.split(".")[:-1] for node in nodes]
    same = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return ".".join(parts[0] for parts in same)


@dataclass(eq=False)
class InputNode:
    """What a picture begins with: an input of the network, or the output of something left out."""

    name: str
    output_shape: Shape
    output_axes: tuple[str, ...]
    category: ClassVar[str] = "input"
    group: ClassVar[str] = ""
    shown_layer: ClassVar[str] = ""
    has_weights: ClassVar[bool] = False
    joins: ClassVar[bool] = False
    adds: ClassVar[bool] = False
    concatenates: ClassVar[bool] = False

    @property
    def latest(self) -> InputNode:
        """Itself: it represents no other."""
        return self


Item = DrawingNode | InputNode
"""What a tensor comes from, and what a figure has a box for."""


def inputs_for(outside: Sequence[Item]) -> dict[Item, InputNode]:
    """Return what a part of a picture begins with in place of each item outside of it."""
    return {
        item: item
        if isinstance(item, InputNode)
        else InputNode(item.name if len(outside) > 1 else "input", item.output_shape, item.output_axes)
        for item in outside
    }


@dataclass(eq=False)
class Cluster:
    """A group with its nodes and groups, in order."""

    path: str
    block: str = ""
    """Name of the block that it is; empty for a plain group."""
    children: list[Cluster | DrawingNode] = field(default_factory=list)
    last: str = ""
    """Path of the last of the equal blocks that it represents."""
    count: int = 1
    """The number of blocks that it represents."""

    def nodes(self) -> Iterator[DrawingNode]:
        """Yield every node in it, in order."""
        for child in self.children:
            yield from child.nodes()

    def unwrapped(self) -> Cluster:
        """Return it without clusters around a single node."""
        result = Cluster(self.path, self.block, [], self.last, self.count)
        for child in self.children:
            if isinstance(child, DrawingNode):
                result.children.append(child)
                continue
            inner = child.unwrapped()
            only = inner.children[0] if len(inner.children) == 1 else None
            if isinstance(only, DrawingNode):
                if child.count > 1:
                    only.run = (child.path, child.last, child.count)
                result.children.append(only)
            else:
                result.children.append(inner)
        return result


class DrawingEdge(Struct):
    """A tensor from a node, or from an input, to a node."""

    source: Item
    target: DrawingNode


class Picture(Struct):
    """A drawing before it is laid out."""

    analysis: Analysis
    root: Cluster
    edges: list[DrawingEdge]
    inputs: dict[str, InputNode]
    """Inputs of the network, or outputs of what is left out."""

    @property
    def network(self) -> Network:
        return self.analysis.network

    def nodes(self) -> list[DrawingNode]:
        """Return every node in the order of execution, which a group that is taken up again does not follow."""
        place = {layer.name: index for index, layer in enumerate(self.network.layers)}
        return sorted(self.root.nodes(), key=lambda node: place[node.layers[-1].name])


def group_depths(analysis: Analysis) -> range:
    """Return the depths at which some groups are boxes, each less deep than the one before."""
    return range(max(layer.name.count(".") for layer in analysis.network.layers), 0, -1)


def compose(analysis: Analysis, *, depth: int | None = None, every_layer: bool = False) -> Picture:
    """Return the picture of a network, with nothing left out.

    ``depth`` joins what is deeper than that many names into one node for its group, as a table's depth does. With
    ``every_layer``, activations, normalization and dropout are nodes of their own.
    """
    maker = _Maker(analysis, depth, every_layer)
    for layer in analysis.network.layers:
        maker.add(maker.costs[layer.name])
    root = maker.clusters()
    edges = [DrawingEdge(source, node) for node in maker.nodes for source in maker.sources(node)]
    return Picture(analysis, root, edges, maker.inputs)


class _Maker:
    """Puts layers into nodes, in the order of execution."""

    def __init__(self, analysis: Analysis, depth: int | None, every_layer: bool) -> None:
        self.network = network = analysis.network
        self.inputs = {name: InputNode(name, shape, network.axes[name]) for name, shape in network.inputs.items()}
        self.depth = depth
        self.every_layer = every_layer
        self.costs = {row.name: row for row in (*analysis.rows, *analysis.auxiliary)}
        self.nodes: list[DrawingNode] = []
        self.node_of: dict[str, DrawingNode] = {}
        self.groups: dict[str, DrawingNode] = {}
        self.reads = {layer.name: () if _is_constant(layer.op) else layer.inputs for layer in network.layers}
        self.uses = Counter((*chain(*self.reads.values()), *network.outputs, *network.side_outputs))

    def add(self, row: LayerCosts) -> None:
        group = self._group_drawn(row.name)
        if group:
            node = self._group_node(group)
            node.layers.append(row)
            node.sources += [name for name in self.reads[row.name] if self.node_of.get(name) is not node]
        else:
            node = self._before(row) or self._new(DrawingNode([], self._scope(row.name)))
            if not node.layers:
                node.sources = list(self.reads[row.name])
            node.layers.append(row)
            if not self._small(row) and len(node.layers) > 1:
                node.head = len(node.layers) - 1
                node.scope = self._scope(row.name)
        self.node_of[row.name] = node

    def sources(self, node: DrawingNode) -> list[Item]:
        """Return the inputs of a node; for a group, each once."""
        nodes = [self.node_of.get(source) or self.inputs[source] for source in node.sources]
        return list(dict.fromkeys(nodes)) if node.group else nodes

    def _new(self, node: DrawingNode) -> DrawingNode:
        self.nodes.append(node)
        return node

    def _group_node(self, group: str) -> DrawingNode:
        if group not in self.groups:
            self.groups[group] = self._new(DrawingNode([], self._scope(group), group))
        return self.groups[group]

    def _group_drawn(self, name: str) -> str:
        """Return the group that represents a layer, if the layer is too deep to be drawn."""
        parts = name.split(".")
        return ".".join(parts[: self.depth]) if self.depth is not None and len(parts) > self.depth else ""

    def _scope(self, path: str) -> str:
        """Return the innermost group around a path."""
        while path:
            path = path.rpartition(".")[0]
            if path in self.network.groups:
                return path
        return ""

    def _small(self, row: LayerCosts) -> bool:
        return not self.every_layer and row.layer.op.category in FOLDED

    def _before(self, row: LayerCosts) -> DrawingNode | None:
        """Return the node that a layer belongs to: that of the layer before it by default."""
        read = self.reads[row.name]
        if self.every_layer or len(read) != 1 or self.uses[read[0]] != 1:
            return None
        node = self.node_of.get(read[0])
        if node is None or node.group or node.auxiliary != row.layer.auxiliary:
            return None
        scope = self._scope(row.name)
        if self._small(row):
            return node if scope == node.scope or (_inside(node.scope, scope) and not node.joins) else None
        waiting = all(map(self._small, node.layers))
        return node if waiting and _inside(scope, node.scope) and not row.layer.op.joins else None

    def clusters(self) -> Cluster:
        """Return the nodes in the tree of their groups."""
        clusters = {"": Cluster("")}

        def cluster(path: str) -> Cluster:
            if path not in clusters:
                made = clusters[path] = Cluster(path, self.network.groups[path])
                cluster(self._scope(path)).children.append(made)
            return clusters[path]

        for node in self.nodes:
            cluster(node.scope).children.append(node)
        return clusters[""]


def _is_constant(op: Operator) -> bool:
    """True for a tensor that does not depend on the input that its layer formally has, such as one of weights."""
    return all(axis == UNREAD for access in op.accesses() for axis in access)


def _inside(path: str, group: str) -> bool:
    return not group or path == group or path.startswith(group + ".")
