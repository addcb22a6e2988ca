"""The growth of receptive fields from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import choose_rows
from archcalc.errors import UserError
from archcalc.quantities.table import HEAT
from archcalc.render.plot.figure import COLORS, LINE, OUTLINES, SMALL, THIN, label, new_figure


def growth(analyses: Sequence[Analysis], depth: int | None = None) -> Any:
    """Return a figure with a line for each network: the largest field of the layers so far, in pixels of the input.

    A line ends where fields become the whole input. The size of the input is a dotted line.

    Raises:
        UserError: if the input of a network has no positions.
    """
    figure = new_figure(4.6, 3.0)
    axes = figure.add_subplot()
    sides: set[int] = set()
    for index, analysis in enumerate(analyses):
        rows = choose_rows(analysis.rows, fold=True, depth=depth)
        sizes = [HEAT["rf"].extent(row) for row in rows]
        ends = sizes.index(None) if None in sizes else len(sizes)
        known = [size or 0 for size in sizes[:ends]]
        if not any(known):
            raise UserError(f"{analysis.network.name} has no receptive fields: its input has no positions")
        largest = list(accumulate(known, max))
        name = label(analysis.network.name)
        color, outline = COLORS[index % len(COLORS)], OUTLINES[index // len(COLORS) % len(OUTLINES)]
        axes.step(range(1, ends + 1), largest, outline, where="post", color=color, linewidth=1.2, label=name)
        sides.add(max(next(iter(analysis.network.inputs.values()))[1:], default=0))
    for side in sides:
        axes.axhline(side, color=LINE, linewidth=THIN, linestyle=":")
    words = f"input {', '.join(map(str, sorted(sides)))}"
    axes.annotate(words, (1, max(sides)), (0, 2), textcoords="offset points", fontsize=SMALL, color=LINE)
    axes.set(ylabel="receptive field (px)", xlabel="layer")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=SMALL)
    return figure
