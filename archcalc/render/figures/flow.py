"""What a figure follows: the nodes of a picture as steps in a row, with forks where paths part and meet again.

A network's graph is divided at the nodes that every path runs through. Between two of them the paths are either
separate, which makes a `Fork`, or tangled, and then their nodes stay together in a `Tangle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archcalc.render.drawing.picture import DrawingNode, Item, Picture, inputs_for
from archcalc.structs import Struct

Edges = dict[Item, list[Item]]
"""Each node to the nodes that it takes, in order."""


class FlowStep(Struct):
    """One node, or one input."""

    node: Item


class Fork(Struct):
    """Paths that part after the step before it and meet in the step after it."""

    branches: tuple[tuple[Part, ...], ...]
    direct: bool
    """True if one more path does not have a step."""
    join: Item | None = None
    """The node that they meet in; None for paths to several outputs."""

    @property
    def adds(self) -> bool:
        """True if they meet in a sum: there, a path of one layer is a shortcut that projects."""
        return self.join is not None and self.join.joins and self.join.adds

    @property
    def concatenates(self) -> bool:
        """True if they meet in a concatenation."""
        return self.join is not None and self.join.joins and self.join.concatenates


class Tangle(Struct):
    """Nodes whose paths cross, in the order of execution, with what each takes."""

    nodes: tuple[Item, ...]
    sources: tuple[tuple[Item, ...], ...]
    leaving: tuple[Item, ...]
    """The nodes whose output is taken by the step after it, or is the network's."""


Part = FlowStep | Fork | Tangle
MOST_NESTED = 60
"""Forks inside forks beyond this depth are tangles, so that no network exhausts the stack."""


class MainPath(Struct):
    """The main path of a network, and the heads beside it."""

    parts: tuple[Part, ...]
    heads: list[tuple[Item, list[DrawingNode]]]
    """Nodes of side outputs, each group with the node that it starts from."""


def flow_of(picture: Picture, keep: Iterable[DrawingNode] | None = None) -> MainPath:
    """Return the flow of a picture, or of some of its nodes; operators that only change a shape are passed over."""
    edges, heads = _followed(picture, set(picture.nodes() if keep is None else keep))
    outside = list(dict.fromkeys(source for taken in edges.values() for source in taken if source not in edges))
    inputs = inputs_for(outside)
    edges = {node: [inputs.get(source, source) for source in taken] for node, taken in edges.items()}
    order: list[Item] = [*inputs.values(), *edges]
    used = {source for taken in edges.values() for source in taken}
    leaving = {node for node in order if node not in used}
    drawn = set(order)
    shown_heads = [(start, nodes) for start, nodes in heads.items() if start is not None and start in drawn]
    return MainPath(_parts(order, edges, leaving, None, 0), shown_heads)


def _followed(picture: Picture, kept: set[DrawingNode]) -> tuple[Edges, dict[Item | None, list[DrawingNode]]]:
    """Return the edges of the main path, and the nodes of side outputs by the item that they start from."""
    sources: Edges = {}
    for edge in picture.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    taken = {edge.source for edge in picture.edges}
    passed: dict[Item, Item] = {}
    """Nodes that are passed over to what they take."""
    edges: Edges = {}
    starts: dict[Item, Item | None] = {}
    heads: dict[Item | None, list[DrawingNode]] = {}
    constants: set[Item] = set()
    for node in picture.nodes():
        given = sources.get(node, [])
        followed = list(dict.fromkeys(passed.get(source, source) for source in given if source not in constants))
        if node.auxiliary:
            starts[node] = next((starts.get(source, source) for source in followed), None)
            heads.setdefault(starts[node], []).append(node)
        elif node not in kept:
            continue
        elif not node.group and node in taken and constants.issuperset(given) and not (given and node.main.params):
            constants.add(node)  # a free tensor, or what is computed from such alone
        elif len(followed) == 1 and not node.group and node.category == "shape":
            passed[node] = followed[0]
        elif len(followed) == 1 and node in taken and _merges(node) and not constants.isdisjoint(given):
            passed[node] = followed[0]  # scaled, or shifted, by weights
        else:
            edges[node] = followed
    return edges, heads


def _merges(node: DrawingNode) -> bool:
    return node.joins and node.category == "merge"


def nodes_in(parts: Iterable[Part]) -> Iterator[Item]:
    """Yield every node of parts."""
    for part in parts:
        if isinstance(part, FlowStep):
            yield part.node
        elif isinstance(part, Tangle):
            yield from part.nodes
        else:
            for branch in part.branches:
                yield from nodes_in(branch)


def _parts(order: list[Item], edges: Edges, leaving: set[Item], end: Item | None, nested: int) -> tuple[Part, ...]:
    """Return the parts of nodes in topological order.

    Sources that are not among them are one node before all, and what takes a node of ``leaving`` one after all.
    """
    place = {node: index for index, node in enumerate(order)}
    before, after = -1, len(order)
    taken = [{place.get(source, before) for source in edges.get(node, [])} or {before} for node in order]
    taken.append({place[node] for node in order if node in leaving})
    farthest = dict.fromkeys(range(before, after), before)
    for index, sources in enumerate(taken):
        for source in sources:
            farthest[source] = max(farthest[source], index)
    parts: list[Part] = []
    last, reach = before, farthest[before]
    for index in range(after + 1):
        if reach > index:
            reach = max(reach, farthest[index])
            continue
        between = order[last + 1 : index]
        if between:
            ends = leaving if index == after else set(edges.get(order[index], ()))
            parts.append(
                _between(between, edges, ends, last in taken[index], order[index] if index < after else end, nested)
            )
        if index < after:
            parts.append(FlowStep(order[index]))
            last, reach = index, max(reach, farthest[index])
    return tuple(parts)


def _between(nodes: list[Item], edges: Edges, leaving: set[Item], direct: bool, end: Item | None, nested: int) -> Part:
    """Return the part for the nodes between two that every path runs through."""
    groups = linked(nodes, edges)
    if (len(groups) == 1 and not direct) or nested >= MOST_NESTED:
        sources = tuple(tuple(edges.get(node, ())) for node in nodes)
        return Tangle(tuple(nodes), sources, tuple(node for node in nodes if node in leaving))
    return Fork(tuple(_parts(group, edges, leaving, end, nested + 1) for group in groups), direct, end)


def linked(nodes: list[Item], edges: Edges) -> list[list[Item]]:
    """Return nodes in groups: those that edges between them link."""
    parent = {node: node for node in nodes}

    def root(node: Item) -> Item:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for node in nodes:
        for source in edges.get(node, []):
            if source in parent:
                parent[root(source)] = root(node)
    groups: dict[Item, list[Item]] = {}
    for node in nodes:
        groups.setdefault(root(node), []).append(node)
    return [*groups.values()]
