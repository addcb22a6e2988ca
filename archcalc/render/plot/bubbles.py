"""Operations against accuracy, with parameters as area: the chart of Canziani, Paszke and Culurciello,
*An Analysis of Deep Neural Network Models for Practical Applications*, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.render.drawing.colors import OTHER
from archcalc.render.plot.accuracies import accuracies
from archcalc.render.plot.figure import COLORS, INK, LINE, OUTLINES, PAGE, SMALLEST, THIN, label, new_figure
from archcalc.structs import Struct
from archcalc.units import COUNTS, in_words
from archcalc.words import help_line, quote

AREA = 3.5
"""Square points for a million parameters."""
PLACES = (((0, 0), "center"), ((0, 7), "center"), ((0, -7), "center"), ((5, 0), "left"), ((-5, 0), "right"))
"""Possible places of a name, in points from the middle of its bubble, the best first."""
LARGE = 60_000_000
"""Parameters from which on a bubble is large enough to have its name inside."""
LEGEND_SIZES = (5_000_000, 25_000_000, 100_000_000)


class Bubble(Struct):
    """A network in the chart."""

    name: str
    family: str
    macs: int
    params: int
    top1: float
    source: str


def bubble(analysis: Analysis, family: str, top1: float | None = None) -> Bubble:
    """Return a network with its accuracy: ``top1`` in percent, or the published one.

    Raises `UserError` if no accuracy is known for this input size.
    """
    name, source = analysis.network.name, "given"
    if top1 is None:
        known = accuracies().get(name)
        if known is None:
            raise UserError(f"unknown accuracy of {quote(name)}{help_line(f'give it: --accuracy {name}=75.1')}")
        shape = next(iter(analysis.network.inputs.values()))
        if shape[1:] != (known.crop, known.crop):
            raise UserError(f"the accuracy of {name} is known at {known.crop}×{known.crop}, not at this input")
        top1, source = known.top1, known.source
    return Bubble(name, family, analysis.totals.macs // analysis.batch, analysis.totals.params, top1, source)


def bubbles(points: Sequence[Bubble]) -> Any:
    """Return a figure with a bubble for each network, and a color and an outline for each family."""
    figure = new_figure(PAGE, 6.0)
    axes = figure.subplots()
    families = list(dict.fromkeys(point.family for point in points))
    for index, family in enumerate(families):
        own = [point for point in points if point.family == family]
        axes.scatter(
            [point.macs / 1e9 for point in own],
            [point.top1 for point in own],
            s=[point.params / 1e6 * AREA for point in own],
            color=COLORS[index % len(COLORS)],
            linestyle=OUTLINES[index // len(COLORS) % len(OUTLINES)],
            edgecolor=LINE,
            linewidth=THIN,
            alpha=0.55,
            label=label(family),
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("multiply-adds (G), logarithmic")
    axes.set_ylabel("ImageNet top-1 accuracy, one crop (%)")
    axes.grid(alpha=0.3, linewidth=THIN)
    axes.margins(0.08)
    _legend(figure, axes)
    sources = sorted({_origin(point.source) for point in points})
    figure.supxlabel(label("Accuracies: " + "; ".join(sources)), fontsize=SMALLEST, color=INK, ha="left", x=0.01)
    _name(figure, axes, points)
    return figure


def _name(figure: Any, axes: Any, points: Sequence[Bubble]) -> None:
    """Write every network's name beside its bubble if there is room: no name covers another.

    First come those that no network with as few operations excels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    taken: list[Any] = []
    best = 0.0
    front = set()
    for point in sorted(points, key=lambda point: (point.macs, -point.top1)):
        if point.top1 > best:
            best = point.top1
            front.add(point.name)
    for point in sorted(points, key=lambda point: (point.name not in front, -point.top1)):
        for offset, side in PLACES if point.params >= LARGE else PLACES[1:]:
            text = axes.annotate(
                label(point.name),
                (point.macs / 1e9, point.top1),
                xytext=offset,
                textcoords="offset points",
                fontsize=SMALLEST,
                color=INK,
                ha=side,
                va="center",
            )
            box = text.get_window_extent().expanded(1.02, 1.05)
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()


def _legend(figure: Any, axes: Any) -> None:
    """Add the legends: families by color, and parameters by area."""
    handles, labels = axes.get_legend_handles_labels()
    sizes = [
        axes.scatter([], [], s=size / 1e6 * AREA, color=OTHER, edgecolor=LINE, linewidth=THIN) for size in LEGEND_SIZES
    ]
    families = figure.legend(
        handles, labels, loc="outside upper center", ncols=7, fontsize=SMALLEST, frameon=False, markerscale=1
    )
    for handle in families.legend_handles:
        handle.set_sizes([30])
    axes.legend(
        sizes,
        [f"{in_words(size, COUNTS)} parameters" for size in LEGEND_SIZES],
        loc="lower right",
        fontsize=SMALLEST,
        labelspacing=1.6,
        handletextpad=1.4,
        borderpad=1.4,
        frameon=False,
        markerscale=1,
    )


def _origin(source: str) -> str:
    """Return a source without the part that differs between networks."""
    return "torchvision's weights IMAGENET1K_V1" if source.startswith("torchvision ") else source
