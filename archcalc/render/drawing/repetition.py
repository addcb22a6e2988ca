"""Equal blocks that follow each other, drawn once with `× N`."""

from __future__ import annotations

from typing import Any

from archcalc.render.drawing.picture import Cluster, DrawingEdge, DrawingNode, Item, Picture
from archcalc.structs import replace


def collapse(picture: Picture) -> Picture:
    """Return the picture with every run of equal blocks drawn as its first block.

    Blocks are equal if they have the same operators with the same arguments, wired alike. Only channels that follow
    from a growing input (DenseNet) and drop rates may differ. They make a run if each takes the output of the one
    before it, and otherwise only outputs of the run's blocks or inputs of the first.
    """
    return _Collapser(picture).collapsed()


class _Collapser:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.sources: dict[DrawingNode, list[Item]] = {}
        self.stands_for: dict[Item, DrawingNode] = {}
        for edge in picture.edges:
            self.sources.setdefault(edge.target, []).append(edge.source)

    def collapsed(self) -> Picture:
        root = self._collapse(self.picture.root)
        edges = []
        for edge in self.picture.edges:
            if edge.target in self.stands_for:
                continue
            source = edge.source
            while source in self.stands_for:
                source = self.stands_for[source]
            edges.append(DrawingEdge(source, edge.target))
        return replace(self.picture, root=root, edges=edges)

    def _collapse(self, cluster: Cluster) -> Cluster:
        kept: list[Cluster | DrawingNode] = []
        run: list[Cluster | DrawingNode] = []
        for child in cluster.children:
            if run and self._continues(run, child):
                run.append(child)
                continue
            self._close(run)
            run = [child]
            kept.append(child)
        self._close(run)
        collapsed = Cluster(cluster.path, cluster.block, [], cluster.last, cluster.count)
        collapsed.children = [child if isinstance(child, DrawingNode) else self._collapse(child) for child in kept]
        return collapsed

    def _close(self, run: list[Cluster | DrawingNode]) -> None:
        """Let the first block of a run represent all."""
        for other in run[1:]:
            for node, same in zip(run[0].nodes(), other.nodes(), strict=True):
                node.repeats.append(same)
                self.stands_for[same] = node
        first, last = (run[0], run[-1]) if len(run) > 1 else (None, None)
        if isinstance(first, Cluster) and isinstance(last, Cluster):
            first.last, first.count = last.path, len(run)
        elif isinstance(first, DrawingNode) and isinstance(last, DrawingNode):
            first.run = (first.name, last.name, len(run))

    def _continues(self, run: list[Cluster | DrawingNode], child: Cluster | DrawingNode) -> bool:
        if not (_is_group(child) and _is_group(run[0])) or self._form(run[0]) != self._form(child):
            return False
        before = set(run[-1].nodes())
        allowed = {node for block in run for node in block.nodes()} | self._outside(run[0])
        outside = self._outside(child)
        return outside <= allowed and not before.isdisjoint(outside)

    def _outside(self, child: Cluster | DrawingNode) -> set[Item]:
        inside = set(child.nodes())
        return {source for node in inside for source in self.sources.get(node, []) if source not in inside}

    def _form(self, child: Cluster | DrawingNode) -> Any:
        """Return what equal blocks have in common."""
        nodes = list(child.nodes())
        place: dict[Item, int] = {node: index for index, node in enumerate(nodes)}
        return [
            (
                node.scope[len(child.path) :] if isinstance(child, Cluster) else "",
                node.auxiliary,
                [_layer_form(row.layer.op) for row in node.layers],
                node.form,
                list(map(place.get, self.sources.get(node, []))),
            )
            for node in nodes
        ]


def _layer_form(op: Any) -> tuple[str, str]:
    return op.kind, "" if op.category == "regularization" else repr(sorted(op.given.items()))


def _is_group(child: Cluster | DrawingNode) -> bool:
    return isinstance(child, Cluster) or bool(child.group)
