"""Ways to train a batch within a budget: each is what the memory of its own settings says."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.analysis import analyze
from archcalc.analysis.precision import RECIPES
from archcalc.memory.checkpointing import choose
from archcalc.memory.optimizers import TrainingStep
from archcalc.memory.summary import memory
from archcalc.memory.ways import ways
from archcalc.structs import replace

PRECISIONS = {"float32": None, "mixed-bfloat16": RECIPES["mixed-bfloat16"].precision}


@pytest.fixture(scope="module")
def analysis():
    return archcalc.load("resnet18", input=(3, 64, 64)).analyze(batch=512)


def test_each_way_takes_what_it_says_and_fits(analysis):
    whole = memory(analysis, "training", "adam").peak
    budget = whole * 2 // 3
    found = ways(analysis, budget, TrainingStep("adam"), PRECISIONS)
    assert {way.precision for way in found} == {*PRECISIONS}
    assert [way.work for way in found] == sorted(way.work for way in found)
    for way in found:
        counting = replace(analysis.counting, batch=way.batch, precision=PRECISIONS[way.precision])
        plan = choose(analyze(analysis.network, counting), budget, TrainingStep("adam", accumulate=way.passes))
        assert (plan.peak, len(plan.blocks)) == (way.bytes, way.recomputed)
        assert way.bytes <= budget
        assert way.batch * way.passes >= 512


def test_what_fits_at_once_needs_neither_passes_nor_recomputation(analysis):
    budget = memory(analysis, "training", "adam").peak
    first = ways(analysis, budget, TrainingStep("adam"), {"float32": None})
    assert [(way.passes, way.recomputed, way.extra_macs) for way in first] == [(1, 0, 0)]


def test_nothing_fits_below_the_weights(analysis):
    assert ways(analysis, 10**6, TrainingStep("adam"), PRECISIONS) == []


def test_recomputation_saves_passes(analysis):
    """Below the peak of one pass, a way with more work has fewer passes than the way without."""
    budget = memory(analysis, "training", "sgd").peak * 9 // 10
    plain, recomputing = ways(analysis, budget, TrainingStep("sgd"), {"float32": None})
    assert plain.extra_macs == 0 < recomputing.extra_macs
    assert recomputing.passes < plain.passes
