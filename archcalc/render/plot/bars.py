"""The lectures' bar charts: memory, parameters and operations of every layer, of several networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.quantities.quantity import Cost
from archcalc.quantities.table import COSTS
from archcalc.render.plot.figure import COLORS, label, new_figure
from archcalc.units import in_words

MOST_NAMES = 45
"""With more bars than this, only some are named."""
NARROWEST, WIDEST = 4.0, 14.0
"""Width and height of one chart, in inches."""


def bars(analyses: Sequence[Analysis], metrics: Sequence[str], depth: int | None = None) -> Any:
    """Return a figure with a row for each metric and a column for each network, with one scale along a row.

    ``depth`` joins layers deeper than that many names into one bar, as a table's depth does.
    """
    charts = [choose_rows(analysis.rows, fold=True, depth=depth) for analysis in analyses]
    widths = [min(max(0.24 * len(rows), NARROWEST), WIDEST) for rows in charts]
    figure = new_figure(sum(widths) + 0.8, 2.9 * len(metrics) + 0.6)
    grid = figure.subplots(len(metrics), len(analyses), squeeze=False, sharey="row", width_ratios=widths)
    for line, key in zip(grid, metrics, strict=True):
        metric = COSTS[key]
        values = [[metric.of_row(row) for row in rows] for rows in charts]
        unit = metric.unit_for([value for column in values for value in column], analyses[0])
        for axes, analysis, rows, heights, color in zip(
            line, analyses, charts, values, _colors(len(analyses)), strict=True
        ):
            axes.bar(range(len(rows)), [height / unit.size for height in heights], color=color)
            _name_bars(axes, rows)
            axes.set_title(_title(analysis, metric), fontsize=10)
            axes.spines[["top", "right"]].set_visible(False)
            axes.margins(x=0.01)
        line[0].set_ylabel(metric.titled(analyses[0].convention.name, unit))
    return figure


def _colors(count: int) -> list[str]:
    return [COLORS[index % len(COLORS)] for index in range(count)]


def _title(analysis: Analysis, metric: Cost) -> str:
    total = in_words(metric.of_network(analysis), metric.units_for(analysis))
    return label(f"{analysis.network.name}: {total} {metric.titled(analysis.convention.name)}")


def _name_bars(axes: Any, rows: Sequence[TableRow]) -> None:
    """Write the names of the rows below their bars: all of them, or every second, third … if they are many."""
    step = -(-len(rows) // MOST_NAMES)
    named = range(0, len(rows), step)
    size = 8 if len(rows) <= MOST_NAMES // 2 else 6.5
    axes.set_xticks(named, [label(_short(rows[index].name)) for index in named], rotation=90, fontsize=size)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:9]}…{name[-18:]}"
