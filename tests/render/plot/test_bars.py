"""Bar charts: their heights are the table's numbers, and their names can be read."""

from __future__ import annotations

from itertools import pairwise

import pytest

import archcalc

pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")

from archcalc.render.drawing.colors import DARK, LIGHT
from archcalc.render.plot.bars import bars
from archcalc.render.plot.figure import save

Text = pytest.importorskip("matplotlib.text").Text


def heights(axes):
    return [bar.get_height() for bar in axes.patches]


def test_alexnet_beside_vgg16():
    analyses = [archcalc.load(name).analyze() for name in ("alexnet", "vgg16")]
    figure = bars(analyses, ["memory", "params", "flops"])
    grid = [figure.axes[at : at + 2] for at in (0, 2, 4)]
    # The lectures' table of AlexNet: conv1 has 784 KB, 23 k parameters and 73 M FLOPs.
    # The units are those of the largest bars.
    conv1 = [784 / 1024, 0.023296, 72.855552]
    assert [heights(line[0])[0] for line in grid] == [pytest.approx(value) for value in conv1]
    assert [line[0].get_ylabel() for line in grid] == [
        "memory of the output (MB)",
        "parameters (M)",
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
    unit = {"parameters (k)": 1e3, "parameters (M)": 1e6}[figure.axes[0].get_ylabel()]
    assert sum(heights(figure.axes[0])) == pytest.approx(analysis.totals.params / unit)


def test_bars_have_the_colors_of_figures():
    figure = bars([archcalc.load("alexnet").analyze()], ["macs"])
    colors = [bar.get_facecolor()[:3] for bar in figure.axes[0].patches]
    named = dict(zip([text.get_text() for text in figure.axes[0].get_xticklabels()], colors, strict=True))
    assert named["conv1"] == named["conv5"] != named["fc6"] == named["fc8"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["convolution", "pooling", "shape", "linear"]


def test_a_pdf_has_fonts_that_publishers_take():
    pdf = save(bars([archcalc.load("lenet5").analyze()], ["params"]), "pdf")
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf
    assert len(pdf) < 60_000


def test_a_long_network_names_only_some_of_its_bars():
    figure = bars([archcalc.load("densenet201").analyze()], ["macs"])
    axes = figure.axes[0]
    names = axes.get_xticklabels()
    assert len(names) <= len(axes.patches) / 4
    figure.draw_without_rendering()
    boxes = sorted(name.get_window_extent().x0 for name in names)
    widest = max(name.get_window_extent().width for name in names)
    assert min(b - a for a, b in pairwise(boxes)) >= 0.9 * widest


@pytest.mark.parametrize("networks", [["lenet5"], ["alexnet", "vgg16"], ["resnet50"]])
def test_a_chart_fits_a_page_with_readable_text_and_nothing_cut(networks):
    """An A4 page without margins of 2 cm is 6.7 inches wide."""
    figure = bars([archcalc.load(name).analyze() for name in networks], ["memory", "params", "flops"])
    save(figure, "png")
    assert figure.get_size_inches()[0] <= 6.7
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 6
    taken, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(taken.x0, taken.y0) >= -0.01
    assert taken.x1 <= width + 0.01
    assert taken.y1 <= height + 0.01


def test_a_chart_in_the_dark_has_light_text_on_dark():
    svg = save(bars([archcalc.load("lenet5").analyze()], ["params"]), "svg", DARK).decode()
    assert f"fill: {DARK.paper}" in svg
    assert f"fill: {DARK.ink}" in svg
    assert LIGHT.ink not in svg
    assert "#000000" not in svg


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_same_chart_is_the_same_file(format, start):
    one, other = (save(bars([archcalc.load("lenet5").analyze()], ["params"]), format) for _ in range(2))
    assert one.startswith(start)
    assert one == other


def test_a_name_is_no_formula(spec_file):
    spec = spec_file('name: n\ninput: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: "$\\\\frac$<b>"}]\n')
    figure = bars([archcalc.load(spec).analyze()], ["params"])
    assert rb"$\frac$&lt;b&gt;" in save(figure, "svg")
