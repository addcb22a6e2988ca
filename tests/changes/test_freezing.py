"""Frozen layers: FLOPs of the backward pass, gradients, saved tensors and peak, as PyTorch has them."""

from __future__ import annotations

import random

import pytest
import torch

import archcalc
from archcalc.changes.changes import Changes
from archcalc.changes.freezing import freeze
from archcalc.errors import UserError
from archcalc.language.library import bundled_networks
from archcalc.memory.summary import memory
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.runtime.checks import VerificationTarget, check_torch_backward
from archcalc.runtime.memory import saved_bytes
from archcalc.runtime.memory import training_peak as measured_peak
from archcalc.runtime.tolerances import Measured, tolerance
from archcalc.structs import replace
from tests.bundled import spec_at
from tests.memory.test_memory import at_small_size

CPU = torch.device("cpu")


def differences(network: Network, batch: int = 2) -> list[str]:
    """Where the backward pass, the saved tensors or the peak of a training step are not PyTorch's."""
    found = []
    check = check_torch_backward(VerificationTarget(network, CPU, torch.float32, 1))
    if check.passed is False:
        found.append(check.detail)
    if not all(layer.op.models_memory() for layer in network.layers):
        return found
    subject = VerificationTarget(network, CPU, torch.float32, batch)
    analysis, inputs = subject.analyze(), subject.inputs()
    pairs = {
        "saved": (saved_tensor_bytes(analysis), saved_bytes(subject.module, inputs)),
        "training": (training_peak(analysis, "none").live_bytes, measured_peak(subject.module, inputs)),
    }
    for quantity, (predicted, measured) in pairs.items():
        if not tolerance(quantity, Measured(network)).admits(predicted, measured):
            found.append(f"{quantity}: archcalc {predicted:,}, torch {measured:,}")
    return found


@pytest.mark.parametrize(("trained", "flops"), [(["fc"], 1_024_000), (["layer4", "fc"], 1_517_764_608)])
def test_only_the_last_layers_of_a_resnet_are_trained(trained, flops):
    """2·512·1000 for the weight of fc; measured with FlopCounterMode of PyTorch 2.14.1."""
    analysis = freeze(archcalc.load("resnet18"), trained=trained).analyze(convention="torch")
    assert analysis.totals.backward_flops == flops
    assert analysis.totals.params == 11_689_512
    assert analysis.totals.trained_params == sum(
        row.params for row in analysis.rows if row.name.startswith(tuple(trained))
    )


WITH_WEIGHTS = [
    kind
    for kind, operator in registry().items()
    if operator.examples
    and not operator.numbers_are_given
    and operator(operator.examples[0].inputs, **operator.examples[0].arguments).weights()
]


@pytest.mark.parametrize("kind", WITH_WEIGHTS)
def test_every_operator_first_and_frozen(kind):
    """At the start of a network no input needs a gradient; frozen after a trained layer, no weight does."""
    operator, scale = registry()[kind], registry()["layer_scale"]
    for inputs, arguments in operator.examples:
        op = operator(inputs, **arguments)
        names = [f"x{number}" for number in range(len(inputs))]
        shapes = dict(zip(names, inputs, strict=True))
        first = Network("first", shapes, (Layer("it", op, tuple(names)),), ("it",))
        assert differences(first) == [], arguments
        if operator.takes_indices or any(not shape for shape in inputs):
            continue
        before = [Layer(f"s{number}", scale((shape,)), (name,)) for number, (name, shape) in enumerate(shapes.items())]
        frozen = Layer("it", op, tuple(layer.name for layer in before)).changed(trainable=False)
        assert differences(Network("frozen", shapes, (*before, frozen), ("it",))) == [], arguments


def randomly_frozen(network: Network, seed: int) -> Network:
    draw = random.Random(seed)
    share = draw.choice([0.1, 0.5, 0.9])
    return replace(network, layers=tuple(layer.changed(trainable=draw.random() >= share) for layer in network.layers))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "convnext_tiny", "googlenet", "densenet121"])
def test_random_layers_of_a_network_are_frozen(name):
    side = 75 if name == "googlenet" else 64
    assert differences(randomly_frozen(archcalc.load(name, input=(3, side, side)), seed=len(name))) == []


@pytest.mark.slow
@pytest.mark.parametrize(("path", "variant"), list(bundled_networks()))
def test_random_layers_of_every_bundled_network_are_frozen(path, variant):
    try:
        network = at_small_size(path, variant)
    except (KeyError, ValueError):
        network = spec_at(path).network(variant)  # its inputs are not images
    if network.analyze().totals.params > 10**9:
        pytest.skip("its weights do not fit here")
    for seed in range(2):
        assert differences(randomly_frozen(network, seed)) == []


