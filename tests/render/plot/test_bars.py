"""Bar charts: their heights are the table's numbers, and their names can be read."""

from __future__ import annotations

from itertools import pairwise

import pytest

import archcalc

pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")

from archcalc.render.plot.bars import MOST_NAMES, bars
from archcalc.render.plot.figure import save


def heights(axes):
    return [bar.get_height() for bar in axes.patches]


def test_alexnet_beside_vgg16():
    analyses = [archcalc.load(name).analyze() for name in ("alexnet", "vgg16")]
    figure = bars(analyses, ["memory", "params", "flops"])
    grid = [figure.axes[at : at + 2] for at in (0, 2, 4)]
    # The lectures' table of AlexNet: conv1 has 784 KB, 23 k parameters and 73 M FLOPs.
    assert [heights(line[0])[0] for line in grid] == [784, pytest.approx(23.296), pytest.approx(72.855552)]
    assert [line[0].get_ylabel() for line in grid] == [
        "memory of the output (KB)",
        "parameters (k)",
        "lecture FLOPs (M)",
    ]
    # One scale along a line: VGG-16's largest layer, 112·112·… = 1,849,688,064, beside AlexNet's.
    assert [axes.get_ylim() for axes in grid[2]] == [grid[2][1].get_ylim()] * 2
    assert max(heights(grid[2][1])) == pytest.approx(1849.688064)
    assert grid[1][1].get_title() == "vgg16: 138 M parameters"


@pytest.mark.parametrize("depth", [None, 1, 2])
def test_bars_sum_to_the_total(depth):
    analysis = archcalc.load("resnet50").analyze()
    figure = bars([analysis], ["params"], depth)
    assert sum(heights(figure.axes[0])) == pytest.approx(analysis.totals.params / 1000)


def test_a_long_network_names_only_some_of_its_bars():
    figure = bars([archcalc.load("densenet201").analyze()], ["macs"])
    axes = figure.axes[0]
    names = axes.get_xticklabels()
    assert len(names) <= MOST_NAMES < len(axes.patches)
    figure.draw_without_rendering()
    boxes = sorted(name.get_window_extent().x0 for name in names)
    widest = max(name.get_window_extent().width for name in names)
    assert min(b - a for a, b in pairwise(boxes)) >= 0.9 * widest


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_same_chart_is_the_same_file(format, start):
    one, other = (save(bars([archcalc.load("lenet5").analyze()], ["params"]), format) for _ in range(2))
    assert one.startswith(start)
    assert one == other


def test_a_name_is_no_formula(spec_file):
    spec = spec_file('name: n\ninput: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: "$\\\\frac$<b>"}]\n')
    figure = bars([archcalc.load(spec).analyze()], ["params"])
    assert rb"$\frac$&lt;b&gt;" in save(figure, "svg")
