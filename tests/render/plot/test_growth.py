"""Receptive-field growth: the lines are the published fields."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.errors import UserError

pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")

from archcalc.render.plot.growth import growth


def test_lines_end_at_the_published_fields():
    """Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, 2019, table 1."""
    names = {"alexnet": 195, "vgg16": 212}
    axes = growth([archcalc.load(name).analyze() for name in names]).axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label() in names}
    assert {name: line[-1] for name, line in lines.items()} == names
    assert all(line == sorted(line) for line in lines.values())


def test_a_network_without_positions():
    with pytest.raises(UserError, match="its input has no positions"):
        growth([archcalc.loads("input: [8]\nlayers: [{linear: 4}]\n").analyze()])
