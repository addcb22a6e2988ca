"""Networks compared: against totals from torchvision's documentation and from the analyses themselves."""

from __future__ import annotations

from fractions import Fraction

import pytest

import archcalc
from archcalc.analysis import Counting
from archcalc.quantities.compare import by_convention, compare, steps_by_convention


def test_totals_and_ratios():
    comparison = compare([archcalc.load(name).analyze() for name in ("alexnet_torchvision", "vgg16")])
    [params] = [row for row in comparison.totals if row.quantity.key == "params"]
    assert params.values == (61_100_840, 138_357_544)  # torchvision's num_params of AlexNet and VGG16 weights
    assert params.ratios == (1, Fraction(138_357_544, 61_100_840))


def test_places_hold_every_layer():
    comparison = compare([archcalc.load(name).analyze() for name in ("resnet18", "vgg11")])
    assert [place for place, _ in comparison.places][:2] == ["224×224", "112×112"]
    assert comparison.places[-1][0] == "head"
    for number in range(3):  # parameters, MACs, memory
        shares = [comparison.shares(rows[number]) for _, rows in comparison.places]
        assert [sum(column) for column in zip(*shares, strict=True)] == [1, 1]


def test_one_network_compares_with_nothing():
    with pytest.raises(ValueError, match="at least two networks"):
        compare([archcalc.load("lenet5").analyze()])


def test_conventions_sum_to_the_totals():
    network = archcalc.load("lenet5")
    names, rows = by_convention(network, Counting(batch=2))
    assert rows[-1] == ("total", tuple(network.analyze(batch=2, convention=name).totals.flops for name in names))
    for column in zip(*(counts for _, counts in rows), strict=True):
        assert sum(column[:-1]) == column[-1]


def test_steps_are_counted_where_the_convention_counts_the_backward_pass():
    names, rows = steps_by_convention(archcalc.load("lenet5"), Counting())
    assert names == tuple(f"{name} {part}" for name in ("lecture", "torch") for part in ("forward", "backward", "step"))
    total = rows[-1][1]
    assert [total[0] + total[1], total[3] + total[4]] == [total[2], total[5]]
