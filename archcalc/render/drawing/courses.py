"""The course of edges: which pass beside other nodes, and which climb in a network in the shape of a U."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from archcalc.render.drawing.picture import DrawingEdge, DrawingNode, Item, Picture

LEAST_CHANGE = 16
"""A U's largest maps have at least this many times as many positions as its smallest, on both sides."""
LEAST_COPIES = 2


def rows_of(picture: Picture) -> dict[Item, int]:
    """Return the row of every node that an edge reaches: one below the lowest that it takes. Inputs have row 0."""
    sources: defaultdict[DrawingNode, list[Item]] = defaultdict(list)
    for edge in picture.edges:
        sources[edge.target].append(edge.source)
    rows: dict[Item, int] = {}
    for node in picture.root.nodes():
        rows[node] = max((rows.get(source, 0) for source in sources[node]), default=0) + 1
    return rows


def crossings(picture: Picture) -> int:
    """Return the number of rows that all edges cross together. The cost of a layout grows with it."""
    rows = rows_of(picture)
    return sum(rows[edge.target] - rows.get(edge.source, 0) for edge in picture.edges)


def beside(picture: Picture) -> set[DrawingEdge]:
    """Return the edges that pass over rows while another edge of their source does not: shortcuts."""
    rows = rows_of(picture)
    spans = {edge: rows[edge.target] - rows.get(edge.source, 0) for edge in picture.edges}
    fans = Counter(edge.source for edge in picture.edges)
    nearest: dict[Item, int] = {}
    for edge, span in spans.items():
        nearest[edge.source] = min(span, nearest.get(edge.source, span))
    return {
        edge
        for edge, span in spans.items()
        if span > 1 and fans[edge.source] > 1 and nearest[edge.source] < span and edge.target.joins
    }


def climbing(picture: Picture) -> set[DrawingNode]:
    """Return the nodes of the right side of a U: those after the smallest maps, if maps grow again and take copies."""
    nodes = [node for node in picture.root.nodes() if not node.auxiliary]
    sizes = [_positions(node) for node in nodes]
    if len(nodes) < 3:
        return set()
    smallest = min(sizes)
    bottom = len(sizes) - 1 - sizes[::-1].index(smallest)
    down, up = sizes[:bottom], sizes[bottom + 1 :]
    if min(max(down, default=0), max(up, default=0)) < LEAST_CHANGE * smallest or 2 * up[-1] < max(up):
        return set()
    after = set(nodes[bottom + 1 :])
    before = set(nodes[:bottom])
    copies = sum(1 for edge in picture.edges if edge.source in before and edge.target in after)
    return after if copies >= LEAST_COPIES else set()


def is_smaller(node: Item, other: DrawingNode) -> bool:
    """Return whether the maps of a node have at most as many positions: at the right side of a U it is below."""
    return isinstance(node, DrawingNode) and _positions(node) <= _positions(other)


def _positions(node: DrawingNode) -> int:
    return math.prod(size for _, size in node.form if size is not None)
