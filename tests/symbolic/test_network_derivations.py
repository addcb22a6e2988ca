"""Memory of a whole network: derived, and in closed form with the batch left open."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.analysis import Counting, analyze
from archcalc.changes.changes import ChangedFamily, Changes
from archcalc.errors import UserError
from archcalc.language.family import SpecFamily
from archcalc.language.library import find
from archcalc.memory.summary import memory
from archcalc.render.mathematics import line_text
from archcalc.structs import replace
from archcalc.sweep.space import SweepPlan, parse_axis
from archcalc.sweep.workers import results
from archcalc.symbolic.formulas import formulas
from archcalc.symbolic.network_derivations import OF_NETWORK, explain_network
from archcalc.symbolic.terms import value


def family(name: str, **lets: str) -> SpecFamily:
    spec, variant = find(name)
    return SpecFamily(spec, variant, {}, None, lets)


def test_the_parts_of_a_training_step_are_derived():
    analysis = archcalc.freeze(archcalc.load("resnet18"), trained=["fc"]).analyze(batch=4)
    [found] = explain_network(analysis, ["training_memory"])
    lines = {line.symbol: line for line in found.lines}
    assert line_text(lines["gradients"]).startswith("gradients = P·B = 513,000·4 = 2,052,000 B")
    parts = memory(analysis, "training", "adam")
    assert value(lines["training memory"].terms[-1]) == (
        parts.weights + parts.buffers + parts.gradients + parts.state + parts.saved
    )
    assert value(lines["peak"].terms[-1]) == parts.peak


def test_the_cache_is_derived():
    analysis = archcalc.load("llama3_8b").analyze(dtype="bfloat16")
    [found] = explain_network(analysis, ["cache_memory"])
    assert line_text(found.lines[-1]).startswith("cache = E·L·N·B = 65,536·2,048·1·2 = 268,435,456 B")


def test_an_unknown_quantity_of_a_network():
    with pytest.raises(UserError, match="unknown quantity 'trainig_memory'"):
        explain_network(archcalc.load("lenet5").analyze(), ["trainig_memory"])
    assert "training_memory" in OF_NETWORK


@pytest.mark.parametrize("precision", [None, "float16"])
def test_a_closed_form_with_the_batch_open_is_the_table(precision):
    counting = Counting(dtype=precision or "float32")
    quantities = ["saved_memory", "training_memory", "weight_memory", "backward_macs", "training_peak_memory"]
    found = formulas(family("resnet18", H="32*h"), quantities, counting, batch="2*n")
    from archcalc.quantities.table import FACTS

    network = archcalc.load("resnet18", input=(3, 96, 96))
    analysis = analyze(network, replace(counting, batch=48))
    for quantity in quantities:
        assert found.evaluate(quantity, n=24, h=3) == FACTS[quantity].of_network(analysis) or not found.holds(n=24, h=3)
    assert not found.holds(n=1, h=1)  # a map of 1×1 has another layout


def test_changes_hold_for_closed_forms():
    found = formulas(
        ChangedFamily(family("resnet18", H="32*h"), Changes(train=("fc",))), ["trained_params", "backward_macs"]
    )
    assert found.evaluate("trained_params", h=7) == 513_000
    assert found.evaluate("backward_macs", h=7) == 512_000


def test_a_context_stays_open():
    """131,072 B for each token of a sequence of Llama 3 8B in bfloat16."""
    found = formulas(family("llama3_8b", L="l"), ["cache_memory"], Counting(dtype="bfloat16"), batch="n")
    assert found.evaluate("cache_memory", l=8192, n=16) == 16 * 2**30


def test_a_sweep_varies_the_batch():
    plan = SweepPlan("resnet18", (parse_axis("batch=1,8,64"),), ("training_memory", "training_peak_memory"))
    [found] = results(plan, 1, None)
    for batch, total, peak in zip(*(found.columns[name] for name in ("batch", *plan.quantities)), strict=True):
        analysis = archcalc.load("resnet18").analyze(batch=int(batch))
        assert peak == memory(analysis, "training").peak
        assert total == memory(analysis, "training", "adam").persistent + sum(
            getattr(memory(analysis, "training", "adam"), part) for part in ("gradients", "saved")
        )
