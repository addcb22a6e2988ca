"""Memory as documents: a network's memory over time, the largest batch, and what to recompute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

from archcalc.analysis import Analysis, Totals
from archcalc.analysis.precision import ROLES, Precision
from archcalc.dtypes import BITS, bytes_of
from archcalc.memory.checkpointing import CheckpointPlan
from archcalc.memory.estimating import estimate_note, estimated
from archcalc.memory.heap import USES, TimelinePoint
from archcalc.memory.optimizers import TrainingStep
from archcalc.memory.summary import Fit, Memory
from archcalc.network import Network
from archcalc.quantities.contract import input_shapes
from archcalc.render.document import (
    Chart,
    Column,
    Document,
    Records,
    Section,
    Table,
    data_column,
    value_column,
    word_column,
)
from archcalc.render.table import title_of
from archcalc.render.text import pad
from archcalc.units import BYTES, COUNTS, Unit, choose_unit

MOST_ALIVE = 12
"""The number of tensors at the peak that are named."""
CHART_WIDTH, CHART_HEIGHT = 72, 10
_SAVED = "saved by autograd at the end of the forward pass"
BARS = " ▁▂▃▄▅▆▇█"


def memory_document(memory: Memory) -> Document:
    """Return the quantities with their sum, the timeline as a chart, and the live tensors at the peak.

    Its records are the timeline: a row for each point, bytes in full.
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
        *([point.phase, point.layer, point.live_bytes, point.tensors, *point.parts] for point in memory.timeline),
    ]


def memory_dict(memory: Memory) -> dict[str, Any]:
    """Return the memory as plain data."""
    moment = memory.live_peak.point
    return {
        **_of(memory.analysis),
        "mode": memory.mode,
        "precision": _precision_dict(memory.analysis.counting.roles),
        "optimizer": memory.optimizer or None,
        "step": asdict(memory.step) if memory.step else None,
        "fused": memory.fused or None,
        "weights_bytes": memory.weights,
        "buffers_bytes": memory.buffers,
        "optimizer_bytes": memory.state,
        "master_bytes": memory.master,
        "gradients_bytes": memory.gradients,
        "saved_bytes": memory.saved,
        "tensors_bytes": memory.live_peak.live_bytes,
        "peak_bytes": memory.peak,
        "estimated": list(memory.estimated),
        "peak": {
            "phase": moment.phase,
            "layer": moment.layer or None,
            "alive": [
                {"layer": live.storage.layer, "what": live.storage.use, "bytes": live.bytes}
                for live in memory.live_peak.alive
            ],
        },
        "timeline": [
            {
                "phase": point.phase,
                "layer": point.layer or None,
                "bytes": point.live_bytes,
                "tensors": point.tensors,
                "parts": {what: size for what, size in zip(USES, point.parts, strict=True) if size},
            }
            for point in memory.timeline
        ],
    }


def _precision_dict(roles: Precision) -> dict[str, Any]:
    """Return the type of each role; null for a role that there is not."""
    found: dict[str, Any] = {role: getattr(roles, role) or None for role in (*ROLES, "autocast")}
    return {**found, "quantized": roles.quantized._asdict() if roles.quantized else None}


def _of(analysis: Analysis) -> dict[str, Any]:
    return {
        "network": analysis.network.name,
        "input": input_shapes(analysis.network),
        "batch": analysis.batch,
        "dtype": analysis.dtype,
    }


def moment_in_words(moment: TimelinePoint) -> str:
    """Return a point of the timeline in words: `in the backward pass of layer1.0.conv1`."""
    if moment.phase == "update":
        return "while the weights are updated"
    if moment.phase == "recompute":
        return f"while {moment.layer} is recomputed"
    return f"in the {moment.phase} pass of {moment.layer}"


def _title(memory: Memory) -> str:
    how = f" with {memory.step}" if memory.step else f", fused as {memory.fused}" if memory.fused else ""
    return f"{title_of(memory.analysis)} · {memory.mode}{how}"


class AmountRow(NamedTuple):
    """Bytes, with their name and a remark."""

    name: str
    bytes: int
    remark: str


def amount_columns(unit: Unit) -> tuple[Column, ...]:
    """Return the columns of amounts: name, size and remark."""
    return (
        word_column("memory", lambda amount: amount.name, is_name=True),
        value_column(unit.symbol, lambda amount: amount.bytes, unit.text),
        word_column("what it is", lambda amount: amount.remark, is_prose=True),
    )


