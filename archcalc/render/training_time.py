"""The time of a training run as a document: its work, its rates and the range of hours."""

from __future__ import annotations

from typing import Any, NamedTuple

from archcalc.network import Network
from archcalc.render.document import Document, Section, Table, word_column
from archcalc.render.table import inputs_text
from archcalc.runtime.training_time import TrainingTime
from archcalc.units import COUNTS, in_words

SPANS = (("s", 60.0), ("min", 60.0), ("h", 48.0), ("days", 365.0 * 2), ("years", float("inf")))
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "days": 86400.0, "years": 365.25 * 86400}


class _Line(NamedTuple):
    what: str
    value: str
    remark: str


def training_time_document(network: Network, found: TrainingTime, device: str, devices: int) -> Document:
    """Return the work, the rate and the time."""
    low, high = found.utilizations
    shortest, longest = found.seconds
    many = f"{devices} × {device}" if devices > 1 else device
    shares = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
    spans = span_text(shortest) if low == high else f"{span_text(shortest)} to {span_text(longest)}"
    lines = [
        _Line(
            "work of a sample",
            f"{in_words(round(found.work), COUNTS)}FLOPs",
            "forward, and backward in training",
        ),
        _Line("samples", f"{found.samples:,.0f}", "of all epochs"),
        _Line("work", f"{_work_text(found.flops)}FLOPs", "of the run"),
        _Line("rate", f"{_work_text(found.peak)}FLOP/s", f"the peak of {many}"),
        _Line("utilization", shares, "an assumption" if high < 1 else "the least time that is possible"),
        _Line("time", spans, "work / (rate · utilization)"),
    ]

    def data() -> dict[str, Any]:
        return {
            "network": network.name,
            "flops_per_sample": float(found.work),
            "samples": found.samples,
            "flops": found.flops,
            "device": device,
            "devices": devices,
            "peak_flops": found.peak,
            "utilization": [low, high],
            "seconds": [shortest, longest],
        }

    columns = (
        word_column("", lambda line: line.what, is_name=True),
        word_column("value", lambda line: line.value),
        word_column("what it is", lambda line: line.remark, is_prose=True),
    )
    title = f"{network.name} · input {inputs_text(network)} · time of a run"
    return Document(network.name, (Table(title, columns, (Section(lines),)),), data)


def _work_text(value: float) -> str:
    """Return a number with a prefix, and beyond the largest one with an exponent."""
    return in_words(round(value), COUNTS) if value < 1e22 else f"{value:.3g} "


def span_text(seconds: float) -> str:
    """Return a time in the unit that people use: `14.2 min`, `18.9 h`."""
    for unit, most in SPANS:
        value = seconds / SECONDS[unit]
        if value < most:
            decimals = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:,.{decimals}f} {unit}"
    raise AssertionError("the last unit has no limit")
