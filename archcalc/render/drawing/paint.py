"""Which fill a node has, and the legend that says so: by the category of its operator, or by its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archcalc.analysis.rows import TableRow
from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import HEAT
from archcalc.render.drawing.colors import FILLS, OTHER, heat
from archcalc.render.drawing.picture import DrawingNode, Picture
from archcalc.units import Unit, in_words

LEGEND_STEPS = 4
EVERYTHING = "all"
"""The text of a node whose receptive field is the whole input."""


@dataclass(frozen=True)
class Paint:
    """A fill for each node, and what the fills mean."""

    fill: Callable[[DrawingNode], str]
    heading: str
    legend: list[tuple[str, str]]
    """Fill and words, in order."""
    says: Callable[[DrawingNode], str] = lambda node: ""
    """Returns the text of a node: its value of the quantity that colors it."""


def by_category(picture: Picture) -> Paint:
    """Return one fill for every kind of operator; whole groups have their own."""

    def category(node: DrawingNode) -> str:
        return "group" if node.group else node.main.layer.op.category

    present = {category(node) for node in picture.root.nodes()}
    legend = [(FILLS[name], name) for name in FILLS if name in present]
    legend += [(OTHER, name) for name in sorted(present - FILLS.keys())]
    return Paint(lambda node: FILLS.get(category(node), OTHER), "", legend)


def by_cost(picture: Picture, quantity: str) -> Paint:
    """Return a scale from no cost to the costliest node; a global receptive field is as dark as that."""
    chosen = HEAT[quantity]
    units = chosen.units if isinstance(chosen, Cost) else (Unit("", 1),)

    def extent(node: DrawingNode) -> int | None:
        return chosen.extent(TableRow(node.name, node.layers))

    costs = [extent(node) for node in picture.root.nodes()]
    largest = max((cost for cost in costs if cost is not None), default=0) or 1
    legend = [
        (heat(step / LEGEND_STEPS), in_words(largest * step // LEGEND_STEPS, units)) for step in range(LEGEND_STEPS + 1)
    ]
    if None in costs:
        color, text = legend[-1]
        legend[-1] = (color, f"{text} or {EVERYTHING}")

    def fill(node: DrawingNode) -> str:
        cost = extent(node)
        return heat(1 if cost is None else cost / largest)

    def says(node: DrawingNode) -> str:
        cost = extent(node)
        return EVERYTHING if cost is None else in_words(cost, units) if cost else ""

    return Paint(fill, chosen.titled(picture.analysis.convention.name), legend, says)