def _quantities(memory: Memory) -> Table:
    """Return what is there all the time and the tensors at the peak, with their sum; then what is part of it."""
    step, totals = memory.step, memory.analysis.totals
    standing = [
        AmountRow("weights", memory.weights, _stored(memory) + _divided(step, 3)),
        AmountRow("buffers", memory.buffers, "running statistics and the like"),
    ]
    parts: list[AmountRow] = []
    if step is not None:
        if memory.master:
            remark = f"of the trained weights, in {memory.analysis.counting.roles.master}{_divided(step, 1)}"
            standing.append(AmountRow("master copy", memory.master, remark))
        standing.append(AmountRow("optimizer's state", memory.state, step.rule.stores + _divided(step, 1)))
        parts = [
            AmountRow("saved activations", memory.saved, _SAVED),
            AmountRow("gradients", memory.gradients, _of_trained(totals) + _divided(step, 2)),
        ]
    standing.append(
        AmountRow("tensors at the peak", memory.live_peak.live_bytes, moment_in_words(memory.live_peak.point))
    )
    unit = choose_unit([*(amount.bytes for amount in (*standing, *parts)), memory.peak], BYTES, 2)
    whole = Section(standing, AmountRow("peak", memory.peak, "the sum"))
    notes = estimate_notes(memory.analysis.network)
    return Table(_title(memory), amount_columns(unit), (whole, *([Section(parts)] if parts else [])), notes)


def estimate_notes(network: Network) -> tuple[str, ...]:
    """Return a note on the layers whose memory is estimated, if there are any."""
    note = estimate_note(network)
    return (note,) if note else ()


def _stored(memory: Memory) -> str:
    """Return `25,557,032 × 2 B`; the bits of each if types are mixed; the number alone if devices divide the bytes."""
    params, dtype = memory.analysis.totals.params, memory.analysis.counting.roles.weights
    if memory.weights == bytes_of(params, dtype) and BITS[dtype] >= 8:
        return f"{params:,} × {BITS[dtype] // 8} B"
    if not params:
        return "no parameters"
    if _divided(memory.step, 3):
        return f"{params:,} parameters"
    return f"{params:,} parameters, {8 * memory.weights / params:.3g} bits each"


def _divided(step: TrainingStep | None, stage: int) -> str:
    """Say that devices divide what a stage of ZeRO divides."""
    return f", divided among {step.devices} devices" if step is not None and step.zero >= stage else ""


def _of_trained(totals: Totals) -> str:
    """Say of which weights there are gradients."""
    if totals.trained_params == totals.params:
        return "of the weights, complete before their update"
    return f"of the {totals.trained_params:,} trained weights, complete before their update"


class _AliveRow(NamedTuple):
    """A tensor at the peak, or all that are not named."""

    layer: str
    what: str
    bytes: int


def _alive(memory: Memory) -> Table:
    """Return the largest tensors at the peak, and the sum of all."""
    alive = sorted(memory.live_peak.alive, key=lambda live: -live.bytes)
    others = alive[MOST_ALIVE:]
    whole = memory.live_peak.live_bytes
    rows = [_AliveRow(live.storage.layer, live.storage.use, live.bytes) for live in alive[:MOST_ALIVE]]
    unit = choose_unit([row.bytes for row in rows], BYTES, 2)
    if others:
        rows.append(_AliveRow(f"{len(others)} others", "", sum(live.bytes for live in others)))
    columns = (
        word_column("layer", lambda row: row.layer, is_name=True),
        word_column("what", lambda row: row.what),
        value_column(unit.symbol, lambda row: row.bytes, unit.text),
        value_column("share", lambda row: row.bytes, lambda value: _share(value, whole)),
    )
    title = f"live tensors at the peak, {moment_in_words(memory.live_peak.point)}"
    return Table(title, columns, (Section(rows, _AliveRow("total", "", whole)),))


def _share(part: int, whole: int) -> str:
    return f"{(part * 2000 + whole) // (2 * whole) / 10:.1f} %" if whole else "–"


