"""Adapters of low rank: parameters as the library peft counts them, work and memory as PyTorch measures them."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.changes.adapters import add_adapters
from archcalc.changes.changes import Changes
from archcalc.render.folding import folded_spec
from tests.changes.test_freezing import differences

ATTENTION = """
input: {tokens: 6, features: 16}
layers:
  - add:
      - - {linear: 16, name: q}
        - {linear: 16, name: k, bias: false}
      - []
  - {share: q, name: again}
  - {linear: 5, name: head}
"""


def test_an_adapter_has_two_small_matrices():
    """8·4096 + 4096·8 trained parameters; three products in the backward pass, none for the frozen matrix."""
    network = archcalc.loads("input: [128, 4096]\nlayers: [{linear: 4096, bias: false, name: base}]")
    analysis = add_adapters(network, 8, ["base"]).analyze(convention="torch")
    assert analysis.totals.params == 4096 * 4096 + 2 * 8 * 4096
    assert analysis.totals.trained_params == 65_536
    assert analysis.totals.backward_flops == 2 * 3 * 128 * 4096 * 8
    assert analysis.network.outputs == ("base.lora_sum",)


@pytest.mark.parametrize("on", [("q",), ("q", "k"), ("*",)])
def test_work_and_memory_of_adapters_are_those_of_pytorch(on):
    adapted = add_adapters(archcalc.loads(ATTENTION), 2, on)
    assert differences(adapted) == []


def test_a_shared_layer_shares_its_adapter():
    adapted = add_adapters(archcalc.loads(ATTENTION), 2, ["q"])
    assert adapted["again.lora_A"].shares == "q.lora_A"
    assert adapted["again.base_layer"].shares == "q.base_layer"


def test_a_convolution_is_adapted_with_its_window():
    """lora_A is a convolution with the window of the layer, lora_B one with the window 1 (peft, `LoraConfig`)."""
    adapted = add_adapters(archcalc.load("resnet18", input=(3, 64, 64)), 4, ["layer1.*.conv*"])
    assert adapted.analyze().totals.trained_params == 4 * (64 * 4 * 9 + 4 * 64)
    assert differences(adapted) == []


def test_what_else_is_trained_is_said_beside():
    changed = Changes(lora=2, on=("q",), train=("head",)).apply(archcalc.loads(ATTENTION))
    assert changed.analyze().totals.trained_params == 2 * 16 * 2 + 16 * 5 + 5


@pytest.mark.parametrize(("name", "patterns"), [("lenet5", ["*"]), ("resnet18", ["*conv1", "fc"])])
def test_a_spec_of_a_network_with_adapters_gives_the_same_network(name, patterns):
    adapted = add_adapters(archcalc.load(name), 4, patterns)
    again = archcalc.loads(folded_spec(adapted))
    assert [
        (layer.name, layer.inputs, layer.output_shape, layer.trainable or not layer.op.weights()) for layer in again
    ] == [
        (layer.name, layer.inputs, layer.output_shape, layer.trainable or not layer.op.weights()) for layer in adapted
    ]
