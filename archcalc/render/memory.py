"""The memory of a network in text, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from archcalc.analysis import Analysis
from archcalc.memory.checkpointing import CheckpointPlan
from archcalc.memory.heap import USES, LiveTensor, TimelinePoint
from archcalc.memory.summary import Fit, Memory
from archcalc.memory.training import OPTIMIZERS
from archcalc.render.document import Chart, Document, Records, Table, table_of_texts
from archcalc.render.table import title_of
from archcalc.render.text import pad
from archcalc.units import BYTES, COUNTS, choose_unit

MOST_ALIVE = 12
"""So many of the tensors at the peak are named."""
CHART_WIDTH, CHART_HEIGHT = 72, 10
_SAVED = "what autograd keeps at the end of the forward pass"
BARS = " ▁▂▃▄▅▆▇█"


def memory_document(memory: Memory) -> Document:
    """The quantities with their sum, the timeline as a chart, and what is alive at the peak.

    Its records are the timeline: a row for each moment, bytes in full.
    """
    return Document(
        memory.analysis.network.name,
        (_quantities(memory), Chart(_chart(memory)), _alive(memory)),
        lambda: memory_dict(memory),
        lambda: _timeline(memory),
    )


def _timeline(memory: Memory) -> Records:
    heading = ["phase", "layer", "live_bytes", "tensors", *(f"{_plain(what)}_bytes" for what in USES)]
    return [
        heading,
        *([one.phase, one.layer, one.live_bytes, one.tensors, *one.parts] for one in memory.timeline),
    ]


def memory_dict(memory: Memory) -> dict[str, Any]:
    """The memory as plain data."""
    moment = memory.live_peak.point
    return {
        **_of(memory.analysis),
        "mode": memory.mode,
        "optimizer": memory.optimizer or None,
        "weights_bytes": memory.weights,
        "buffers_bytes": memory.buffers,
        "optimizer_bytes": memory.state,
        "gradients_bytes": memory.gradients,
        "saved_bytes": memory.saved,
        "tensors_bytes": memory.live_peak.live_bytes,
        "peak_bytes": memory.peak,
        "peak": {
            "phase": moment.phase,
            "layer": moment.layer or None,
            "alive": [_alive_dict(one) for one in memory.live_peak.alive],
        },
        "timeline": [
            {
                "phase": one.phase,
                "layer": one.layer or None,
                "bytes": one.live_bytes,
                "tensors": one.tensors,
                "parts": {what: size for what, size in zip(USES, one.parts, strict=True) if size},
            }
            for one in memory.timeline
        ],
    }


def _of(analysis: Analysis) -> dict[str, Any]:
    shapes = {name: list(shape) for name, shape in analysis.network.inputs.items()}
    return {
        "network": analysis.network.name,
        "input": next(iter(shapes.values())) if len(shapes) == 1 else shapes,
        "batch": analysis.batch,
        "dtype": analysis.dtype,
    }


def _alive_dict(one: LiveTensor) -> dict[str, Any]:
    return {"layer": one.storage.layer, "what": one.storage.use, "bytes": one.bytes}


def moment_in_words(moment: TimelinePoint) -> str:
    """When it is: `in the backward pass of layer1.0.conv1`."""
    if moment.phase == "update":
        return "while the weights are updated"
    if moment.phase == "recompute":
        return f"while {moment.layer} is recomputed"
    return f"in the {moment.phase} pass of {moment.layer}"


def _title(memory: Memory) -> str:
    with_optimizer = f" with {memory.optimizer}" if memory.optimizer else ""
    return f"{title_of(memory.analysis)} · {memory.mode}{with_optimizer}"


def _quantities(memory: Memory) -> Table:
    """What stands, and the tensors at the peak, with their sum; then what is part of it."""
    item = memory.analysis.counting.itemsize
    standing = [
        ("weights", memory.weights, f"{memory.weights // item:,} × {item} B"),
        ("buffers", memory.buffers, "running statistics and the like"),
    ]
    parts: list[tuple[str, int, str]] = []
    if memory.mode == "training":
        numbers = OPTIMIZERS[memory.optimizer].state
        standing.append(("optimizer's state", memory.state, f"{numbers} × weights"))
        parts = [
            ("saved activations", memory.saved, _SAVED),
            ("gradients", memory.gradients, "of the weights, complete before their update"),
        ]
    standing.append(("tensors at the peak", memory.live_peak.live_bytes, moment_in_words(memory.live_peak.point)))
    unit = choose_unit([*(value for _, value, _ in (*standing, *parts)), memory.peak], BYTES, 2)
    rows = [[name, unit.text(value), says] for name, value, says in standing]
    sections: list[tuple[list[list[str]], list[str] | None]] = [(rows, ["peak", unit.text(memory.peak), "the sum"])]
    if parts:
        sections.append(([[name, unit.text(value), says] for name, value, says in parts], None))
    return table_of_texts(_title(memory), ("memory", unit.symbol, "what it is"), sections, left=_WORDS, names=_NAMES)


def _alive(memory: Memory) -> Table:
    """The largest tensors at the peak, and the sum of all."""
    alive = sorted(memory.live_peak.alive, key=lambda one: -one.bytes)
    shown, others = alive[:MOST_ALIVE], alive[MOST_ALIVE:]
    whole = memory.live_peak.live_bytes
    unit = choose_unit([one.bytes for one in shown], BYTES, 2)
    rows = [[one.storage.layer, one.storage.use, unit.text(one.bytes), _share(one.bytes, whole)] for one in shown]
    if others:
        rest = sum(one.bytes for one in others)
        rows.append([f"{len(others)} others", "", unit.text(rest), _share(rest, whole)])
    title = f"alive at the peak, {moment_in_words(memory.live_peak.point)}"
    total = ["total", "", unit.text(whole), _share(whole, whole)]
    return table_of_texts(title, ("layer", "what", unit.symbol, "share"), [(rows, total)], left=_WORDS, names=_NAMES)


def _share(part: int, whole: int) -> str:
    return f"{(part * 2000 + whole) // (2 * whole) / 10:.1f} %" if whole else "–"


_WORDS = ("memory", "layer", "what", "run", "", "what it is")
"""Headings of columns of words."""
_NAMES = ("memory", "layer", "run", "")
"""Headings of what names a row."""


def _chart(memory: Memory) -> str:
    """The timeline as bars, each the highest of the moments that stand in its column."""
    moments = memory.timeline
    width = min(CHART_WIDTH, len(moments))
    bounds = [at * len(moments) // width for at in range(width + 1)]
    bins = [moments[start:stop] for start, stop in pairwise(bounds)]
    heights = [max(one.live_bytes for one in part) for part in bins]
    top = max(heights) or 1
    unit = choose_unit([top], BYTES, 2)
    labels = {0: unit.text(0), CHART_HEIGHT - 1: unit.text(top)}
    margin = max(map(len, labels.values()))
    lines = [f"tensors alive, in the order of execution ({unit.symbol}; {len(moments)} moments)"]
    for row in reversed(range(CHART_HEIGHT)):
        filled = [height * CHART_HEIGHT * 8 // top - row * 8 for height in heights]
        bars = "".join(BARS[min(max(eighths, 0), 8)] for eighths in filled)
        lines.append(f"{pad(labels.get(row, ''), margin, True)} │{bars}".rstrip())
    lines.append(" " * margin + " └" + "─" * width)
    lines.append(" " * margin + "  " + _phases([part[0].phase for part in bins]))
    return "\n".join(lines) + "\n"


def _phases(phases: Sequence[str]) -> str:
    """The names of the phases, each below its beginning."""
    text = ""
    for at, phase in enumerate(phases):
        if (at == 0 or phases[at - 1] != phase) and len(text) <= at and at + len(phase) <= len(phases) + 10:
            text = text.ljust(at) + phase + " "
    return text.rstrip()


def _plain(what: str) -> str:
    return what.replace("'", "").replace(" ", "_")


# -- the largest batch


def fits_document(analysis: Analysis, budget: int, fits: Sequence[Fit]) -> Document:
    """A row for each mode; its records have bytes in full."""

    def data() -> dict[str, Any]:
        found = _of(analysis)
        del found["batch"]
        return {
            **found,
            "budget_bytes": budget,
            "fits": [{**one._asdict(), "optimizer": one.optimizer or None} for one in fits],
        }

    table = _fits(analysis, budget, fits)
    return Document(analysis.network.name, (table,), data, lambda: _fit_records(budget, fits))


def _fit_records(budget: int, fits: Sequence[Fit]) -> Records:
    heading = ["mode", "optimizer", "budget_bytes", "batch", "bytes", "next_bytes"]
    return [heading, *([one.mode, one.optimizer, budget, one.batch, one.bytes, one.next_bytes] for one in fits)]


def _fits(analysis: Analysis, budget: int, fits: Sequence[Fit]) -> Table:
    rows = []
    for one in fits:
        mode = f"{one.mode} with {one.optimizer}" if one.optimizer else one.mode
        rows.append([mode, f"{one.batch:,}", f"{one.bytes:,}" if one.batch else "", f"{one.next_bytes:,}"])
    title = f"{analysis.network.name} · {analysis.dtype} · largest batch in {budget:,} B"
    notes = [f"Not even one sample fits: {one.mode}." for one in fits if not one.batch]
    return table_of_texts(
        title, ("run", "batch", "takes (B)", "one more takes (B)"), [(rows, None)], notes, _WORDS, _NAMES
    )


# -- what to recompute


def plan_document(plan: CheckpointPlan) -> Document:
    """What recomputing comes to; its records are the blocks that could be recomputed."""
    return Document(plan.without.analysis.network.name, (_plan(plan),), lambda: _plan_data(plan), lambda: _blocks(plan))


def _blocks(plan: CheckpointPlan) -> Records:
    chosen = set(plan.blocks)
    return [["block", "recomputed"], *([name, int(name in chosen)] for name in plan.candidates)]


def _plan_data(plan: CheckpointPlan) -> dict[str, Any]:
    """Bytes and multiply-adds in full."""
    analysis = plan.without.analysis
    return {
        **_of(analysis),
        "optimizer": plan.without.optimizer,
        "budget_bytes": plan.budget,
        "fits": plan.fits,
        "recomputed": list(plan.blocks),
        "candidates": list(plan.candidates),
        "peak_bytes": plan.peak,
        "saved_bytes": plan.saved,
        "without": {"peak_bytes": plan.without.peak, "saved_bytes": plan.without.saved},
        "extra_macs": plan.macs,
        "forward_macs": analysis.totals.macs,
        "extra_macs_above_least": plan.above_least,
        "least_peak_bytes": None if plan.fits else plan.least,
    }


def _plan(plan: CheckpointPlan) -> Table:
    analysis, without = plan.without.analysis, plan.without
    unit = choose_unit([plan.peak, without.peak], BYTES, 2)
    macs = choose_unit([plan.macs or analysis.totals.macs], COUNTS, 2)
    again = f"{_share(plan.macs, analysis.totals.macs)} of a forward pass"
    rows = [
        [f"peak ({unit.symbol})", unit.text(without.peak), unit.text(plan.peak), moment_in_words(plan.live_peak.point)],
        [f"saved activations ({unit.symbol})", unit.text(without.saved), unit.text(plan.saved), _SAVED],
        [f"computed again ({macs.symbol}MACs)", "0", macs.text(plan.macs), again],
    ]
    if plan.fits:
        count = f"{len(plan.blocks)} of {len(plan.candidates)} blocks"
        notes = [f"Recompute {count}: {', '.join(_runs(plan))}."] if plan.blocks else ["It fits: recompute nothing."]
        if plan.above_least:
            notes.append(f"Other choices may compute up to {plan.above_least:,} multiply-adds less again.")
    else:
        notes = [f"No choice of blocks fits: the least that recomputing reaches is {plan.least:,} B."]
    title = f"{_title(without)} · to fit {plan.budget:,} B"
    headings = ("", "all saved", "some recomputed", "what it is")
    return table_of_texts(title, headings, [(rows, None)], notes, _WORDS, _NAMES)


def _runs(plan: CheckpointPlan) -> list[str]:
    """The chosen blocks, those that follow each other in one group as `layer1.0 … layer1.2`."""
    places = {name: at for at, name in enumerate(plan.candidates)}
    runs: list[list[str]] = []
    for name in plan.blocks:
        last = runs[-1][-1] if runs else ""
        follows = runs and places[name] == places[last] + 1 and name.rpartition(".")[0] == last.rpartition(".")[0]
        if follows:
            runs[-1].append(name)
        else:
            runs.append([name])
    return [f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
