"""Memory as text: the chart, the list of what is alive, the blocks of a plan."""

from __future__ import annotations

import re

import pytest

import archcalc
from archcalc.memory.checkpointing import choose
from archcalc.render.memory import BARS, memory_document, plan_document
from archcalc.render.writers import text

FULL = BARS[-1]


def chart_of(text: str) -> list[str]:
    """The chart's lines, from its top, without the axis."""
    return [line.partition("│")[2] for line in text.splitlines() if "│" in line]


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet152"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_column_is_as_high_as_its_highest_moment(name, mode):
    memory = archcalc.load(name).analyze(batch=4).memory(mode)
    lines = chart_of(text.write(memory_document(memory)))
    width = max(map(len, lines))
    assert width == min(72, len(memory.timeline))
    heights = [sum(BARS.index(line[at]) for line in lines if at < len(line)) for at in range(width)]
    top = memory.live_peak.live_bytes
    for at, height in enumerate(heights):
        part = memory.timeline[at * len(memory.timeline) // width : (at + 1) * len(memory.timeline) // width]
        assert height == max(one.live_bytes for one in part) * 8 * len(lines) // top
    assert FULL in lines[0]


def test_what_is_alive_sums_up():
    memory = archcalc.load("resnet50").analyze(batch=32).memory("training")
    table = text.write(memory_document(memory)).partition("live tensors at the peak")[2]
    shown = [float(one.replace(",", "")) for one in re.findall(r"([\d,]+\.\d) +[\d.]+ %", table)]
    *parts, whole = shown
    assert len(parts) == 13  # the largest, and all others in one line
    assert sum(parts) == pytest.approx(whole, abs=0.05 * len(parts))
    assert whole == pytest.approx(memory.live_peak.live_bytes / 2**20, abs=0.05)


def test_blocks_in_a_row_are_written_as_a_run():
    analysis = archcalc.load("densenet121").analyze(batch=32)
    shown = text.write(plan_document(choose(analysis, 2 * 2**30)))
    assert "features.denseblock1.denselayer1 …" in shown
    assert "features.denseblock1.denselayer3" not in shown