def test_a_spec_says_what_is_trained():
    """A step says more than the group around it, and an expression may decide."""
    network = archcalc.loads(
        "input: [3, 8, 8]\nlayers:\n"
        "  - body: [{conv: 4, kernel: 3, name: a}, {conv: 4, kernel: 1, name: b, trainable: true}]\n"
        "    trainable: false\n"
        "  - {conv: 4, kernel: 1, name: c, repeat: 3, trainable: i > 1}\n"
        "  - {share: body.b, name: d}\n"
    )
    assert network.frozen == {"body.a", "c.0", "c.1"}
    assert network.trained_weights(network["d"]) == ("weight", "bias")
    assert [row.trained_params for row in network.analyze().rows] == [0, 20, 0, 0, 20, 0]
    assert differences(network) == []


def test_a_tied_weight_is_trained_if_its_owner_is():
    text = (
        "inputs: {tokens: [6]}\nlayers:\n"
        "  - {embedding: 8, entries: 20, name: table, trainable: TABLE}\n"
        "  - {linear: 8, name: inside}\n  - {linear: 20, name: head, weight: table, trainable: false}\n"
    )
    for table, weights in (("true", ("weight",)), ("false", ())):
        network = archcalc.loads(text.replace("TABLE", table))
        assert network.trained_weights(network["head"]) == weights
        assert differences(network) == []


def test_what_is_frozen_has_neither_gradient_nor_state():
    """Adam keeps two numbers for each of the 513,000 trained parameters of fc."""
    analysis = freeze(archcalc.load("resnet18"), trained=["fc"]).analyze()
    found = memory(analysis, "training", "adam")
    assert (found.weights, found.gradients, found.state) == (11_689_512 * 4, 513_000 * 4, 2 * 513_000 * 4)
    assert found.saved == 512 * 4  # the input of fc


def test_a_frozen_network_is_written_and_read_again():
    from archcalc.imports.saved import network_data, network_of
    from archcalc.render.folding import folded_spec, network_spec

    network = freeze(archcalc.load("resnet18"), frozen=["layer1", "*.bn2"])
    for again in (
        archcalc.loads(network_spec(network)),
        archcalc.loads(folded_spec(network)),
        network_of(network_data(network)),
    ):
        assert again.frozen == network.frozen
    assert len(network.frozen) == 14


def test_exported_source_freezes_the_same(tmp_path):
    from archcalc.runtime.export.source import torch_source

    for network in (freeze(archcalc.load("resnet18"), trained=["fc"]), freeze(archcalc.load("resnet18"), ["layer1"])):
        names: dict[str, object] = {}
        exec(compile(torch_source(network), "resnet18", "exec"), names)
        module = names["ResNet18"]()
        trained = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
        built = archcalc.build(network)
        assert trained == {name for name, parameter in built.named_parameters() if parameter.requires_grad}


def test_a_module_says_what_is_frozen():
    """`requires_grad` of an imported module, a frozen layer of which has all its parameters frozen."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1), torch.nn.Flatten()
    )
    module[0].requires_grad_(False)
    module[2].bias.requires_grad_(False)
    network = archcalc.trace(module, torch.zeros(1, 3, 8, 8))
    assert network.frozen == {"0"}
    assert [parameter.requires_grad for parameter in module.parameters()] == [False, False, True, False]


def test_what_steps_say_is_written_and_read_again():
    from archcalc.imports.saved import network_data, network_of
    from archcalc.render.folding import folded_spec, network_spec

    text = (
        "input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, dtype: int8, trainable: false, name: a}, {conv: 2, kernel: 1}]"
    )
    network = archcalc.loads(text)
    for again in (
        archcalc.loads(network_spec(network)),
        archcalc.loads(folded_spec(network)),
        network_of(network_data(network)),
    ):
        assert [(layer.dtype, layer.trainable) for layer in again] == [("int8", False), ("", True)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"freeze": ("layer5",)}, "no layer with weights that 'layer5' means"),
        ({"freeze": ("relu",)}, "no layer with weights that 'relu' means"),
        ({"train": ("*.bias",)}, "some weights of bn1; all weights of a layer are trained, or none"),
        ({"freeze": ("fc.weight",)}, "some weights of fc; all weights"),
        ({"lora": 8}, "--lora and --on belong together"),
        ({"lora": 8, "on": ("*bn*",)}, "no layer that LoRA adapts that"),
    ],
)
def test_a_pattern_must_mean_something(changes, message):
    with pytest.raises(UserError, match=message):
        Changes(**changes).apply(archcalc.load("resnet18"))
