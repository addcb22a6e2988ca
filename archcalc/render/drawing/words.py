"""The texts of nodes and clusters, the same for every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from archcalc.analysis import LayerCosts
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import shape_text
from archcalc.render.drawing.picture import Cluster, DrawingNode, Item
from archcalc.units import COUNTS, in_words

LONG_RUN = 24
"""Letters of both names of a range."""


def title(node: DrawingNode, inside: str) -> str:
    """Return a node's name inside its cluster, and the number of blocks that it represents."""
    if node.run is None:
        return within(node.name, inside)
    first, last, count = node.run
    return f"{run(within(first, inside), within(last, inside))} × {count}"


def within(path: str, inside: str) -> str:
    """Return a path without the part that the cluster around it shows."""
    return path[len(inside) + 1 :] if inside and path.startswith(inside + ".") else path


def cluster_title(cluster: Cluster, inside: str) -> str:
    """Return a cluster's name, its block, and the number of blocks that it represents."""
    name = within(cluster.path, inside)
    if cluster.count > 1:
        name = run(name, within(cluster.last, inside))
    times = f" × {cluster.count}" if cluster.count > 1 else ""
    return name + (f" · {cluster.block}" if cluster.block else "") + times


def run(first: str, last: str) -> str:
    """Return a range of names; of a long last one, only the number if the rest is as in the first."""
    stem = last.rstrip("0123456789")
    is_alike = stem == first.rstrip("0123456789") and len(first) + len(last) > LONG_RUN
    return f"{first} … {last[len(stem) :] if is_alike else last}"


def lines(node: DrawingNode, blocks: Mapping[str, str]) -> list[str]:
    """Return the lines below a node's name: an operator each, with those merged before and after it."""
    if node.group:
        params = sum(row.params for row in node.layers)
        count = len(node.layers)
        parts = [blocks.get(node.group, ""), f"{count} layer{'s' if count > 1 else ''}", *_marks(node.layers)]
        return [
            " · ".join(part for part in parts if part),
            *([f"{in_words(params, COUNTS)} parameters"] if params else []),
        ]
    before, after = node.layers[: node.head], node.layers[node.head + 1 :]
    shown = [_kinds(before), describe(node.main), _kinds(after)]
    return [line for line in shown if line]


def sign(node: DrawingNode) -> str:
    """Return the text that a join has instead of its name: `+`, or `concat`."""
    return node.op.sign or node.op.kind


def _kinds(rows: list[LayerCosts]) -> str:
    return " · ".join(row.layer.op.kind for row in rows)


def describe(row: LayerCosts) -> str:
    """Return an operator with its window and filters, and whose weights it has: `conv 7×7 / 2, 64`."""
    op = row.layer.op
    facts = op.hyperparameters()
    text = op.kind if op.exactness == "exact" else marked(op)
    if facts.get("kernel") and not _changes_nothing(op):
        text += f" {shape_text(facts['kernel'])}"
    if any(step != 1 for step in facts.get("stride") or ()):
        text += f" / {_compact(facts['stride'])}"
    if facts.get("filters"):
        text += f", {facts['filters']}"
    kinds = variants(op)
    if "depthwise" in kinds:
        text = f"depthwise {text}"
    if "grouped" in kinds:
        text += f", {getattr(op, 'groups', 1)} groups"
    if "dilated" in kinds:
        text += f", dilation {_compact(getattr(op, 'dilation', ()))}"
    owners = [row.layer.shares] if row.layer.shares else [ref.layer for ref in row.layer.ties.values()]
    if owners:
        text += f", weights of {', '.join(dict.fromkeys(owners))}"
    return text


def _changes_nothing(op: Operator) -> bool:
    """True for pooling to the size that the maps have: its window of 1 would be read as the size of its output."""
    facts = op.hyperparameters()
    return op.category == "pooling" and {*facts["kernel"], *(facts.get("stride") or ())} == {1}


def variants(op: Operator) -> list[str]:
    """Return how a window differs from a plain one: `depthwise` or `grouped`, and `dilated`."""
    groups = getattr(op, "groups", 1)
    depthwise = groups != 1 and groups == op.hyperparameters().get("filters")
    dilated = any(step != 1 for step in getattr(op, "dilation", ()))
    return ["depthwise"] * depthwise + ["grouped"] * (groups != 1 and not depthwise) + ["dilated"] * dilated


def marked(op: Operator) -> str:
    """Return what an operator is whose numbers no rule gives: `cumsum (generic)`, `opaque`."""
    operation = getattr(op, "operation", "")
    return f"{operation} ({op.exactness})" if operation else op.kind


def _marks(rows: list[LayerCosts]) -> list[str]:
    """Return how many layers of a group have a mark: `2 generic`."""
    counts = Counter(row.layer.op.exactness for row in rows if row.layer.op.exactness != "exact")
    return [f"{count} {mark}" for mark, count in counts.items()]


def _compact(values: tuple[Any, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else shape_text(values)


def output(node: Item) -> str:
    """Return a node's output shape; from the first to the last if it represents several with growing channels."""
    first, last = node.output_shape, node.latest.output_shape
    grown = [size for size, other in zip(first, last, strict=True) if size != other]
    return f"{shape_text(tuple(grown))} … {shape_text(last)}" if grown else shape_text(first)