def _chart(memory: Memory) -> str:
    """Return the timeline as bars, each the highest of the points in its column."""
    moments = memory.timeline
    width = min(CHART_WIDTH, len(moments))
    bounds = [index * len(moments) // width for index in range(width + 1)]
    bins = [moments[start:stop] for start, stop in pairwise(bounds)]
    heights = [max(point.live_bytes for point in part) for part in bins]
    top = max(heights) or 1
    unit = choose_unit([top], BYTES, 2)
    labels = {0: unit.text(0), CHART_HEIGHT - 1: unit.text(top)}
    margin = max(map(len, labels.values()))
    lines = [f"live tensors, in the order of execution ({unit.symbol}; {len(moments)} points)"]
    for row in reversed(range(CHART_HEIGHT)):
        filled = [height * CHART_HEIGHT * 8 // top - row * 8 for height in heights]
        bars = "".join(BARS[min(max(eighths, 0), 8)] for eighths in filled)
        lines.append(f"{pad(labels.get(row, ''), margin, True)} │{bars}".rstrip())
    lines.append(" " * margin + " └" + "─" * width)
    lines.append(" " * margin + "  " + _phases([part[0].phase for part in bins]))
    return "\n".join(lines) + "\n"


def _phases(phases: Sequence[str]) -> str:
    """Return the names of the phases, each below its beginning."""
    text = ""
    for index, phase in enumerate(phases):
        if (index == 0 or phases[index - 1] != phase) and len(text) <= index and index + len(phase) <= len(phases) + 10:
            text = text.ljust(index) + phase + " "
    return text.rstrip()


def _plain(what: str) -> str:
    return what.replace("'", "").replace(" ", "_")


# -- the largest batch


def fits_document(analysis: Analysis, budget: int, fits: Sequence[Fit]) -> Document:
    """Return a row for each mode, with bytes in full."""

    def data() -> dict[str, Any]:
        found = _of(analysis)
        del found["batch"]
        return {
            **found,
            "budget_bytes": budget,
            "estimated": list(estimated(analysis.network)),
            "fits": [{**fit._asdict(), "optimizer": fit.optimizer or None} for fit in fits],
        }

    columns = (
        word_column("mode", lambda fit: fit.mode, "mode", is_name=True),
        word_column("optimizer", lambda fit: fit.optimizer, "optimizer", is_optional=True),
        data_column("budget_bytes", lambda fit: budget),
        value_column("batch", lambda fit: fit.batch, key="batch"),
        value_column("takes (B)", lambda fit: fit.bytes if fit.batch else None),
        data_column("bytes", lambda fit: fit.bytes),
        value_column("one more takes (B)", lambda fit: fit.next_bytes, key="next_bytes"),
    )
    title = f"{analysis.network.name} · {analysis.dtype} · largest batch in {budget:,} B"
    notes = tuple(f"One sample does not fit: {fit.mode}." for fit in fits if not fit.batch)
    notes += estimate_notes(analysis.network)
    return Document(analysis.network.name, (Table(title, columns, (Section(fits),), notes),), data)


# -- what to recompute


def plan_document(plan: CheckpointPlan) -> Document:
    """Return the effect of recomputation; its records are the blocks that can be recomputed."""
    return Document(plan.without.analysis.network.name, (_plan(plan),), lambda: _plan_data(plan), lambda: _blocks(plan))


def _blocks(plan: CheckpointPlan) -> Records:
    chosen = set(plan.blocks)
    return [["block", "recomputed"], *([name, int(name in chosen)] for name in plan.candidates)]


def _plan_data(plan: CheckpointPlan) -> dict[str, Any]:
    """Return the plan as plain data, with bytes and multiply-adds in full."""
    analysis = plan.without.analysis
    return {
        **_of(analysis),
        "optimizer": plan.without.optimizer,
        "budget_bytes": plan.budget,
        "fits": plan.fits,
        "recomputed": list(plan.blocks),
        "candidates": list(plan.candidates),
        "estimated": list(plan.without.estimated),
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
    size = choose_unit([plan.peak, without.peak], BYTES, 2)
    work = choose_unit([plan.macs or analysis.totals.macs], COUNTS, 2)
    again = f"{_share(plan.macs, analysis.totals.macs)} of a forward pass"
    rows = [
        _Change("peak", size.symbol, size.text, without.peak, plan.peak, moment_in_words(plan.live_peak.point)),
        _Change("saved activations", size.symbol, size.text, without.saved, plan.saved, _SAVED),
        _Change("computed again", f"{work.symbol}MACs", work.text, 0, plan.macs, again),
    ]
    if plan.fits:
        count = f"{len(plan.blocks)} of {len(plan.candidates)} blocks"
        notes = [f"Recompute {count}: {', '.join(_runs(plan))}."] if plan.blocks else ["It fits: recompute nothing."]
        if plan.above_least:
            notes.append(f"Other choices may recompute up to {plan.above_least:,} multiply-adds less.")
    else:
        notes = [f"No choice of blocks fits; the lowest peak with recomputation is {plan.least:,} B."]
    notes += estimate_notes(analysis.network)
    columns = (
        word_column("", lambda row: f"{row.name} ({row.unit})", is_name=True),
        value_column("all saved", lambda row: row.show(row.without)),
        value_column("some recomputed", lambda row: row.show(row.planned)),
        word_column("what it is", lambda row: row.remark, is_prose=True),
    )
    return Table(f"{_title(without)} · to fit {plan.budget:,} B", columns, (Section(rows),), tuple(notes))


class _Change(NamedTuple):
    """A quantity without recomputation and with it."""

    name: str
    unit: str
    show: Callable[[int], str]
    without: int
    planned: int
    remark: str


def _runs(plan: CheckpointPlan) -> list[str]:
    """Return the chosen blocks, with those that follow each other in a group as `layer1.0 … layer1.2`."""
    places = {name: index for index, name in enumerate(plan.candidates)}
    runs: list[list[str]] = []
    for name in plan.blocks:
        last = runs[-1][-1] if runs else ""
        follows = runs and places[name] == places[last] + 1 and name.rpartition(".")[0] == last.rpartition(".")[0]
        if follows:
            runs[-1].append(name)
        else:
            runs.append([name])
    return [f"{run[0]} … {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
