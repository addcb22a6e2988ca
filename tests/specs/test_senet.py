"""SENets against table 2 of their paper: Hu, Shen, Sun, Squeeze-and-Excitation Networks, CVPR 2018."""

import pytest

import archcalc


def macs(name: str) -> int:
    return archcalc.load(name).analyze().totals.macs


@pytest.mark.parametrize(
    ("plain", "plain_billions", "squeezed", "squeezed_billions"),
    [
        # Table 2, "GFLOPs" of the re-implementation and of the SENet. The lectures, recomputed: multiply-adds of
        # convolutions and linear layers give every row to 0.4 %, with ResNet's stride in its first 1×1. Two rows cannot
        # be had: Inception-ResNet-v2 (whose input the paper does not say) and BN-Inception (where its blocks stand).
        ("resnet50_v1", 3.86, "se_resnet50", 3.87),
        ("resnet101_v1", 7.58, "se_resnet101", 7.60),
        ("resnet152_v1", 11.30, "se_resnet152", 11.32),
        ("resnext50_32x4d", 4.24, "se_resnext50_32x4d", 4.25),
        ("resnext101_32x4d", 7.99, "se_resnext101_32x4d", 8.00),
        ("vgg16", 15.47, "se_vgg16", 15.48),
    ],
)
def test_table_2(plain, plain_billions, squeezed, squeezed_billions):
    for name, billions in ((plain, plain_billions), (squeezed, squeezed_billions)):
        half_a_digit = 0.005
        assert macs(name) / 1e9 == pytest.approx(billions, abs=0.004 * billions + half_a_digit)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_squeeze_and_excitation_is_all_that_is_new(depth):
    plain, squeezed = archcalc.load(f"resnet{depth}_v1"), archcalc.load(f"se_resnet{depth}")
    stages = zip([256, 512, 1024, 2048], squeezed.parameters["depths"], strict=True)
    # Section 3.2, equation 5: 2/r · sum of N_s · C_s² weights, with r = 16
    weights = sum(blocks * 2 * channels**2 // 16 for channels, blocks in stages)
    new = [row for row in squeezed.analyze().rows if ".se_module." in row.name]
    assert sum(row.weights for row in new) == weights
    assert macs(squeezed.name) - macs(plain.name) == weights
    added = squeezed.analyze().totals.params - plain.analyze().totals.params
    assert added == weights + sum(row.biases for row in new)


def test_added_parameters_of_se_resnet50():
    new = [row for row in archcalc.load("se_resnet50").analyze().rows if ".se_module." in row.name]
    # lectures, recomputed; section 3.2 rounds them to "~2.5 million additional parameters"
    assert sum(row.weights for row in new) == 2_514_944
    assert sum(row.params for row in new) == 2_530_992


def test_se_vgg16_is_vgg16_with_13_blocks():
    squeezed = archcalc.load("se_vgg16")
    rows = squeezed.analyze().rows
    gates = [row for row in rows if row.layer.op.kind == "mul"]
    assert [row.output_shape[0] for row in gates] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    # lectures, recomputed: one operation for every squeezed element gives the paper's 15.48 to the digit
    squeezed_elements = sum(row.input_shapes[0][0] * row.input_shapes[0][1] ** 2 for row in gates)
    assert macs("se_vgg16") + squeezed_elements == 15_484_038_144
    own = [row for row in rows if row.layer.op.weights() and not row.name.startswith("se")]
    vgg = [row for row in archcalc.load("vgg16").analyze().rows if row.layer.op.weights()]
    assert [row.layer.op.weights() for row in own] == [row.layer.op.weights() for row in vgg]
