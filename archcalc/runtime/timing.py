"""How long something takes on a device."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

FEWEST_RUNS = 5


@dataclass(frozen=True)
class Timing:
    """What repeated runs took."""

    median: float
    """Seconds of one run."""
    spread: float
    """The interquartile range, as a share of the median."""
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """The timing that single runs make."""
        low, median, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
        return cls(median, (high - low) / median if median else 0.0, len(seconds))

    @property
    def error(self) -> float:
        """About the standard error of the median, as a share of it (0.93 interquartile ranges over √runs)."""
        return 0.93 * self.spread / math.sqrt(self.runs)


def measure(action: Callable[[], object], device: torch.device, **limits: Any) -> Timing:
    """The timing of one action; ``limits`` are those of `take_turns`."""
    (timing,) = take_turns([action], device, **limits)
    return timing


def take_turns(
    actions: Sequence[Callable[[], object]],
    device: torch.device,
    *,
    warm_up: int = 3,
    precision: float = 0.01,
    seconds: float = 3.0,
    most_runs: int = 1000,
) -> list[Timing]:
    """Run every action until its median is stable: known to ``precision``, or ``seconds`` or ``most_runs`` are spent.

    Several take turns, so that a change in the device's speed meets all of them; each has ``seconds``. The first
    ``warm_up`` runs do not count. On a GPU the device's own events take the time, from when it could begin the first
    operation to the end of the last; elsewhere a clock does, the device having finished.
    """
    stopwatch = _event_seconds if device.type == "cuda" else _clock_seconds
    seconds *= len(actions)
    begin = time.perf_counter()
    for _ in range(warm_up):
        for action in actions:
            stopwatch(action, device)
        if time.perf_counter() - begin > seconds:
            break
    begin = time.perf_counter()
    taken: list[list[float]] = [[] for _ in actions]
    while not taken[0] or (len(taken[0]) < most_runs and time.perf_counter() - begin < seconds):
        if len(taken[0]) >= FEWEST_RUNS and all(Timing.of(runs).error <= precision for runs in taken):
            break
        for action, runs in zip(actions, taken, strict=True):
            runs.append(stopwatch(action, device))
    return [Timing.of(runs) for runs in taken]


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _clock_seconds(action: Callable[[], object], device: torch.device) -> float:
    synchronize(device)
    begin = time.perf_counter()
    action()
    synchronize(device)
    return time.perf_counter() - begin


def _event_seconds(action: Callable[[], object], device: torch.device) -> float:
    with torch.cuda.device(device):
        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        begin.record()
        action()
        end.record()
        end.synchronize()
    return float(begin.elapsed_time(end)) / 1000
