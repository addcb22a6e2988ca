"""Benchmarks as documents: a row for each network and batch, then the layers of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc._version import __version__
from archcalc.render.document import Document, Section, Table, value_column, word_column
from archcalc.units import BYTES, COUNTS, in_words

if TYPE_CHECKING:
    from archcalc.runtime.benchmark import Benchmark
    from archcalc.runtime.device_profile import DeviceProfile
    from archcalc.runtime.roofline import Prediction


def benchmarks_document(benchmarks: Sequence[Benchmark], profile: DeviceProfile, depth: int | None = None) -> Document:
    """Return a table of the networks and batches, then one of the layers of each, those of a group together.

    Its records are the first table, with seconds and rates in full.
    """
    tables = (_summary(benchmarks, profile), *(_layers(bench, depth) for bench in benchmarks)) if benchmarks else ()
    return Document(
        "bench",
        tables,
        lambda: {
            "archcalc": __version__,
            "profile": asdict(profile),
            "benchmarks": [_as_dict(bench) for bench in benchmarks],
        },
    )


def _summary(benchmarks: Sequence[Benchmark], profile: DeviceProfile) -> Table:
    first = benchmarks[0]
    rates = f"peak {_rate(first.peak)}FLOP/s, memory {_rate(profile.bandwidth)}B/s"
    overhead = f", {profile.overhead * 1e6:.1f} µs per operation" if profile.overhead else ""
    columns = (
        word_column("network", lambda bench: bench.network, "network", is_name=True),
        value_column("batch", lambda bench: bench.batch, key="batch"),
        value_column("ms", _measured_value("seconds"), _milliseconds, "seconds", is_optional=True),
        value_column("spread", _measured_value("spread"), _percent, "spread", is_optional=True),
        value_column(
            "images/s", _measured_value("images_per_second"), "{:,.1f}".format, "images_per_second", is_optional=True
        ),
        value_column("FLOP/s", _measured_value("flops_per_second"), _rate, "flops_per_second", is_optional=True),
        value_column("of peak", _measured_value("share_of_peak"), _percent, "share_of_peak", is_optional=True),
        value_column("predicted ms", lambda bench: bench.roofline.total.seconds, _milliseconds, "predicted_seconds"),
        value_column(
            "predicted ÷ measured",
            lambda bench: bench.timing and bench.roofline.total.seconds / bench.timing.median,
            "{:.2f}".format,
            is_optional=True,
        ),
    )
    notes = [
        f"Device: {profile.source}.",
        *(
            f"{bench.network} at batch {bench.batch} was not timed: {bench.failure}"
            for bench in benchmarks
            if bench.failure
        ),
    ]
    title = f"inference in {first.dtype} on {profile.name}: {rates}{overhead}"
    return Table(title, columns, (Section(benchmarks),), tuple(notes))


def _measured_value(key: str) -> Callable[[Benchmark], Any]:
    """Return a function that reads a measured value; None if the network was not timed."""
    return lambda bench: None if bench.timing is None else _measured(bench)[key]


class _LayerRow(NamedTuple):
    """The prediction of a layer or of all, and the measured time in seconds."""

    predicted: Prediction
    measured: float | None


def _layers(bench: Benchmark, depth: int | None) -> Table:
    from archcalc.runtime.roofline import joined

    measured = bench.layer_seconds or {}
    notes = ["FLOPs: every operation, a multiply-add being 2. FLOPs/B: arithmetic intensity."]
    if measured:
        notes.append("measured: each layer alone; the whole network's own time is in the first table.")
    columns = (
        word_column("layer", lambda row: row.predicted.name, is_name=True),
        word_column("operator", lambda row: row.predicted.kind),
        value_column("flop", lambda row: row.predicted.flops, lambda value: in_words(value, COUNTS)),
        value_column("read", lambda row: row.predicted.bytes_read, lambda value: in_words(value, BYTES)),
        value_column("written", lambda row: row.predicted.bytes_written, lambda value: in_words(value, BYTES)),
        value_column("flop/B", lambda row: row.predicted.intensity, "{:,.1f}".format, is_optional=True),
        value_column(
            "bound", lambda row: row.predicted.bound if row.predicted.bound != "none" else None, is_optional=True
        ),
        value_column("predicted ms", lambda row: row.predicted.seconds, _milliseconds),
        value_column("measured ms", lambda row: row.measured, _milliseconds, is_optional=True),
    )
    rows = []
    for name, layers in bench.roofline.groups(depth).items():
        seconds = [measured[layer.name] for layer in layers if layer.name in measured]
        rows.append(_LayerRow(joined(name, layers), sum(seconds) if seconds else None))
    total = _LayerRow(bench.roofline.total, sum(measured.values()) if measured else None)
    title = f"{bench.network} · batch {bench.batch} · {bench.dtype}"
    return Table(title, columns, (Section(rows, total),), tuple(notes))


def _milliseconds(seconds: float) -> str:
    """Return milliseconds, or below 10 µs three digits with their own unit: a layer on a fast device takes 7.03 ns."""
    if 0 < seconds < 1e-5:
        unit, size = ("µs", 1e-6) if seconds >= 1e-6 else ("ns", 1e-9)
        return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e3:,.{1 if seconds >= 0.1 else 2 if seconds >= 0.01 else 3}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rate(value: float) -> str:
    return in_words(round(value), COUNTS)


def _as_dict(bench: Benchmark) -> dict[str, Any]:
    total = bench.roofline.total
    measured = bench.layer_seconds or {}
    return {
        "network": bench.network,
        "batch": bench.batch,
        "dtype": bench.dtype,
        "measured": None if bench.timing is None else _measured(bench),
        "failure": bench.failure or None,
        "total": _prediction(total, sum(measured.values()) if measured else None),
        "layers": [_prediction(layer, measured.get(layer.name)) for layer in bench.roofline.layers],
    }


def _measured(bench: Benchmark) -> dict[str, Any]:
    assert bench.timing is not None
    rate = bench.roofline.total.flops / bench.timing.median
    return {
        "seconds": bench.timing.median,
        "spread": bench.timing.spread,
        "runs": bench.timing.runs,
        "images_per_second": bench.batch / bench.timing.median,
        "flops_per_second": rate,
        "share_of_peak": rate / bench.peak,
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
