"""Which fill a node has, and the legend that says so: by the category of its operator, or by its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archcalc.render.drawing.colours import FILLS, OTHER, heat
from archcalc.render.drawing.picture import DrawingNode, Picture
from archcalc.units import BYTES, COUNTS, Unit, in_words

LEGEND_STEPS = 4
EVERYTHING = "all"
"""What is said of a node that sees the whole input."""


@dataclass(frozen=True)
class Paint:
    """A fill for each node, and what the fills mean."""

    fill: Callable[[DrawingNode], str]
    heading: str
    legend: list[tuple[str, str]]
    """Fill and words, in order."""
    says: Callable[[DrawingNode], str] = lambda node: ""
    """What a node says of the quantity that colours it."""


@dataclass(frozen=True)
class Quantity:
    """A cost that nodes can be coloured by."""

    heading: str
    of: Callable[[DrawingNode], int | None]
    """The cost; None of what is beyond every number, as what sees the whole input."""
    units: tuple[Unit, ...]


def _field(node: DrawingNode) -> int | None:
    field = node.layers[-1].receptive_field
    return None if field.sees_all else int(max(field.size, default=0))


QUANTITIES = {
    "macs": Quantity("multiply-adds", lambda node: sum(row.macs for row in node.layers), COUNTS),
    "params": Quantity("parameters", lambda node: sum(row.params for row in node.layers), COUNTS),
    "memory": Quantity("memory of outputs", lambda node: sum(row.memory for row in node.layers), BYTES),
    "rf": Quantity("receptive field", _field, (Unit("", 1),)),
}


def by_category(picture: Picture) -> Paint:
    """One fill for every kind of operator; whole groups have their own."""

    def category(node: DrawingNode) -> str:
        return "group" if node.group else node.main.layer.op.category

    present = {category(node) for node in picture.root.nodes()}
    legend = [(FILLS[name], name) for name in FILLS if name in present]
    legend += [(OTHER, name) for name in sorted(present - FILLS.keys())]
    return Paint(lambda node: FILLS.get(category(node), OTHER), "", legend)


def by_cost(picture: Picture, quantity: str) -> Paint:
    """A scale from no cost to the costliest node; what is beyond every number is as dark as that."""
    measure = QUANTITIES[quantity]
    costs = [measure.of(node) for node in picture.root.nodes()]
    largest = max((cost for cost in costs if cost is not None), default=0) or 1
    legend = [
        (heat(step / LEGEND_STEPS), in_words(largest * step // LEGEND_STEPS, measure.units))
        for step in range(LEGEND_STEPS + 1)
    ]
    if None in costs:
        colour, text = legend[-1]
        legend[-1] = (colour, f"{text} or {EVERYTHING}")

    def fill(node: DrawingNode) -> str:
        cost = measure.of(node)
        return heat(1 if cost is None else cost / largest)

    def says(node: DrawingNode) -> str:
        cost = measure.of(node)
        return EVERYTHING if cost is None else in_words(cost, measure.units) if cost else ""

    return Paint(fill, measure.heading, legend, says)
