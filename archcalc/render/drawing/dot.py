"""A picture as DOT, written by the `graphviz` package. Names of a spec are in it only as escaped text."""

from __future__ import annotations

from html import escape
from typing import Any

import graphviz

from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing import words
from archcalc.render.drawing.colors import ON_FILL, Surroundings, text_on
from archcalc.render.drawing.courses import beside, climbing, crossings, is_smaller
from archcalc.render.drawing.labels import label_lines
from archcalc.render.drawing.paint import Paint
from archcalc.render.drawing.picture import Cluster, DrawingNode, Item, Picture
from archcalc.words import printable

FONT = "Helvetica"
MANY_CROSSINGS = 5_000
"""Beyond these, edges are straight and the order of nodes is good enough, or the layout would take minutes."""
ROOM = 6.6
"""Points beside a cluster's title for each of its letters."""
MOST_ROOM = 400
QUICK = {"splines": "line", "nslimit": "1", "nslimit1": "1", "mclimit": "0.1"}


def to_dot(
    picture: Picture,
    paint: Paint,
    surroundings: Surroundings,
    direction: str,
    labels: tuple[str, ...] | None,
) -> str:
    """Return the picture in the language of Graphviz."""
    return _DotWriter(picture, paint, surroundings, labels).write(direction)


def node_ids(picture: Picture) -> dict[DrawingNode, str]:
    """Return the name of each node in DOT, and so in an SVG."""
    position = {layer.name: index for index, layer in enumerate(picture.network.layers)}
    return {node: f"layer_{position[node.main.name]}" for node in picture.root.nodes()}


def _text(text: str, size: int = 0, color: str = "", bold: bool = False) -> str:
    """Return a text for an HTML-like label, escaped."""
    # Even here Graphviz would put a node's name for \\N.
    safe = escape(printable(text)).replace("\\", "\\\\") or " "
    if bold:
        safe = f"<b>{safe}</b>"
    settings = (f' point-size="{size}"' if size else "") + (f' color="{color}"' if color else "")
    return f"<font{settings}>{safe}</font>" if settings else safe


