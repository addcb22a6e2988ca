"""GoogLeNet against its paper's Table 1 and a lecture's tables of its stem and classifier.

Szegedy et al., *Going Deeper with Convolutions*, CVPR 2015.
"""

import pytest

import archcalc

KIBI = 1024
"""Table 1 counts parameters in units of 1024: 3b has 388,096 weights, and the table says 380K."""


@pytest.fixture(scope="module")
def googlenet():
    return archcalc.load("googlenet")


@pytest.fixture(scope="module")
def costs(googlenet):
    return googlenet.analyze()


def total(costs, module: str, quantity: str) -> int:
    """Of all layers in a module."""
    return sum(getattr(row, quantity) for row in costs.rows if f"{row.name}.".startswith(f"{module}."))


# The lecture's table of the stem and of the classifier, recomputed from its rules: name, output, memory in KiB,
# parameters with biases, weights, multiply-adds (for a pool, kernel area times output elements).
LECTURE = [
    ("conv1", (64, 112, 112), 3136, 9472, 9408, 118_013_952),
    ("maxpool1", (64, 56, 56), 784, 0, 0, 1_806_336),
    ("conv2", (64, 56, 56), 784, 4160, 4096, 12_845_056),
    ("conv3", (192, 56, 56), 2352, 110_784, 110_592, 346_816_512),
    ("maxpool2", (192, 28, 28), 588, 0, 0, 1_354_752),
    ("avgpool", (1024, 1, 1), 4, 0, 0, 50_176),
    ("fc", (1000,), 3.90625, 1_025_000, 1_024_000, 1_024_000),
]


@pytest.mark.parametrize(("name", "output", "memory", "params", "weights", "flops"), LECTURE)
def test_lecture_rows(costs, name, output, memory, params, weights, flops):
    row = costs[name]
    assert row.layer.output_shape == output
    assert row.memory == memory * 1024
    assert (row.params, row.weights, row.flops) == (params, weights, flops)


# Table 1, columns output size and ops; ops are millions of multiply-adds, rounded up or down.
# Not the ops of the first convolution (34M) and of 5a (54M), which are not those of its kernel sizes and widths.
OPS = {
    "inception3a": ((256, 28, 28), 128),
    "inception3b": ((480, 28, 28), 304),
    "inception4a": ((512, 14, 14), 73),
    "inception4b": ((512, 14, 14), 88),
    "inception4c": ((512, 14, 14), 100),
    "inception4d": ((528, 14, 14), 119),
    "inception4e": ((832, 14, 14), 170),
    "inception5b": ((1024, 7, 7), 71),
}


@pytest.mark.parametrize("module", OPS)
def test_ops_of_the_paper(googlenet, costs, module):
    output, millions = OPS[module]
    assert googlenet[f"{module}.concat1"].output_shape == output
    assert abs(total(costs, module, "macs") / 1e6 - millions) < 1


def test_ops_of_the_second_convolution(costs):
    """Table 1: 360M for the 1×1 reduction and the 3×3 convolution together."""
    assert round((costs["conv2"].macs + costs["conv3"].macs) / 1e6) == 360


@pytest.mark.parametrize(
    ("modules", "table"),
    # Table 1, column params, where it agrees with the table's own widths
    [(("conv2", "conv3"), 112), (("inception3a",), 159), (("inception3b",), 380), (("fc",), 1000)],
)
def test_params_of_the_paper(costs, modules, table):
    assert abs(sum(total(costs, module, "params") for module in modules) / KIBI - table) < 1.01


def test_maps_of_the_paper(googlenet):
    """Table 1, column output size: 112, 56, 28, 14, 7 after the pools."""
    sizes = [googlenet[f"maxpool{i}"].output_shape[1] for i in (1, 2, 3, 4)]
    assert sizes == [56, 28, 14, 7]
    assert googlenet["conv1"].output_shape[1] == 112


def test_auxiliary_classifiers(googlenet):
    """Section 5: an average pool with 4×4×512 output for (4a) and 4×4×528 for (4d), in training only."""
    assert googlenet["aux1.avgpool"].output_shape == (512, 4, 4)
    assert googlenet["aux2.avgpool"].output_shape == (528, 4, 4)
    assert all(layer.train for layer in googlenet if layer.name.startswith("aux"))
    assert googlenet.side_outputs == ("aux1.fc2", "aux2.fc2")
