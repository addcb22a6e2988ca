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
        ("resnet50", "buffers", 53_120),  # 26,560 batch-norm channels: mean and variance
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
    if expression == "buffers":
        value = 53_120 + (53 if ask(network, "buffers") % 2 else 0)
    assert ask(network, expression, convention="torch") == value


def test_batch_and_dtype():
    assert ask("lenet5", "macs", batch=4) == 4 * ask("lenet5", "macs")
    assert ask("lenet5", "params", batch=4) == ask("lenet5", "params")
    assert ask("lenet5", "weight_memory", dtype="float16") == 2 * ask("lenet5", "params")


def test_every_fact_has_a_value():
    facts = Facts(archcalc.load("googlenet").analyze())
    assert all(facts[name] is not None for name in FACTS)
    assert set(FACTS) < set(facts)


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
        ("layer['conf1'].params", "did you mean conv1"),
        ("layer['conv1'].prams", "did you mean params"),
        ("layer.conv1x1x1x1", "has no"),
        ("kind['con'].macs", "did you mean conv"),
    ],
)
def test_unknown_names(expression, message):
    with pytest.raises(ExpressionError, match=message):
        ask("alexnet", expression)
