"""Boxes by hand, and where paths part: what gradients say of boxes stands in tests/runtime/test_probe.py."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.receptive.alignment import misalignments
from archcalc.receptive.regions import RegionTracer


def box(text: str, unit: tuple[int, ...], name: str | None = None):
    network = archcalc.loads(text)
    return RegionTracer(network).regions(name or network.outputs[0], unit)[0]


# Araujo, Norris, Sim, Distill 2019: the library's README takes Inception-ResNet v2 (size 3039, stride 32, padding
# 1482) and says that the feature at [0, 2] has its centre at [37, 101].
def test_the_articles_example_of_a_centre():
    network = archcalc.load("inception_resnet_v2")
    [found] = RegionTracer(network).regions("conv2d_7b.relu1", (0, 2))
    assert [sum(side.unclipped) / 2 for side in found.intervals] == [37, 101]


def test_same_sizes_but_other_centres():
    """An even kernel pads before or after: PyTorch, TensorFlow and Caffe differ, and only the centre shows it."""
    before, after = (
        box(f"input: [1, 9]\nlayers: [{{conv: 1, kernel: 2, padding: [[{pad}]]}}]", (4,)) for pad in ("1, 0", "0, 1")
    )
    assert [one.intervals[0].unclipped for one in (before, after)] == [(3, 4), (4, 5)]


def test_rows_and_columns_are_apart():
    found = box("input: [1, 9, 9]\nlayers: [{conv: 1, kernel: [3, 1], padding: [1, 0], stride: [1, 2]}]", (4, 3))
    assert [side.unclipped for side in found.intervals] == [(3, 5), (6, 6)]


def test_raw_reaches_into_padding_and_clipped_does_not():
    found = box("input: [1, 9]\nlayers: [{conv: 1, kernel: 5, padding: 2}]", (1,))
    assert (found.intervals[0].unclipped, found.intervals[0].clipped) == ((-1, 3), (0, 3))


def test_padding_of_a_later_layer_is_not_the_input_again():
    """Position 2 of the crop is its last; the next window's third tap is padding, though the input goes on there."""
    text = "input: [1, 9]\nlayers: [{slice, axis: 1, stop: 3}, {conv: 1, kernel: 3, padding: 1}]"
    assert (box(text, (2,)).intervals[0].unclipped, box(text, (2,)).intervals[0].clipped) == ((1, 3), (1, 2))


def test_dilation_leaves_gaps():
    found = box("input: [1, 9]\nlayers: [{conv: 1, kernel: 3, dilation: 2}]", (1,))
    [interval] = found.intervals
    assert (interval.clipped, sorted(interval.seen), interval.gaps) == ((1, 5), [1, 3, 5], True)


def test_units_that_there_are_not():
    tracer = RegionTracer(archcalc.load("lenet5"))
    with pytest.raises(ValueError, match=r"conv1 has no position 28 along this axis; positions run from 0 to 27"):
        tracer.regions("conv1", (28, 0))
    with pytest.raises(ValueError, match=r"conv1 \(output 6×28×28\) has 2 spatial positions, not 1"):
        tracer.regions("conv1", (28,))
    with pytest.raises(KeyError, match="did you mean 'conv1"):
        tracer.regions("cnov1", (0, 0))


# -- where paths disagree


def joins(network):
    return misalignments(network, RegionTracer(network).propagation)


def test_a_pool_without_padding_beside_a_convolution_with():
    """BN-Inception's reductions: Caffe's pool begins at 0, the 3×3 convolution beside it at −1."""
    [join] = joins(archcalc.load("bn_inception"))
    assert (join.join, join.fork) == ("inception3c.concat1", "inception3b.concat1")
    convolutions, pool = join.routes
    assert convolutions.layers == ("inception3c.three.reduce.conv", "inception3c.three.conv.conv")
    assert pool.layers == ("inception3c.pool",)
    assert (pool.span.center - convolutions.span.center) / 2 == 8  # one position of a map with stride 8


def test_a_shift_by_one_in_nasnet():
    """The factorized reduction: one path takes the pixels at even places, the other those at odd places."""
    assert [join.join for join in joins(archcalc.load("nasnet_a_large"))] == ["cell_stem_1.concat1", "cell_0.concat1"]


UNET = """\
input: [4, 16, 16]
layers:
  - add:
      - []
      - - {conv: 4, kernel: KERNEL, stride: 2, padding: PADDING, name: down}
        - {UP, name: up}
    name: skip
"""


def test_a_unet_says_where_and_which_paths():
    """Upsampling by repetition leans to the left: both pixels show the same, and the skip is centred on its own."""
    [join] = joins(archcalc.loads(UNET.replace("KERNEL", "3").replace("PADDING", "1").replace("UP", "upsample: 2")))
    assert (join.join, join.fork) == ("skip", "input")
    assert [route.layers for route in join.routes] == [(), ("down", "up")]


def test_a_unet_may_be_aligned():
    """A window of 4 at stride 2, and its transpose, are centred where they began."""
    up = "conv_transpose: 4, kernel: 4, stride: 2, padding: 1"
    assert joins(archcalc.loads(UNET.replace("KERNEL", "4").replace("PADDING", "1").replace("UP", up))) == []


def test_paths_of_another_stride():
    """A pooled map beside a cropped one: the box of a unit is the hull of its own two, not of a formula's."""
    text = "input: [4, 12]\nlayers:\n  - concat: [{max_pool: 2}, {slice, axis: 1, stop: 6}]\n"
    network = archcalc.loads(text)
    [join] = joins(network)
    assert [route.span.stride for route in join.routes] == [2, 1]
    [found] = RegionTracer(network).regions(join.join, (5,))
    assert (found.intervals[0].clipped, sorted(found.intervals[0].seen)) == ((5, 11), [5, 10, 11])
