"""How long something takes."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from archcalc.runtime import timing
from archcalc.runtime.timing import Timing, measure, take_turns

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock that only `advance` moves."""
    clock = SimpleNamespace(now=100.0)
    clock.advance = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


def test_median_and_spread():
    """Quartiles of 1 … 7 are 2, 4 and 6."""
    assert Timing.of([7.0, 1.0, 2.0, 6.0, 4.0, 3.0, 5.0]) == Timing(median=4.0, spread=1.0, runs=7)
    assert Timing.of([2.0]) == Timing(median=2.0, spread=0.0, runs=1)


def test_warm_up_does_not_count(clock):
    durations = iter([9.0e-2, 9.0e-2, 9.0e-2, *[1e-3] * 100])
    result = measure(lambda: clock.advance(next(durations)), CPU, warm_up=3)
    assert result.median == pytest.approx(1e-3)
    assert result.runs == timing.FEWEST_RUNS


def test_repeats_until_the_median_is_known(clock):
    turns = iter(range(10_000))
    result = measure(lambda: clock.advance(1e-3 if next(turns) % 2 else 1.2e-3), CPU, precision=0.01)
    assert result.runs > timing.FEWEST_RUNS
    assert result.error <= 0.01


def test_stops_when_time_is_up(clock):
    turns = iter(range(10_000))
    result = measure(lambda: clock.advance(1.0 if next(turns) % 2 else 2.0), CPU, warm_up=0, seconds=10, precision=0)
    assert 6 <= result.runs <= 8
    assert measure(lambda: clock.advance(60.0), CPU, seconds=1).runs == 1


def test_several_take_turns(clock):
    order = []

    def action(name, duration):
        return lambda: (order.append(name), clock.advance(duration))

    slow, fast = take_turns([action("slow", 2.0), action("fast", 1.0)], CPU, warm_up=1, seconds=10)
    assert (slow.median, fast.median) == (2.0, 1.0)
    assert order == ["slow", "fast"] * (slow.runs + 1)


def test_a_real_clock():
    assert measure(lambda: time.sleep(0.002), CPU, seconds=0.1).median >= 0.002


@pytest.mark.cuda
def test_events_see_what_the_host_does_not_wait_for():
    """A product that is only launched, not awaited, still takes what its arithmetic takes: no GPU does 1e16 FLOP/s."""
    device = torch.device("cuda")
    matrix = torch.randn(4096, 4096, device=device)
    assert measure(lambda: matrix @ matrix, device, seconds=0.5).median > 2 * 4096**3 / 1e16
