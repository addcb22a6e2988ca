"""The regions that units see, drawn on the input: solid inside the input, dashed in the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.receptive.regions import Region, RegionInterval, RegionTracer, runs
from archcalc.render.plot.figure import COLORS, label, new_figure

Outline = tuple[float, float, float, float]
"""Left, top, width and height; pixel i covers i − ½ to i + ½."""

MOST_BOXES = 8
"""With more layers than this, a drawing of them all would be a grid of lines."""


def nested(network: Network, tracer: RegionTracer) -> list[tuple[str, tuple[int, ...]]]:
    """Return layers whose fields differ, up to the last with a spatial path, each with its middle unit."""
    chosen: dict[Any, str] = {}
    for layer in network.layers:
        field = tracer.propagation[layer.name]
        if not layer.auxiliary and None not in field.stride and len(tracer.axes(layer)) == len(field.size) > 0:
            chosen.setdefault(field.size, layer.name)
    names = list(chosen.values())
    count = min(len(names), MOST_BOXES)
    picked = [names[(index + 1) * len(names) // count - 1] for index in range(count)]
    return [(name, tracer.middle(name)) for name in picked]


def draw_boxes(network: Network, tracer: RegionTracer, units: Sequence[tuple[str, tuple[int, ...]]]) -> Any:
    """Return a figure of the input with the region of each unit.

    Raises `UserError` if the input has no or more than two spatial dimensions, or no layer has any.
    """
    if not units:
        raise UserError(f"no layer of {network.name} has a spatial path")
    boxes = [(name, unit, tracer.regions(name, unit)[0]) for name, unit in units]
    extents = [side.extent for side in boxes[0][2].intervals]
    if len(extents) not in (1, 2):
        raise UserError(f"expected an input of one or two spatial dimensions, got {len(extents)}")
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
    for index, (name, unit, box) in enumerate(boxes):
        color = COLORS[index % len(COLORS)]
        text = label(f"{name} ({', '.join(map(str, unit))}): {_size(box)}")
        rows, columns = (None, box.intervals[0]) if flat else box.intervals
        _fill(axes, box, index, color)
        _add(axes, _outline(rows, columns, index, raw=True), color, "--", None)
        _add(axes, _outline(rows, columns, index, raw=False), color, "-", text)
    axes.autoscale_view()
    axes.yaxis.set_inverted(True)
    axes.set_xlabel("position" if flat else "column")
    axes.set_title(label(f"{network.name}: what units see of the input"), fontsize=10)
    figure.legend(loc="outside lower center", fontsize=8, ncols=2)
    return figure


def _fill(axes: Any, box: Region, index: int, color: str) -> None:
    """Fill the positions that are seen, if the box has holes."""
    if box.share in (0, 1):
        return
    if len(box.intervals) == 1:
        for first, last in runs(box.intervals[0].seen):
            axes.fill_between((first - 0.5, last + 0.5), index - 0.3, index + 0.3, color=color, alpha=0.5, linewidth=0)
        return
    import numpy
    from matplotlib.colors import to_rgba

    picture = numpy.zeros((*(side.extent for side in box.intervals), 4))
    for rows, columns in box.rectangles:
        picture[numpy.ix_(sorted(rows), sorted(columns))] = to_rgba(color, 0.5)
    axes.imshow(picture, interpolation="nearest", zorder=2)  # on the gray of the input


def _size(box: Region) -> str:
    ends = [side.unclipped or (0, -1) for side in box.intervals]
    size = "×".join(str(last - first + 1) for first, last in ends)
    return size if box.share in (0, 1) else f"{size}, {100 * box.share:.3g} % of it seen"


def _outline(rows: RegionInterval | None, columns: RegionInterval, index: int, raw: bool) -> Outline | None:
    """Return the outline of a region. On a line, each region has its own height."""
    across = columns.unclipped if raw else columns.clipped
    down = (index, index) if rows is None else rows.unclipped if raw else rows.clipped
    if across is None or down is None:
        return None
    inset = 0.5 if rows is not None else 0.3
    return across[0] - 0.5, down[0] - inset, across[1] - across[0] + 1, down[1] - down[0] + 2 * inset


def _add(axes: Any, outline: Outline | None, color: str, line: str, text: str | None) -> None:
    from matplotlib.patches import Rectangle

    if outline is not None:
        left, top, width, height = outline
        style: dict[str, Any] = {"edgecolor": color, "linestyle": line, "linewidth": 1.5, "label": text}
        axes.add_patch(Rectangle((left, top), width, height, fill=False, **style))
