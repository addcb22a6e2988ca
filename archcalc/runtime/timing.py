"""Timing that can be trusted: warmed up, by device events on a GPU, repeated until the median is stable."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch


class Timing(NamedTuple):
    """Seconds of one run: the median, and the distance between its quartiles."""

    median: float
    spread: float
    runs: int


WARM_UP_SECONDS = 0.2
LEAST_RUNS = 5
MOST_RUNS = 200
MOST_SECONDS = 3.0
STABLE = 0.02
"""Runs are repeated until the median has moved less than this part over the last third of them."""


def measure(action: Callable[[], object], device: torch.device, seconds: float = MOST_SECONDS) -> Timing:
    """Time an action on a device, for at most about ``seconds`` after the warm-up (at least `LEAST_RUNS` runs)."""
    once = _on_cuda if device.type == "cuda" else _on_clock
    start = time.perf_counter()
    while True:
        once(action)
        if time.perf_counter() - start >= WARM_UP_SECONDS:
            break
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < MOST_RUNS:
        times.append(once(action))
        if len(times) < LEAST_RUNS:
            continue
        if time.perf_counter() - start >= seconds or _is_stable(times):
            break
    quarters = statistics.quantiles(times, n=4)
    return Timing(statistics.median(times), quarters[2] - quarters[0], len(times))


def _is_stable(times: list[float]) -> bool:
    if len(times) < 3 * LEAST_RUNS:
        return False
    before, now = statistics.median(times[: 2 * len(times) // 3]), statistics.median(times)
    return abs(now - before) <= STABLE * now


def _on_clock(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    if torch.backends.mps.is_available():
        torch.mps.synchronize()
    return time.perf_counter() - start


def _on_cuda(action: Callable[[], object]) -> float:
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    action()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000
