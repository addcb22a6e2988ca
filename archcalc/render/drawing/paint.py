"""Which fill a node has, and the legend that says so: by the category of its operator, or by its cost."""

from __future__ import annotations

from collections.abc import Callable

from archcalc.analysis.rows import TableRow
from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import HEAT
from archcalc.render.drawing.colors import FILLS, Theme, heat, mix
from archcalc.render.drawing.picture import DrawingNode, Picture
from archcalc.render.drawing.words import variants
from archcalc.structs import Struct
from archcalc.units import Unit, in_words

LEGEND_STEPS = 4
EVERYTHING = "all"
"""The text of a node whose receptive field is the whole input."""


class Paint(Struct):
    """A fill for each node, and what the fills mean."""

    fill: Callable[[DrawingNode], str]
    heading: str
    legend: list[tuple[str, str]]
    """Fill and words, in order."""
    says: Callable[[DrawingNode], str] = lambda node: ""
    """Returns the text of a node: its value of the quantity that colors it."""


def by_category(picture: Picture, theme: Theme) -> Paint:
    """Return one fill for every kind of operator; whole groups have their own.

    Depthwise, grouped and dilated convolutions have tints of the fill of convolutions.
    """

    def kind(node: DrawingNode) -> tuple[str, str]:
        if node.group:
            return "group", ""
        category = node.category
        return category, next(iter(variants(node.op)), "") if category == "convolution" else ""

    def fill(category: str, variant: str) -> str:
        plain = theme.fill(category)
        return mix(plain, *theme.tints[variant]) if variant else plain

    order = [*theme.fills, *FILLS, "group"]
    present = {kind(node) for node in picture.root.nodes()}
    ordered = sorted(present, key=lambda pair: (order.index(pair[0]) if pair[0] in order else len(order), pair[1]))
    legend = [(fill(*pair), " ".join(filter(None, reversed(pair)))) for pair in ordered]
    return Paint(lambda node: fill(*kind(node)), "", legend)


def by_cost(picture: Picture, quantity: str, theme: Theme) -> Paint:
    """Return a scale from no cost to the costliest node; a global receptive field is as dark as that."""
    chosen = HEAT[quantity]
    units = chosen.units if isinstance(chosen, Cost) else (Unit("", 1),)

    def extent(node: DrawingNode) -> int | None:
        return chosen.extent(TableRow(node.name, node.layers))

    costs = [extent(node) for node in picture.root.nodes()]
    largest = max((cost for cost in costs if cost is not None), default=0) or 1
    legend = [
        (heat(step / LEGEND_STEPS, theme.heat), in_words(largest * step // LEGEND_STEPS, units))
        for step in range(LEGEND_STEPS + 1)
    ]
    if None in costs:
        color, text = legend[-1]
        legend[-1] = (color, f"{text} or {EVERYTHING}")

    def fill(node: DrawingNode) -> str:
        cost = extent(node)
        return heat(1 if cost is None else cost / largest, theme.heat)

    def says(node: DrawingNode) -> str:
        cost = extent(node)
        return EVERYTHING if cost is None else in_words(cost, units) if cost else ""

    return Paint(fill, chosen.titled(picture.analysis.convention.name), legend, says)
