"""The lectures' bar charts: memory, parameters and operations of every layer, of several networks side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import COSTS
from archcalc.render.drawing.picture import category_of
from archcalc.render.figures.look import LOOKS
from archcalc.render.plot.figure import SMALL, SMALLEST, label, new_figure
from archcalc.units import choose_unit, in_words

LOOK = LOOKS["light"]
"""Bars have the colors of operators in figures."""
PITCH, NARROWEST, WIDEST = 0.14, 2.6, 6.0
"""Between bars, and the width of one chart, in inches; with more bars, only some are named."""
KEY = 1.15
"""Width of a category in the legend, in inches."""


def bars(analyses: Sequence[Analysis], metrics: Sequence[str], depth: int | None = None) -> Any:
    """Return a figure with a row for each metric and a column for each network, with one scale along a row.

    ``depth`` joins layers deeper than that many names into one bar, as a table's depth does.
    """
    charts = [choose_rows(analysis.rows, fold=True, depth=depth) for analysis in analyses]
    widths = [min(max(PITCH * len(rows), NARROWEST), WIDEST) for rows in charts]
    figure = new_figure(sum(widths) + 0.6, 1.6 * len(metrics) + 1.0)
    fills = [[LOOK.fill(category_of(row.layers)) for row in rows] for rows in charts]
    grid = figure.subplots(len(metrics), len(analyses), squeeze=False, sharex="col", sharey="row", width_ratios=widths)
    for line, key in zip(grid, metrics, strict=True):
        metric = COSTS[key]
        values = [[metric.of_row(row) for row in rows] for rows in charts]
        largest = max(value for column in values for value in column)
        unit = choose_unit([largest], metric.units_for(analyses[0]), 1)
        for axes, analysis, rows, heights, colors in zip(line, analyses, charts, values, fills, strict=True):
            axes.bar(range(len(rows)), [height / unit.size for height in heights], color=colors)
            axes.set_title(_title(analysis, metric))
            axes.margins(x=0.01)
        line[0].set_ylabel(metric.titled(analyses[0].convention.name, unit))
    for axes, rows in zip(grid[-1], charts, strict=True):
        _name_bars(axes, rows)
    _legend(figure, [category_of(row.layers) for rows in charts for row in rows])
    return figure


def _legend(figure: Any, categories: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=LOOK.fill(category), label=category) for category in dict.fromkeys(categories)]
    columns = min(len(patches), max(1, int(figure.get_size_inches()[0] / KEY)))
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL)


def _title(analysis: Analysis, metric: Cost) -> str:
    total = in_words(metric.of_network(analysis), metric.units_for(analysis))
    return label(f"{analysis.network.name}: {total} {metric.titled(analysis.convention.name)}")


def _name_bars(axes: Any, rows: Sequence[TableRow]) -> None:
    """Write the names of the rows below their bars: all of them, or every second, third … if they are many."""
    step = math.ceil(len(rows) * PITCH / WIDEST)
    named = range(0, len(rows), step)
    axes.set_xticks(named, [label(_short(rows[index].name)) for index in named], rotation=90, fontsize=SMALLEST)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:9]}…{name[-18:]}"
