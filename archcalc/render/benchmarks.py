"""Benchmarks as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archcalc._version import __version__
from archcalc.render.document import Document, Table, table_of_texts
from archcalc.units import BYTES, COUNTS, in_words

if TYPE_CHECKING:
    from archcalc.runtime.benchmark import Benchmark
    from archcalc.runtime.device_profile import DeviceProfile
    from archcalc.runtime.roofline import Prediction

SUMMARY = ("network", "batch", "ms", "spread", "images/s", "FLOP/s", "of peak", "predicted ms", "predicted ÷ measured")
LAYERS = ("layer", "operator", "FLOPs", "read", "written", "FLOPs/B", "bound", "predicted ms", "measured ms")


def benchmarks_document(benchmarks: Sequence[Benchmark], profile: DeviceProfile) -> Document:
    """A line for each network and batch, then a table of the layers of each."""
    tables = (_summary(benchmarks, profile), *map(_layers, benchmarks)) if benchmarks else ()
    return Document(
        "bench",
        tables,
        lambda: {
            "archcalc": __version__,
            "profile": asdict(profile),
            "benchmarks": [_as_dict(one) for one in benchmarks],
        },
    )


def _summary(benchmarks: Sequence[Benchmark], profile: DeviceProfile) -> Table:
    first = benchmarks[0]
    rates = f"peak {_rate(first.peak, 'FLOP/s')}, memory {_rate(profile.bandwidth, 'B/s')}"
    overhead = f", {profile.overhead * 1e6:.1f} µs per operation" if profile.overhead else ""
    return _grid(
        f"inference in {first.dtype} on {profile.name}: {rates}{overhead}",
        SUMMARY,
        [_summary_row(one) for one in benchmarks],
        [],
        [
            f"Device: {profile.source}.",
            *(f"{one.network} at batch {one.batch} was not timed: {one.failure}" for one in benchmarks if one.failure),
        ],
    )


def _summary_row(one: Benchmark) -> list[str]:
    total = one.roofline.total
    if one.timing is None:
        return [one.network, str(one.batch), "", "", "", "", "", _milliseconds(total.seconds), ""]
    median = one.timing.median
    return [
        one.network,
        str(one.batch),
        _milliseconds(median),
        f"{100 * one.timing.spread:.1f} %",
        f"{one.batch / median:,.1f}",
        _rate(total.flops / median, ""),
        f"{100 * total.flops / median / one.peak:.1f} %",
        _milliseconds(total.seconds),
        f"{total.seconds / median:.2f}",
    ]


def _layers(one: Benchmark) -> Table:
    measured = one.layer_seconds or {}
    total = one.roofline.total
    alone = sum(measured.values()) if measured else None
    notes = ["FLOPs: every operation, a multiply-add being 2. FLOPs/B: arithmetic intensity."]
    if measured:
        notes.append("measured: each layer alone; the whole network's own time is in the first table.")
    return _grid(
        f"{one.network} · batch {one.batch} · {one.dtype}",
        LAYERS,
        [_layer_row(layer, measured.get(layer.name)) for layer in one.roofline.layers],
        [_layer_row(total, alone)],
        notes,
    )


def _layer_row(layer: Prediction, measured: float | None) -> list[str]:
    return [
        layer.name,
        layer.kind,
        in_words(layer.flops, COUNTS),
        in_words(layer.bytes_read, BYTES),
        in_words(layer.bytes_written, BYTES),
        "" if layer.intensity is None else f"{layer.intensity:,.1f}",
        layer.bound if layer.bound != "none" else "",
        _milliseconds(layer.seconds),
        "" if measured is None else _milliseconds(measured),
    ]


def _grid(
    title: str, headings: Sequence[str], rows: list[list[str]], totals: list[list[str]], notes: list[str]
) -> Table:
    """A grid without the columns that no row has anything in."""
    shown = [at for at in range(len(headings)) if any(row[at] for row in rows)]
    cells = [[row[at] for at in shown] for row in rows]
    total = [totals[0][at] for at in shown] if totals else None
    left = ("network", "layer", "operator")
    return table_of_texts(title, [headings[at] for at in shown], [(cells, total)], notes, left, ("network", "layer"))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.{1 if seconds >= 0.1 else 2 if seconds >= 0.01 else 3}f}"


def _rate(value: float, unit: str) -> str:
    return in_words(round(value), COUNTS).rstrip() + unit if unit else in_words(round(value), COUNTS)


def _as_dict(one: Benchmark) -> dict[str, Any]:
    total = one.roofline.total
    measured = one.layer_seconds or {}
    return {
        "network": one.network,
        "batch": one.batch,
        "dtype": one.dtype,
        "measured": None if one.timing is None else _measured(one),
        "failure": one.failure or None,
        "total": _prediction(total, sum(measured.values()) if measured else None),
        "layers": [_prediction(layer, measured.get(layer.name)) for layer in one.roofline.layers],
    }


def _measured(one: Benchmark) -> dict[str, Any]:
    assert one.timing is not None
    rate = one.roofline.total.flops / one.timing.median
    return {
        "seconds": one.timing.median,
        "spread": one.timing.spread,
        "runs": one.timing.runs,
        "images_per_second": one.batch / one.timing.median,
        "flops_per_second": rate,
        "share_of_peak": rate / one.peak,
    }


def _prediction(layer: Prediction, measured: float | None) -> dict[str, Any]:
    return {
        "name": layer.name,
        "operator": layer.kind or None,
        "flops": layer.flops,
        "bytes_read": layer.bytes_read,
        "bytes_written": layer.bytes_written,
        "intensity": layer.intensity,
        "bound": layer.bound,
        "predicted_seconds": layer.seconds,
        "measured_seconds": measured,
    }
