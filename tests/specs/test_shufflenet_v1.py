"""ShuffleNet against Table 1 of its paper; neither torchvision nor timm has it."""

from __future__ import annotations

import pytest
import torch

import archcalc

# Zhang, Zhou, Lin, Sun, ShuffleNet, CVPR 2018, Table 1: for each number of groups, the output channels of stages 2, 3
# and 4, and the complexity in millions of multiply-adds. It is that of the convolutions: the classifier is left out.
TABLE_1 = {
    1: ((144, 288, 576), 143),
    2: ((200, 400, 800), 140),
    3: ((240, 480, 960), 137),
    4: ((272, 544, 1088), 133),
    8: ((384, 768, 1536), 137),
}
# The same table: output sizes of conv1, the max pool and stages 2 to 4, and units in each stage.
SIZES = (112, 56, 28, 14, 7)
UNITS = (4, 8, 4)


@pytest.fixture(scope="module", params=TABLE_1)
def groups(request):
    return request.param


def test_multiply_adds_of_the_convolutions_are_those_of_table_1(groups):
    rows = archcalc.load(f"shufflenet_v1_g{groups}").analyze().rows
    macs = sum(row.macs for row in rows if row.layer.op.kind == "conv")
    assert round(macs / 1e6) == TABLE_1[groups][1]


def test_output_sizes_are_those_of_table_1(groups):
    network = archcalc.load(f"shufflenet_v1_g{groups}")
    outputs = {layer.name: layer.op.output for layer in network.layers}
    stages = [outputs[f"stage{stage}.{units - 1}.relu1"] for stage, units in zip((2, 3, 4), UNITS, strict=True)]
    channels = (24, 24, *TABLE_1[groups][0])
    shapes = [outputs["conv1"], outputs["maxpool"], *stages]
    assert shapes == [(c, n, n) for c, n in zip(channels, SIZES, strict=True)]
    assert network.layers[-1].op.output == (1000,)


def test_units_of_a_stage_are_those_of_table_1(groups):
    names = {layer.name.split(".residual")[0] for layer in archcalc.load(f"shufflenet_v1_g{groups}").layers}
    units = [name for name in names if name.count(".") == 1 and name.startswith("stage")]
    assert sorted(units) == sorted(
        f"stage{s}.{i}" for s, count in zip((2, 3, 4), UNITS, strict=True) for i in range(count)
    )


def test_first_pointwise_convolution_of_stage_2_is_not_grouped(groups):
    """The caption of the table says so; all other pointwise convolutions of the units are."""
    grouped = {
        layer.name: layer.op.groups
        for layer in archcalc.load(f"shufflenet_v1_g{groups}").layers
        if layer.name.startswith("stage") and layer.op.kind == "conv" and layer.op.kernel == (1, 1)
    }
    assert grouped.pop("stage2.0.residual.conv1") == 1
    assert set(grouped.values()) == {groups}


def test_it_runs_in_pytorch(groups):
    module = archcalc.build(f"shufflenet_v1_g{groups}").eval()
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
