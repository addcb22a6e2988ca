"""The points of a sweep as a chart: one quantity against another, colored by the first swept parameter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archcalc.errors import UserError
from archcalc.render.plot.figure import COLORS, SMALL, label, new_figure, save
from archcalc.render.points import shown
from archcalc.sweep.space import SweepAxis

MOST_POINTS = 100_000
"""More points would hide one another."""


def plot_points(
    parts: Iterable[dict[str, Any]], axes: Sequence[SweepAxis], quantities: Sequence[str], format: str
) -> bytes:
    """Return a chart of the first quantity along the horizontal axis and the second along the vertical, logarithmic.

    Raises `UserError` for fewer than two quantities, no points, or too many.
    """
    if len(quantities) < 2:
        raise UserError("a chart shows two quantities: --of params,macs")
    columns: dict[str, list[Any]] = {}
    for part in parts:
        for name, values in shown(part, axes).items():
            columns.setdefault(name, []).extend(values)
        if len(columns[quantities[0]]) > MOST_POINTS:
            raise UserError(f"a chart shows at most {MOST_POINTS:,} points; keep fewer, or use --sample")
    across, up = quantities[:2]
    if not columns.get(across):
        raise UserError("no points to show")
    figure = new_figure(4.6, 3.2)
    chart = figure.add_subplot()
    first = axes[0].name
    groups = list(dict.fromkeys(columns[first]))
    for number, group in enumerate(groups):
        chosen = [index for index, value in enumerate(columns[first]) if value == group]
        few = len(groups) <= len(COLORS)
        chart.plot(
            [columns[across][index] for index in chosen],
            [columns[up][index] for index in chosen],
            "o",
            markersize=3.5,
            color=COLORS[number] if few else COLORS[0],
            label=label(f"{first} {group}") if few else None,
        )
    chart.set(xlabel=label(across), ylabel=label(up), xscale="log", yscale="log")
    if len(groups) <= len(COLORS):
        chart.legend(frameon=False, fontsize=SMALL)
    return save(figure, format)
