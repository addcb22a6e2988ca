"""Operations against accuracy, with parameters as area: the chart of Canziani, Paszke and Culurciello,
*An Analysis of Deep Neural Network Models for Practical Applications*, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archcalc.analysis import Analysis
from archcalc.errors import UserError
from archcalc.render.plot.accuracies import accuracies
from archcalc.render.plot.figure import COLORS, OUTLINES, label, new_figure
from archcalc.units import COUNTS, in_words
from archcalc.words import did_you_mean, quote

AREA = 9.0
"""Square points for a million parameters."""
PLACES = (((0, 0), "center"), ((0, 9), "center"), ((0, -9), "center"), ((7, 0), "left"), ((-7, 0), "right"))
"""Possible places of a name, in points from the middle of its bubble, the best first."""
LARGE = 15_000_000
"""Parameters from which on a bubble is large enough to have its name inside."""
LEGEND_SIZES = (5_000_000, 25_000_000, 100_000_000)


@dataclass(frozen=True)
class Bubble:
    """A network in the chart."""

    name: str
    family: str
    macs: int
    params: int
    top1: float
    source: str


def bubble(analysis: Analysis, family: str) -> Bubble:
    """Return a network with its accuracy.

    Raises `UserError` if no accuracy is known for this input size.
    """
    name = analysis.network.name
    known = accuracies().get(name)
    if known is None:
        raise UserError(f"unknown accuracy of {quote(name)}{did_you_mean(name, accuracies())}")
    shape = next(iter(analysis.network.inputs.values()))
    if shape[1:] != (known.crop, known.crop):
        raise UserError(f"the accuracy of {name} is known at {known.crop}×{known.crop}, not at this input")
    return Bubble(
        name, family, analysis.totals.macs // analysis.batch, analysis.totals.params, known.top1, known.source
    )


def bubbles(points: Sequence[Bubble]) -> Any:
    """Return a figure with a bubble for each network, and a color and an outline for each family."""
    figure = new_figure(11, 7)
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
            edgecolor="#222222",
            linewidth=0.9,
            alpha=0.5,
            label=label(family),
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("multiply-adds (G), logarithmic")
    axes.set_ylabel("ImageNet top-1 accuracy, one crop (%)")
    axes.grid(alpha=0.3)
    axes.margins(0.08)
    _legend(figure, axes)
    sources = sorted({_origin(point.source) for point in points})
    figure.supxlabel(label("Accuracies: " + "; ".join(sources)), fontsize=7, ha="left", x=0.01)
    _name(figure, axes, points)
    return figure


def _name(figure: Any, axes: Any, points: Sequence[Bubble]) -> None:
    """Write every network's name beside its bubble if there is room: no name covers another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    taken: list[Any] = []
    for point in sorted(points, key=lambda point: point.top1, reverse=True):
        for offset, side in PLACES if point.params >= LARGE else PLACES[1:]:
            text = axes.annotate(
                label(point.name),
                (point.macs / 1e9, point.top1),
                xytext=offset,
                textcoords="offset points",
                fontsize=7.5,
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
        axes.scatter([], [], s=size / 1e6 * AREA, color="#dddddd", edgecolor="#333333", linewidth=0.6)
        for size in LEGEND_SIZES
    ]
    figure.legend(
        [*handles, *sizes],
        [*labels, *(f"{in_words(size, COUNTS)} parameters" for size in LEGEND_SIZES)],
        loc="outside right upper",
        fontsize=8,
        labelspacing=1.4,
        frameon=False,
        markerscale=1,
    )
    for handle in figure.legends[0].legend_handles[: len(handles)]:
        handle.set_sizes([60])


def _origin(source: str) -> str:
    """Return a source without the part that differs between networks."""
    return "torchvision's weights IMAGENET1K_V1" if source.startswith("torchvision ") else source