class _DotWriter:
    def __init__(
        self, picture: Picture, paint: Paint, surroundings: Surroundings, labels: tuple[str, ...] | None
    ) -> None:
        self.picture = picture
        self.labels = labels
        self.paint = paint
        self.look = surroundings
        self.ids: dict[Item, str] = {item: f"input_{index}" for index, item in enumerate(picture.inputs.values())}
        self.ids.update(node_ids(picture).items())
        self.outputs = set(picture.network.outputs)

    def write(self, direction: str) -> str:
        graph = self._empty(direction)
        for item in self.picture.inputs.values():
            label = f"<{_text(item.name, bold=True)}<br/>{_text(shape_text(item.output_shape))}>"
            graph.node(self.ids[item], label, shape="oval", fillcolor="#ffffff", id=self.ids[item])
        self._fill(graph, self.picture.root, "")
        self._edges(graph, direction)
        return str(graph.source)

    def _empty(self, direction: str) -> Any:
        """Return a graph with what holds for all of it."""
        look = self.look
        return graphviz.Digraph(
            "archcalc",
            graph_attr={
                "rankdir": direction,
                "bgcolor": look.paper,
                "fontname": FONT,
                "fontcolor": look.ink,
                "color": look.faint,
                "label": self._heading(),
                "labelloc": "t",
                "ranksep": "0.28",
                "nodesep": "0.22",
                "pad": "0.2",
                "charset": "UTF-8",
                **(QUICK if crossings(self.picture) > MANY_CROSSINGS else {}),
            },
            node_attr={
                "shape": "box",
                "style": "filled,rounded",
                "fontname": FONT,
                "fontsize": "10",
                "fontcolor": ON_FILL,
                "color": look.line,
                "margin": "0.1,0.05",
                "height": "0.2",
            },
            edge_attr={
                "color": look.line,
                "fontcolor": look.ink,
                "fontname": FONT,
                "fontsize": "9",
                "arrowsize": "0.6",
            },
        )

    def _edges(self, graph: Any, direction: str) -> None:
        climbs = climbing(self.picture) if direction == "TB" else set()
        shortcuts = beside(self.picture)
        side = "e" if direction in ("TB", "BT") else "s"
        for edge in self.picture.edges:
            ends = [self.ids[edge.source], self.ids[edge.target]]
            settings = {"style": "dashed"} if edge.target.auxiliary else {}
            if edge.target in climbs and (edge.source in climbs or is_smaller(edge.source, edge.target)):
                # Written backwards, so that the layout puts the target above the source.
                ends.reverse()
                settings |= {"dir": "back"}
            elif edge.target in climbs:
                settings |= {"minlen": "0", "weight": "4"}
            elif edge in shortcuts:
                settings |= {"tailport": side, "headport": side}
            graph.edge(*ends, **settings)

    def _heading(self) -> str:
        network = self.picture.network
        name = network.name + (f" · {network.about.title}" if network.about.title else "")
        cells = "".join(
            f'<td bgcolor="{fill}">{_text(f" {text} ", 10, text_on(fill))}</td>' for fill, text in self.paint.legend
        )
        heading = f"<td>{_text(self.paint.heading, 10, self.look.ink)}</td>" if self.paint.heading else ""
        legend = f'<table border="0" cellborder="0" cellspacing="3"><tr>{heading}{cells}</tr></table>'
        return (
            f'<<table border="0" cellspacing="2"><tr><td>{_text(name, 14, self.look.ink, bold=True)}</td></tr>'
            f"<tr><td>{legend}</td></tr></table>>"
        )

    def _fill(self, graph: Any, cluster: Cluster, inside: str) -> None:
        for child in cluster.children:
            if isinstance(child, DrawingNode):
                self._node(graph, child, inside)
            else:
                self._cluster(graph, child, inside)

    def _cluster(self, graph: Any, cluster: Cluster, inside: str) -> None:
        """Add a cluster, its title beside as much room again: see `titles`."""
        first = next(cluster.nodes())
        title = words.cluster_title(cluster, inside) + (" (training only)" if first.main.layer.train else "")
        room = f'<td width="{min(len(title) * ROOM, MOST_ROOM):.0f}"></td>'
        row = f"<tr><td>{_text(title, 11, self.look.ink)}</td>{room}</tr>"
        with graph.subgraph(name=f"cluster_{self.ids[first]}_{cluster.path.count('.')}") as part:
            part.attr(
                label=f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{row}</table>>',
                labelloc="t",
                labeljust="l",
                style="rounded,dashed" if first.auxiliary else "rounded",
                color=self.look.faint,
                margin="7",
                tooltip=_plain(cluster.path),
            )
            self._fill(part, cluster, cluster.path)

    def _node(self, graph: Any, node: DrawingNode, inside: str) -> None:
        fill = self.paint.fill(node)
        color = text_on(fill)
        settings = {"fillcolor": fill, "fontcolor": color, "id": self.ids[node], "tooltip": _plain(node.name)}
        if node.auxiliary:
            settings["style"] = "filled,rounded,dashed"
        if any(row.name in self.outputs for row in node.layers):
            settings["penwidth"] = "2.2"
        cost, sign = self.paint.says(node), node.op.sign
        if node.joins:
            label = " · ".join([words.sign(node), *(row.layer.op.kind for row in node.layers[1:])])
            small = label == sign and not cost
            settings |= {"shape": "circle", "margin": "0.02"} if small else {"margin": "0.15,0.03"}
            body = _text(label if sign else f"{label} → {words.output(node)}", 16 if small else 0)
        else:
            shown = label_lines(node, self.labels, inside, self.picture.network.groups)
            is_named = self.labels is None or "name" in self.labels
            body = "<br/>".join(_text(text, bold=is_named and not index) for index, text in enumerate(shown)) or " "
        if cost:
            body += f"<br/>{_text(cost)}"
        graph.node(self.ids[node], f"<{body}>", **settings)


def _plain(text: str) -> str:
    """Return a text for an attribute that is not HTML-like, with Graphviz's own escapes and entities escaped."""
    return str(graphviz.escape(escape(printable(text))))
