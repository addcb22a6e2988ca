"""Boxes drawn on the input: where the rectangles are."""

from __future__ import annotations

import pytest

import archcalc

pytest.importorskip("matplotlib", reason="no matplotlib: pip install 'archcalc[plot]'")

from archcalc.receptive.regions import RegionTracer
from archcalc.render.plot.boxes import MOST_BOXES, draw_boxes, nested


def rectangles(figure):
    return [(box.get_x(), box.get_y(), box.get_width(), box.get_height()) for box in figure.axes[0].patches]


def test_a_box_in_padding_and_what_is_left_of_it():
    """alexnet's conv2 at (0, 5) sees rows −18 … 32 and columns 22 … 72; pixel i covers i − ½ to i + ½."""
    network = archcalc.load("alexnet")
    figure = draw_boxes(network, RegionTracer(network), [("conv2", (0, 5))])
    assert rectangles(figure) == [(21.5, -18.5, 51, 51), (21.5, -0.5, 51, 33)]
    assert [box.get_linestyle() for box in figure.axes[0].patches] == ["--", "-"]
    assert figure.axes[0].yaxis_inverted()


def test_nested_boxes_grow():
    network = archcalc.load("resnet50")
    tracer = RegionTracer(network)
    units = nested(network, tracer)
    assert len(units) == MOST_BOXES
    sizes = [tracer.propagation[name].size for name, _ in units]
    assert sizes == sorted(sizes)
    assert sizes[-1] == (427, 427)  # torchvision's ResNet-50, measured by gradients


def test_a_line():
    network = archcalc.loads("input: [4, 64]\nlayers: [{conv: 4, kernel: 5, padding: 2}, {max_pool: 2}]\n")
    figure = draw_boxes(network, RegionTracer(network), [("conv1", (0,)), ("max_pool1", (1,))])
    expected = [(-2.5, -0.3, 5, 0.6), (-0.5, -0.3, 3, 0.6), (-0.5, 0.7, 6, 0.6), (-0.5, 0.7, 6, 0.6)]
    for found, wanted in zip(rectangles(figure), expected, strict=True):
        assert found == pytest.approx(wanted)


def test_a_volume_is_not_drawn():
    network = archcalc.loads("input: [1, 4, 4, 4]\nlayers: [{conv: 1, kernel: 3}]\n")
    with pytest.raises(ValueError, match="expected an input of one or two spatial dimensions, got 3"):
        draw_boxes(network, RegionTracer(network), [("conv1", (0, 0, 0))])


def test_names_are_shown_as_they_are():
    network = archcalc.loads("input: [1, 9]\nlayers: [{conv: 1, kernel: 3, name: $x$}]\n")
    figure = draw_boxes(network, RegionTracer(network), [("$x$", (0,))])
    assert figure.axes[0].patches[-1].get_label() == r"\$x\$ (0): 3"


def test_holes_are_drawn():
    """Three windows of dilation 2 see 7×7 of 13×13: positions are filled, above the gray, rows downwards."""
    steps = "{conv: 1, kernel: 3, dilation: 2, padding: 2, repeat: 3}"
    network = archcalc.loads(f"input: [1, 33, 33]\nlayers: [{steps}]\n")
    [axes] = draw_boxes(network, RegionTracer(network), [("2", (16, 10))]).axes
    [picture] = axes.get_images()
    filled = picture.get_array()[..., 3] > 0
    assert (filled.sum(), filled[16, 10], filled[17, 10]) == (49, True, False)
    assert picture.get_zorder() > axes.collections[0].get_zorder()
    assert axes.yaxis_inverted()


def test_holes_of_a_line_are_drawn():
    network = archcalc.loads("input: [1, 33]\nlayers: [{conv: 1, kernel: 3, dilation: 4, padding: 4, name: it}]\n")
    [axes] = draw_boxes(network, RegionTracer(network), [("it", (16,))]).axes
    assert len(axes.collections) == 1 + 3  # the input, and three positions
