"""A part of a picture: from one layer or group to another, or without some categories of operators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from archcalc.errors import UserError
from archcalc.render.drawing.picture import Cluster, DrawingEdge, DrawingNode, Item, Picture, inputs_for
from archcalc.structs import Struct
from archcalc.words import did_you_mean, quote


class PictureOptions(Struct):
    """The options of drawings and figures: what is shown of a network, in which colors."""

    depth: int | None = None
    """Groups deeper than this many names are one node; None: the deepest that a person can read."""
    every_layer: bool = False
    """True if activations, normalization and dropout are nodes of their own."""
    collapsed: bool | None = None
    """True if runs of equal blocks are drawn once; None: only where all would be too many."""
    theme: str = "light"
    """One of `colors.THEMES`; a light svg of a graph follows a reader's own choice of dark."""
    labels: tuple[str, ...] | None = None
    """What a box says, of `labels.LABELS`; None: what is usual."""
    hide: tuple[str, ...] = ()
    """Categories of operators that are left out where they have one input."""
    first: str | None = None
    """The layer or group to begin with; None for the network's first."""
    last: str | None = None


def part_of(picture: Picture, options: PictureOptions) -> Picture:
    """Return the part of a picture that is asked for; what it takes of the rest are its inputs.

    Raises `UserError` for a name that no layer or group has, if ``first`` comes after ``last``, or if nothing is left.
    """
    hidden, first, last = options.hide, options.first, options.last
    if not hidden and first is None and last is None:
        return picture
    taken: dict[DrawingNode, list[Item]] = {}
    for edge in picture.edges:
        taken.setdefault(edge.target, []).append(edge.source)
    nodes = picture.nodes()
    kept = set(_between(nodes, first, last))
    passed: dict[Item, Item] = {}
    for node in nodes:
        sources = list(dict.fromkeys(passed.get(source, source) for source in taken.get(node, [])))
        if node in kept and not node.group and node.category in hidden and len(sources) == 1:
            kept.remove(node)
            passed[node] = sources[0]
    if not kept:
        raise UserError("--hide leaves nothing to draw")
    edges = [DrawingEdge(passed.get(edge.source, edge.source), edge.target) for edge in picture.edges]
    edges = [edge for edge in edges if edge.target in kept]
    outside = list(dict.fromkeys(edge.source for edge in edges if edge.source not in kept))
    inputs = inputs_for(outside)
    shown = [DrawingEdge(inputs.get(edge.source, edge.source), edge.target) for edge in edges]
    named = {item.name: item for item in inputs.values()}
    return replace(picture, root=_only(picture.root, kept), edges=shown, inputs=named)


def _only(cluster: Cluster, kept: Collection[DrawingNode]) -> Cluster:
    """Return a cluster with the nodes that are kept, without clusters that are empty then."""
    result = replace(cluster, children=[])
    for child in cluster.children:
        if isinstance(child, Cluster):
            inner = _only(child, kept)
            result.children += [inner] if inner.children else []
        elif child in kept:
            result.children.append(child)
    return result


def _between(nodes: list[DrawingNode], first: str | None, last: str | None) -> list[DrawingNode]:
    start = _places(nodes, first, "--from")[0] if first is not None else 0
    end = _places(nodes, last, "--to")[-1] if last is not None else len(nodes) - 1
    if start > end:
        raise UserError(f"--from {quote(first or '')} comes after --to {quote(last or '')}")
    return nodes[start : end + 1]


def _places(nodes: list[DrawingNode], name: str, option: str) -> list[int]:
    places = [
        index
        for index, node in enumerate(nodes)
        if any(row.name == name or row.name.startswith(name + ".") for row in node.layers)
    ]
    if not places:
        raise UserError(
            f"{option}: no layer or group is called {quote(name)}" + did_you_mean(name, [n.name for n in nodes])
        )
    return places
