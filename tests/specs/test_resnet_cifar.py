"""ResNet for CIFAR and its training with stochastic depth, against their papers.

He, Zhang, Ren, Sun, CVPR 2016, and Huang, Sun, Liu, Sedra, Weinberger, ECCV 2016.
"""

from fractions import Fraction

import pytest

import archcalc


@pytest.mark.parametrize(
    ("layers", "blocks", "millions"),
    [
        # He et al., table 6, columns "# layers" and "# params"; section 4.2 has n for each
        (20, 3, 0.27),
        (32, 5, 0.46),
        (44, 7, 0.66),
        (56, 9, 0.85),
        (110, 18, 1.7),
        (1202, 200, 19.4),
    ],
)
def test_table_6(layers, blocks, millions):
    network = archcalc.load(f"resnet{layers}")
    kinds = [layer.op.kind for layer in network.layers]
    assert kinds.count("conv") + kinds.count("linear") == layers == 6 * blocks + 2
    assert kinds.count("add") == 3 * blocks
    params = network.analyze().totals.params / 1e6
    assert params == pytest.approx(millions, abs=0.05 if millions > 1 else 0.005)


def test_parameters_to_the_unit():
    # lectures, recomputed: ResNet-110 with shortcuts that have no parameters
    assert archcalc.load("resnet110").analyze().totals.params == 1_727_962


@pytest.mark.parametrize("layers", [20, 56])
def test_plain_network_has_the_weights_of_the_residual_one(layers):
    plain, residual = archcalc.load(f"plain{layers}"), archcalc.load(f"resnet{layers}")

    def weights(network):
        return [(layer.name, layer.op.weights()) for layer in network.layers if layer.op.weights()]

    assert weights(plain) == weights(residual)
    assert not any(layer.op.kind == "add" for layer in plain.layers)


def survivals(name: str) -> dict[str, Fraction]:
    """The probability that training keeps a block, by the block's name; exact, where the operator holds a float."""
    return {
        layer.name.rpartition(".")[0]: 1 - Fraction(layer.op.p).limit_denominator(10_000)
        for layer in archcalc.load(name).layers
        if layer.op.kind == "stochastic_depth"
    }


@pytest.mark.parametrize(("name", "blocks"), [("resnet110_sd", 54), ("resnet1202_sd", 600)])
def test_survival_falls_in_a_straight_line(name, blocks):
    kept = list(survivals(name).values())
    # Huang et al., equation 4: p_l = 1 - l/L (1 - p_L), with p_L = 0.5
    assert kept == [1 - Fraction(block, blocks) / 2 for block in range(1, blocks + 1)]
    # Huang et al., section 3: the expected number of blocks is (3L - 1)/4
    assert sum(kept) == Fraction(3 * blocks - 1, 4)


def test_expected_blocks_of_resnet110():
    # lectures, recomputed; Huang et al., section 3, round it to 40
    assert sum(survivals("resnet110_sd").values()) == Fraction("40.25")


def test_expected_multiply_adds_of_training():
    """A block that is dropped costs nothing: of a training step's forward pass a quarter is saved."""
    kept = survivals("resnet110_sd")
    analysis = archcalc.load("resnet110_sd").analyze()
    rows = analysis.rows
    expected = sum(kept.get(row.name.rpartition(".")[0], 1) * row.macs for row in rows)
    same, halving = 2 * 9 * 16 * 16 * 32 * 32, 9 * (16 * 32 + 32 * 32) * 16 * 16
    blocks = [halving if block in (19, 37) else same for block in range(1, 55)]
    by_formula = sum((1 - Fraction(block, 108)) * cost for block, cost in enumerate(blocks, start=1))
    assert expected == 9 * 3 * 16 * 32 * 32 + by_formula + 64 * 10
    assert analysis.expected_training_macs == pytest.approx(float(expected))
    # Huang et al., section 3: "approximately 25 % of training time could be saved"
    assert 1 - expected / sum(row.macs for row in rows) == pytest.approx(0.25, abs=0.01)


def test_it_runs():
    import torch

    module = archcalc.build("resnet20").eval()
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
