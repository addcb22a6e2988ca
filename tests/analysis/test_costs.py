"""Properties of every network's costs, and their dependence on batch and dtype."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.analysis import CONVENTIONS
from archcalc.analysis.costs import Totals
from archcalc.analysis.rows import choose_rows
from archcalc.language.library import bundled_networks
from tests.bundled import spec_at

NETWORKS = [pytest.param(path, variant, id=variant or path.stem) for path, variant in bundled_networks()]


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_totals_are_the_sums_of_the_rows_in_every_view(path, variant):
    analysis = archcalc.analyze(spec_at(path).network(variant), convention="full")
    for fold in (True, False):
        for depth in (None, 1, 2):
            rows = choose_rows(analysis.rows, fold=fold, depth=depth)
            assert Totals.of(row.costs for row in rows) == analysis.totals


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_counts_grow_with_the_batch_and_parameters_do_not(convention):
    network = archcalc.load("resnet18")
    one, many = (network.analyze(batch=batch, convention=convention).totals for batch in (1, 7))
    assert (many.macs, many.flops, many.memory) == (7 * one.macs, 7 * one.flops, 7 * one.memory)
    assert (many.params, many.buffers) == (one.params, one.buffers)


def test_memory_follows_the_type():
    network = archcalc.load("alexnet")
    assert 2 * network.analyze(dtype="float16").totals.memory == network.analyze().totals.memory


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "float31"}, "unknown dtype 'float31'\nhelp: did you mean 'float32"),
        ({"convention": "lectur"}, "unknown convention 'lectur'\nhelp: did you mean 'lecture"),
        ({"batch": 0}, "at least 1 sample"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ValueError, match=message):
        archcalc.load("alexnet").analyze(**arguments)


def test_known_totals_of_other_tools():
    """ResNet-50 at 224×224, measured with the tools on torchvision's implementation (fvcore 0.1.5, torch 2.15)."""
    network = archcalc.load("resnet50")
    assert network.analyze(convention="fvcore").totals.flops == 4_111_512_576
    assert network.analyze(convention="torch").totals.flops == 8_178_368_512


def test_a_shared_layer_is_counted_once_and_works_each_time():
    text = "input: [8, 16]\nlayers: [{conv: 8, kernel: 3, padding: 1, name: a}, {share: a}, {share: a}]\n"
    totals = archcalc.loads(text).analyze().totals
    assert totals.params == 8 * 8 * 3 + 8
    assert totals.macs == 3 * (8 * 16 * 8 * 3)


def test_what_exists_only_in_training_is_counted_apart():
    analysis = archcalc.load("googlenet").analyze()
    assert {row.name.split(".")[0] for row in analysis.auxiliary} == {"aux1", "aux2"}
    assert analysis.auxiliary_totals.params > 0
    assert all(not row.layer.auxiliary for row in analysis.rows)


def test_the_lookup_of_a_layer_names_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'conv1"):
        archcalc.load("alexnet").analyze()["cnv1"]
