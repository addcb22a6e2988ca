"""What a unit sees, drawn on the input: solid where it is in the input, dashed where it reaches into padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.receptive.regions import Region, RegionInterval, RegionTracer
from archcalc.render.plot.figure import COLOURS, label, new_figure

Outline = tuple[float, float, float, float]
"""Left, top, width and height; pixel i covers i − ½ to i + ½."""

MOST_BOXES = 8
"""With more layers than this, a drawing of them all would be a grid of lines."""


def nested(network: Network, tracer: RegionTracer) -> list[tuple[str, tuple[int, ...]]]:
    """Layers whose fields differ, from the first to the last that has a spatial path, each with its middle unit."""
    chosen: dict[Any, str] = {}
    for layer in network.layers:
        view = tracer.propagation.states[layer.name]
        if not layer.auxiliary and len(tracer.axes(layer)) == len(tracer.propagation.extents) == len(view.spans):
            chosen.setdefault(tracer.propagation.field(view).size, layer.name)
    names = list(chosen.values())
    count = min(len(names), MOST_BOXES)
    picked = [names[(at + 1) * len(names) // count - 1] for at in range(count)]
    return [(name, tracer.middle(name)) for name in picked]


def draw_boxes(network: Network, tracer: RegionTracer, units: Sequence[tuple[str, tuple[int, ...]]]) -> Any:
    """A figure of the input with the box of each unit of a layer.

    Raises `UserError` for an input that is no line and no plane, or where nothing has a place.
    """
    if not units:
        raise UserError(f"no layer of {network.name} has a spatial path to draw")
    boxes = [(name, unit, tracer.regions(name, unit)[0]) for name, unit in units]
    extents = [side.extent for side in boxes[0][2].intervals]
    if len(extents) not in (1, 2):
        raise UserError(f"boxes are drawn on an input of one or two dimensions, and this has {len(extents)}")
    flat = len(extents) == 1
    height, width = (len(boxes), extents[0]) if flat else extents
    figure = new_figure(7.5, 1.2 + 0.35 * len(boxes) if flat else 6.5)
    axes = figure.subplots()
    axes.fill_between((-0.5, width - 0.5), -0.5, height - 0.5, color="#EEEEEE")
    if flat:
        axes.set_yticks([])
    else:
        axes.set_aspect("equal")
        axes.set_ylabel("row")
    for at, (name, unit, box) in enumerate(boxes):
        colour = COLOURS[at % len(COLOURS)]
        text = label(f"{name} ({', '.join(map(str, unit))}): {_size(box)}")
        rows, columns = (None, box.intervals[0]) if flat else box.intervals
        _add(axes, _outline(rows, columns, at, raw=True), colour, "--", None)
        _add(axes, _outline(rows, columns, at, raw=False), colour, "-", text)
    axes.autoscale_view()
    axes.invert_yaxis()
    axes.set_xlabel("position" if flat else "column")
    axes.set_title(label(f"{network.name}: what units see of the input"), fontsize=10)
    figure.legend(loc="outside lower center", fontsize=8, ncols=2)
    return figure


def _size(box: Region) -> str:
    return "×".join(str(side.unclipped[1] - side.unclipped[0] + 1) for side in box.intervals)


def _outline(rows: RegionInterval | None, columns: RegionInterval, at: int, raw: bool) -> Outline | None:
    """The outline of a box. On a line, each box has its own height."""
    across = columns.unclipped if raw else columns.clipped
    down = (at, at) if rows is None else rows.unclipped if raw else rows.clipped
    if across is None or down is None:
        return None
    inset = 0.5 if rows is not None else 0.3
    return across[0] - 0.5, down[0] - inset, across[1] - across[0] + 1, down[1] - down[0] + 2 * inset


def _add(axes: Any, outline: Outline | None, colour: str, line: str, text: str | None) -> None:
    from matplotlib.patches import Rectangle

    if outline is not None:
        left, top, width, height = outline
        style: dict[str, Any] = {"edgecolor": colour, "linestyle": line, "linewidth": 1.5, "label": text}
        axes.add_patch(Rectangle((left, top), width, height, fill=False, **style))
