"""A tangle as a row: its longest path, and what lies beside it."""

from __future__ import annotations

from itertools import pairwise

from archcalc.render.drawing.picture import Item
from archcalc.render.figures.flow import Edges, Tangle, linked
from archcalc.structs import Struct

MOST_ARROWS = 24
"""A row with more arrows around it says nothing."""


class Side(Struct):
    """Nodes of a side input or of a side output."""

    nodes: tuple[Item, ...]
    links: tuple[Item, ...]
    """The nodes of the row that take a side input, or that a side output takes."""


class Unrolled(Struct):
    """The longest path of a tangle, and what lies beside it."""

    main: tuple[Item, ...]
    arrows: tuple[tuple[Item, Item, bool], ...]
    """From one node past others to another, and whether layers with weights lie on the way."""
    inputs: tuple[Side, ...]
    outputs: tuple[Side, ...]


def unrolled(tangle: Tangle, join: Item | None) -> Unrolled | None:
    """Return a tangle as a row; None if that takes too many arrows, or if several nodes of a side input lead to it.

    Args:
        tangle: nodes whose paths cross.
        join: the node after it, which takes what leaves it; None at the end of a network.
    """
    edges: Edges = {node: list(taken) for node, taken in zip(tangle.nodes, tangle.sources, strict=True)}
    main = _longest(edges)
    on_path = {*pairwise(main), *((source, main[0]) for source in edges[main[0]])}
    if join is not None:
        on_path.add((main[-1], join))
        edges[join] = list(tangle.leaving)
    row = {*main, join}
    reached: dict[Item, dict[Item, bool]] = {}
    """Each node beside the row to the nodes of the row that it takes, directly or not, as in `Unrolled.arrows`."""
    arrows: dict[tuple[Item, Item], bool] = {}
    for node, taken in edges.items():
        starts: dict[Item, bool] = {}
        for source in taken:
            for start, projects in reached.get(source, {source: False}).items():
                starts[start] = starts.get(start, False) or projects
        if node not in row:
            reached[node] = {start: projects or node.has_weights for start, projects in starts.items()}
        else:
            arrows |= {(start, node): projects for start, projects in starts.items() if (start, node) not in on_path}
        if len(arrows) > MOST_ARROWS:
            return None
    led: set[Item] = set()
    """The nodes beside the row that lead to it."""
    for node, taken in reversed(edges.items()):
        if node in row or node in led:
            led.update(source for source in taken if source in reached)
    inputs, outputs = [], []
    for nodes in linked([node for node, starts in reached.items() if node in led and not starts], edges):
        flows = [(source, node) for node, taken in edges.items() for source in taken if source in nodes]
        leaving = [(source, node) for source, node in flows if node not in nodes]
        if len({source for source, _ in leaving}) > 1:
            return None
        takers = [node for _, node in leaving]
        inputs.append(Side(tuple(nodes), tuple(takers)))
    for nodes in linked([node for node in reached if node not in led], edges):
        outputs.append(Side(tuple(nodes), tuple(dict.fromkeys(start for node in nodes for start in reached[node]))))
    passing = tuple((start, end, projects) for (start, end), projects in arrows.items())
    return Unrolled(main, passing, tuple(inputs), tuple(outputs))


def _longest(edges: Edges) -> tuple[Item, ...]:
    """Return the longest path of nodes that are in the order of execution."""
    paths: dict[Item, tuple[int, Item | None]] = {}
    for node, taken in edges.items():
        before = max((source for source in taken if source in paths), key=lambda source: paths[source][0], default=None)
        paths[node] = (1 if before is None else paths[before][0] + 1, before)
    item: Item | None = max(paths, key=lambda end: paths[end][0])
    path = []
    while item is not None:
        path.append(item)
        item = paths[item][1]
    return tuple(path[::-1])
