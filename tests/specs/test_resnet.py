"""ResNet, ResNeXt and their forms without a reference, against their papers' and the lectures' figures."""

import pytest
import torch

import archcalc


def macs(name: str) -> int:
    return archcalc.load(name).analyze().totals.macs


@pytest.mark.parametrize(
    ("name", "billions", "exact"),
    [
        # He et al., CVPR 2016, table 1, "FLOPs" (3.8 is cut, not rounded); exact: lectures, recomputed
        ("resnet18_a", 1.8, 1_794_805_760),
        ("resnet34_a", 3.6, 3_644_493_824),
        ("plain34", 3.6, 3_644_493_824),
        ("resnet50_v1", 3.8, 3_857_973_248),
        ("resnet101_v1", 7.6, 7_570_194_432),
        ("resnet152_v1", 11.3, 11_282_415_616),
    ],
)
def test_multiply_adds_of_the_paper(name, billions, exact):
    assert macs(name) == exact
    assert -0.05 <= exact / 1e9 - billions < 0.1


@pytest.mark.parametrize(
    ("name", "params"),
    [
        # lectures, recomputed, batch normalization included
        ("resnet18_a", 11_515_688),
        ("resnet34_a", 21_623_848),
        ("resnet50_v1", 25_557_032),
        ("resnet101_v1", 44_549_160),
        ("resnet152_v1", 60_192_808),
        ("resnet50_tf_slim", 25_557_032),
    ],
)
def test_parameters(name, params):
    assert archcalc.load(name).analyze().totals.params == params


@pytest.mark.parametrize("depth", [18, 34])
def test_plain_network_has_the_weights_of_the_residual_one(depth):
    """The paper's "without additional parameters": section 3.3, plain and residual network."""
    plain, residual = archcalc.load(f"plain{depth}"), archcalc.load(f"resnet{depth}_a")

    def weights(network):
        return [(layer.name, layer.op.weights()) for layer in network.layers if layer.op.weights()]

    assert weights(plain) == weights(residual)
    assert not any(layer.op.kind == "add" for layer in plain.layers)


def test_shortcut_without_parameters():
    """Every second position, and zeros for the new channels (He et al., section 3.3, option A)."""
    module = archcalc.build("resnet18_a").get_submodule("layer2.0.downsample")
    x = torch.randn(2, 64, 56, 56)
    y = x
    for step in module.children():
        y = step(y)
    assert torch.equal(y, torch.cat([x[:, :, ::2, ::2], torch.zeros(2, 64, 28, 28)], dim=1))


def test_stride_in_the_last_block():
    """TF-Slim's placement: each of the first three stages halves the map in its last block."""
    analysis = archcalc.load("resnet50_tf_slim").analyze()
    # 6.96 G operations of convolutions, published with the receptive fields of Araujo, Norris, Sim, Distill 2019
    assert sum(row.macs for row in analysis.rows if row.layer.op.kind == "conv") == 3_480_207_360
    sides = {"layer1.1": 56, "layer1.2": 28, "layer2.2": 28, "layer2.3": 14, "layer3.5": 7, "layer4.2": 7}
    assert {block: analysis[f"{block}.relu3"].output_shape[1] for block in sides} == sides


@pytest.mark.parametrize(("name", "size"), [("resnet50", 427), ("resnet50_v1", 483), ("resnet50_tf_slim", 483)])
def test_receptive_field_depends_on_where_the_stride_is(name, size):
    # 483: Araujo, Norris, Sim, Distill 2019 (TF-Slim's ResNet-50); 427: lectures, recomputed
    assert archcalc.load(name).analyze()["layer4.2.relu3"].receptive_field.size == (size, size)


# groups, channels of a group, weights of a block of 256 channels, multiply-adds and parameters of the network of 50
# and of 101 layers: Xie et al., CVPR 2017, table 3; the counts are the lectures', recomputed
LADDER = [
    (1, 64, 69_632, (4_089_184_256, 25_557_032), (7_801_405_440, 44_549_160)),
    (2, 40, 69_760, (4_124_508_160, 25_425_000), (7_843_553_280, 44_456_296)),
    (4, 24, 69_888, (4_159_832_064, 25_292_968), (7_885_701_120, 44_363_432)),
    (8, 14, 71_456, (4_267_409_408, 25_603_016), (8_076_871_680, 45_104_328)),
    (32, 4, 70_144, (4_230_479_872, 25_028_904), (7_969_996_800, 44_177_704)),
]


@pytest.mark.parametrize("depth", [50, 101])
@pytest.mark.parametrize(("groups", "width", "block", "of_50", "of_101"), LADDER)
def test_resnext_ladder(depth, groups, width, block, of_50, of_101):
    name = f"resnet{depth}" if groups == 1 else f"resnext{depth}_{groups}x{width}d"
    analysis = archcalc.load(name).analyze()
    assert (analysis.totals.macs, analysis.totals.params) == (of_50 if depth == 50 else of_101)
    assert sum(analysis[f"layer1.1.conv{index}"].weights for index in (1, 2, 3)) == block
    assert groups * (256 * width + 9 * width**2 + 256 * width) == block
    # "Preserving complexity": 8x14d departs most from 1x64d, by 2.6 %
    assert block / LADDER[0][2] < 1.027
