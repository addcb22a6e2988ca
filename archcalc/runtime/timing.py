"""Timing of actions on a device."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from archcalc.structs import Struct

FEWEST_RUNS = 5


class Timing(Struct):
    """Times of repeated runs."""

    median: float
    """Median seconds of a run."""
    spread: float
    """The interquartile range, as a share of the median."""
    runs: int

    @classmethod
    def of(cls, seconds: list[float]) -> Timing:
        """Return the timing of single runs, given in seconds."""
        low, median, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
        return cls(median, (high - low) / median if median else 0.0, len(seconds))

    @property
    def error(self) -> float:
        """Approximate standard error of the median, as a share of it: 0.93 interquartile ranges over √runs."""
        return 0.93 * self.spread / math.sqrt(self.runs)


def measure(action: Callable[[], object], device: torch.device, **limits: Any) -> Timing:
    """Time one action; ``limits`` are the keyword arguments of `take_turns`."""
    (timing,) = take_turns([action], device, **limits)
    return timing


def take_turns(
    actions: Sequence[Callable[[], object]],
    device: torch.device,
    *,
    warm_up: int = 3,
    precision: float = 0.01,
    seconds: float = 3.0,
    max_runs: int = 1000,
) -> list[Timing]:
    """Time several actions, in turns, so that a change in the device's speed affects all of them.

    Args:
        actions: what to time.
        device: where they run. A GPU is timed by its events, other devices by a clock after synchronization.
        warm_up: runs of each action that do not count.
        precision: standard error of the median, as a share of it, at which timing stops.
        seconds: time for each action.
        max_runs: runs of each action.
    """
    stopwatch = Stopwatch(device)
    seconds *= len(actions)
    begin = time.perf_counter()
    for _ in range(warm_up):
        for action in actions:
            stopwatch.time(action)
        if time.perf_counter() - begin > seconds:
            break
    begin = time.perf_counter()
    taken: list[list[float]] = [[] for _ in actions]
    while not taken[0] or (len(taken[0]) < max_runs and time.perf_counter() - begin < seconds):
        if len(taken[0]) >= FEWEST_RUNS and all(Timing.of(runs).error <= precision for runs in taken):
            break
        for action, runs in zip(actions, taken, strict=True):
            runs.append(stopwatch.time(action))
    return [Timing.of(runs) for runs in taken]


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class Stopwatch:
    """Marks of time on a device: events of a GPU, elsewhere a clock after synchronization."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.has_events = device.type == "cuda"

    def mark(self) -> Any:
        """Return a mark of the time at which the device has done all that it was given."""
        if not self.has_events:
            synchronize(self.device)
            return time.perf_counter()
        with torch.cuda.device(self.device):
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
        return event

    def seconds(self, begin: Any, end: Any) -> float:
        """Return the seconds between two marks."""
        if not self.has_events:
            return float(end - begin)
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    def time(self, action: Callable[[], object]) -> float:
        """Return the seconds that an action takes."""
        begin = self.mark()
        action()
        return self.seconds(begin, self.mark())
