"""What the label of a node may say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from archcalc.analysis.rows import TableRow
from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import HEAT
from archcalc.render.drawing import words
from archcalc.render.drawing.paint import EVERYTHING
from archcalc.render.drawing.picture import DrawingNode
from archcalc.render.drawing.words import describe, output, sign, within
from archcalc.units import in_words

LABELS = ("name", "op", "shape", "params", "macs", "memory", "rf")
"""What `--labels` may name."""
LATER = {"macs": "MACs", "rf": "RF"}
"""What follows a number, where it is not the name."""
LONGEST = 34
"""Characters of a name; a longer one is cut in its middle."""


def lines(node: DrawingNode, wanted: Iterable[str], inside: str = "") -> list[str]:
    """Return the lines of a node's label that are wanted."""
    return [text for name in LABELS if name in wanted for text in [_line(node, name, inside)] if text]


def label_lines(node: DrawingNode, wanted: Collection[str] | None, inside: str, blocks: Mapping[str, str]) -> list[str]:
    """Return the lines of a node's label in a graph: those wanted, or its name, operators and output.

    ``inside`` is the path of the group around it, and ``blocks`` are the names of the groups' blocks.
    """
    if wanted is not None:
        return lines(node, wanted, inside)
    return [words.title(node, inside), *words.lines(node, blocks), output(node)]


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text with its middle left out if it is long."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def operation(node: DrawingNode) -> str:
    """Return what a node does: `conv 3×3, 64`; of a group, its name."""
    if node.group:
        return node.group.rpartition(".")[2]
    return sign(node) if node.joins else describe(node.main)


def _line(node: DrawingNode, name: str, inside: str) -> str:
    if name == "name":
        return cut(within(node.name, inside))
    if name == "op":
        return cut(operation(node))
    if name == "shape":
        return output(node)
    quantity = HEAT[name]
    value = quantity.extent(TableRow(node.name, node.layers))
    if value is None:
        return f"{EVERYTHING} {LATER.get(name, name)}"
    units = quantity.units if isinstance(quantity, Cost) else ()
    text = in_words(value, units) if units else str(value)
    return f"{text}{' px' if name == 'rf' else ''} {LATER.get(name, name)}" if value else ""
