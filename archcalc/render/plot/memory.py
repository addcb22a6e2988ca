"""Memory over the order of execution, as an area for each kind of tensor."""

from __future__ import annotations

from typing import Any

from archcalc.memory.heap import USES
from archcalc.memory.summary import Memory
from archcalc.render.memory import moment_in_words
from archcalc.render.plot.figure import COLORS, INK, PAGE, SMALL, label, new_figure, pale
from archcalc.units import BYTES, choose_unit, in_words

STANDING = "#C8C8C8"
LEGEND = {
    "input": "inputs",
    "output": "outputs of layers",
    "saved": "statistics, masks and copies that autograd saves",
    "recomputed": "outputs, computed again",
    "gradient": "gradients of outputs",
    "weights' gradient": "gradients of weights",
    "workspace": "workspaces of layers",
}


def memory_chart(memory: Memory) -> Any:
    """Return a figure of the live tensors at each point, by use, on the persistent memory, with the peak marked."""
    moments = memory.timeline
    figure = new_figure(PAGE, 3.4)
    axes = figure.add_subplot()
    unit = choose_unit([memory.peak], BYTES, 2)
    across = range(len(moments))
    standing = [memory.persistent / unit.size] * len(moments)
    kinds = [kind for kind in range(len(USES)) if any(moment.parts[kind] for moment in moments)]
    axes.stackplot(
        across,
        standing,
        *([moment.parts[kind] / unit.size for moment in moments] for kind in kinds),
        labels=["weights, buffers, what the optimizer keeps", *(LEGEND[USES[kind]] for kind in kinds)],
        colors=[STANDING, *(pale(COLORS[kind % len(COLORS)]) for kind in kinds)],
        step="mid",
        linewidth=0,
    )
    highest = moments.index(memory.live_peak.point)
    axes.annotate(
        label(f"{in_words(memory.peak, BYTES)} {moment_in_words(memory.live_peak.point)}"),
        (highest, memory.peak / unit.size),
        xytext=(0, 6),
        textcoords="offset points",
        ha="left" if highest < len(moments) / 3 else "right" if highest > 2 * len(moments) / 3 else "center",
        fontsize=SMALL,
        color=INK,
    )
    axes.plot([highest], [memory.peak / unit.size], ".", color=INK, markersize=4)
    starts = [point for point in across if point == 0 or moments[point].phase != moments[point - 1].phase]
    for text, point in zip(
        axes.set_xticks(starts, [moments[point].phase for point in starts], fontsize=SMALL), starts, strict=True
    ):
        text.label1.set_ha("right" if point > 0.9 * len(moments) else "left")
    axes.set(ylabel=unit.symbol, xlabel="order of execution")
    axes.margins(x=0, y=0.12)
    axes.set_ylim(bottom=0)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=SMALL)
    analysis = memory.analysis
    with_optimizer = f" with {memory.step}" if memory.step else ""
    title = f"{analysis.network.name}: {memory.mode}{with_optimizer}, batch {analysis.batch}, {analysis.dtype}"
    axes.set_title(label(title))
    return figure
