"""What an expression may ask of an analyzed network."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.budget.facts import Facts
from archcalc.language.expression import parse_expression
from archcalc.language.values import ExpressionError
from archcalc.quantities.table import FACTS


def ask(network: str, expression: str, **counting):
    return parse_expression(expression).evaluate(Facts(archcalc.load(network).analyze(**counting)))


@pytest.mark.parametrize(
    ("network", "expression", "value"),
    [
        ("resnet50", "params", 25_557_032),  # torchvision's resnet50
        (
            "resnet50",
            "buffers",
            53_173,
        ),  # torchvision's buffers(): 2 · 26,560 statistics, 53 counters
        ("resnet50", "macs", 4_089_184_256),  # fvcore's conv and addmm operators
        ("resnet50", "flops", 2 * 4_089_184_256),  # torch's FlopCounterMode
        ("resnet50", "rf", 427),  # Araujo, Norris, Sim, 2019, for the stride in the 3×3
        ("resnet50", "rf_stride", 32),
        ("resnet50", "depth", 50),  # its name
        ("resnet50", "kind['conv'].layers", 53),  # 49 on the path with the stem, 4 projections
        ("resnet50", "layer['fc'].params", 2048 * 1000 + 1000),
        ("resnet50", "layer['layer1'].params", 215_808),  # sum over torchvision's layer1.parameters()
        ("resnet50", "layer['conv1'].output == [64, 112, 112]", True),
        ("resnet50", "layer['conv1'].kernel", 7),
        ("resnet50", "input.channels", 3),
        ("resnet50", "output.features", 1000),
        ("resnet50", "weight_memory / 4", 25_557_032),
        ("resnet50", "kind['embedding'].layers", 0),
        ("vgg16", "rf", 212),  # Araujo, Norris, Sim, 2019: at pool5
        ("vgg16", "5 * M + 2 * KiB", 5_002_048),
    ],
)
def test_values(network, expression, value):
    assert ask(network, expression, convention="torch") == value


LENET5_MACS = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10  # LeCun et al., 1998, 32×32


def test_batch_and_dtype():
    assert ask("lenet5", "macs", batch=4) == 4 * LENET5_MACS
    assert ask("lenet5", "params", batch=4) == 61_706  # 156 + 2,416 + 48,120 + 10,164 + 850
    assert ask("lenet5", "weight_memory", dtype="float16") == 2 * 61_706


def test_every_fact_of_a_small_network():
    """By hand, in float32: a convolution to 4×8×8, of which a pool leaves 4×4×4, and a linear layer."""
    text = "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, padding: 1}, relu, {max_pool: 2}, flatten, {linear: 10}]\n"
    facts = Facts(archcalc.loads(f"name: n\n{text}").analyze(convention="lecture"))
    macs = 4 * 8 * 8 * 3 * 9 + 64 * 10
    weights, biases = 4 * 3 * 9 + 64 * 10, 4 + 10
    expected = {
        "params": weights + biases,
        "active_params": weights + biases,
        "weights": weights,
        "biases": biases,
        "buffers": 0,
        "macs": macs,
        "flops": macs + 64 * 4,  # a pool's output times its window
        "memory": 4 * (256 + 64 + 64 + 10),  # as in the lecture: nothing for an activation, flatten has a row
        "backward_macs": 4 * 8 * 8 * 3 * 9 + 2 * 64 * 10,  # the image needs no gradient
        "backward_flops": 4 * 8 * 8 * 3 * 9 + 2 * 64 * 10,
        "step_flops": 2 * 4 * 8 * 8 * 3 * 9 + 3 * 64 * 10 + 64 * 4,
        "bytes_read": 4 * (192 + 256 + 256 + 64 + 64 + weights + biases),
        "bytes_written": 4 * (256 + 256 + 64 + 64 + 10),
        "peak_activation_memory": 4 * (192 + 256 + 256),  # the input, the convolution's output and the activation's
        "peak_memory": 4 * (192 + 256 + 256 + weights + biases),
        "weight_memory": 4 * (weights + biases),
        "trained_params": weights + biases,
        # Autograd saves the inputs of conv, relu and pool (the output of relu), the pool's indices, and linear's input.
        "saved_memory": 4 * (192 + 256 + 64) + 8 * 64,
        "training_memory": 4 * 4 * (weights + biases) + 4 * (192 + 256 + 64) + 8 * 64,
        "cache_memory": 0,
        "layers": 5,
        "weight_layers": 2,
        "depth": 2,
        "rf": 4,  # 3 + (2 − 1)
        "rf_bound": 4,
        "rf_stride": 2,
        "rf_padding": 1,
        "aligned": True,
        "input": [3, 8, 8],
        "output": [10],
        "output_elements": 10,
        "outputs": 1,
        "batch": 1,
    }
    assert {name: facts[name] for name in FACTS if name != "training_peak_memory"} == expected


def test_without_positions():
    """A network of vectors has no receptive field: it is no number, and no comparison with it passes."""
    network = archcalc.loads("name: n\ninput: [8]\nlayers:\n  - {linear: 2}\n")
    facts = Facts(network.analyze())
    assert facts["output"] == [2]
    assert facts["rf"] is None


def test_a_peak_is_the_one_that_archcalc_memory_prints():
    """VGG-16's is in the forward pass of the first ReLU: the image, and conv1_1's output before and after it."""
    activations = 4 * 224 * 224 * (3 + 64 + 64)
    assert ask("vgg16", "peak_activation_memory") == activations
    assert ask("vgg16", "peak_memory") == 138_357_544 * 4 + activations
    assert ask("lenet5", "training_peak_memory") == archcalc.load("lenet5").analyze().memory("training").peak


def test_what_a_convention_does_not_count_is_no_number():
    assert ask("lenet5", "backward_flops", convention="thop") is None
    assert ask("lenet5", "step_flops", convention="torch") > ask("lenet5", "flops", convention="torch")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("layer['conf1'].params", "did you mean 'conv1"),
        ("layer['conv1'].prams", "did you mean 'params"),
        ("layer.conv1x1x1x1", "has no"),
        ("kind['con'].macs", "did you mean 'conv"),
    ],
)
def test_unknown_names(expression, message):
    with pytest.raises(ExpressionError, match=message):
        ask("alexnet", expression)
