"""The backward pass: convention `torch` is what torch's own counter says of a forward and a backward pass."""

from __future__ import annotations

import gc

import pytest
import torch
from torch.utils._pytree import tree_leaves

import archcalc
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.runtime.flop_counter import misses_attention, torch_counter
from tests.bundled import spec_at, variants

CASES = [
    pytest.param(kind, example, id=f"{kind}-{at}")
    for kind, operator in registry().items()
    for at, example in enumerate(operator.examples)
    if not operator.takes_indices and not operator.ignores_numbers and operator.exactness == "exact"
]
NETWORKS = variants(
    *("alexnet", "lenet5", "squeezenet1_0", "mobilenet_v3_small", "googlenet", "resnet18", "vit_b_32", "swin_t")
)


def counted(network: Network, device: str) -> int:
    """What torch's counter says of a training step of one sample; skips where this version's sees no attention."""
    with torch.device(device):
        module = archcalc.build(network).eval()
        inputs = [
            torch.zeros((1, *shape), dtype=torch.int64 if name in network.indices else None)
            for name, shape in network.inputs.items()
        ]
    if misses_attention(module, inputs):
        pytest.skip(f"the counter of torch {torch.__version__} sees no attention on {device}")
    with torch_counter() as counter:
        outputs = tree_leaves(module(*inputs))
        if any(output.requires_grad for output in outputs):
            sum(output.sum() for output in outputs).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_every_operator_at_the_start_of_a_network(kind, example):
    """No gradient of the input is needed."""
    op = registry()[kind](example.inputs, **example.arguments)
    names = tuple(f"x{at}" for at in range(len(example.inputs)))
    network = Network("one", dict(zip(names, example.inputs, strict=True)), (Layer("it", op, names),), ("it",))
    assert network.analyze(convention="torch").totals.step_flops == counted(network, "cpu")


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_every_operator_after_what_is_trained(kind, example):
    """The gradients of all inputs are needed: something with weights, but without multiply-adds, gives them."""
    op = registry()[kind](example.inputs, **example.arguments)
    names = [f"x{at}" for at in range(len(example.inputs))]
    before = [
        Layer(f"b{name}", registry()["position_embedding"]([shape]), (name,))
        for name, shape in zip(names, example.inputs, strict=True)
    ]
    layers = (*before, Layer("it", op, tuple(layer.name for layer in before)))
    network = Network("one", dict(zip(names, example.inputs, strict=True)), layers, ("it",))
    assert network.analyze(convention="torch").totals.step_flops == counted(network, "cpu")


@pytest.mark.parametrize("kind", ["matmul", "einsum", "dynamic_conv"])
def test_a_product_has_the_gradients_of_the_factors_that_need_one(kind):
    example = registry()[kind].examples[0]
    op = registry()[kind](example.inputs, **example.arguments)
    before = Layer("before", registry()["position_embedding"]([example.inputs[0]]), ("x0",))
    inputs = {"x0": example.inputs[0], "x1": example.inputs[1]}
    network = Network("one", inputs, (before, Layer("it", op, ("before", "x1"))), ("it",))
    row = network.analyze(convention="torch")["it"]
    assert row.backward_macs == row.macs
    assert network.analyze(convention="torch").totals.step_flops == counted(network, "cpu")


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_every_network(path, variant):
    network = spec_at(path).network(variant)
    # on the meta device attention is not fused, as it is elsewhere
    device = "cpu" if any(layer.op.kind == "multi_head_attention" for layer in network) else "meta"
    assert network.analyze(convention="torch").totals.step_flops == counted(network, device)
    gc.collect()  # a module of torch.fx is a circle of references


def test_of_plain_convolutions_the_step_is_three_times_the_forward_pass_less_the_first_input():
    """ResNet-18: each multiply-add has two in the backward pass, but the image needs no gradient."""
    analysis = archcalc.load("resnet18").analyze()
    assert analysis.totals.backward_macs == 2 * analysis.totals.macs - analysis["conv1"].macs


def test_groups_are_the_counters_slip_not_archcalcs():
    """torch's counter takes the gradient of a depthwise convolution's weights `groups` times; the work is not that."""
    network = archcalc.loads("{name: net, input: [8, 9, 9], layers: [{conv: 8, kernel: 3, groups: 8, bias: false}]}")
    row = network.analyze(convention="torch").rows[0]
    assert row.backward_macs == row.macs == 8 * 7 * 7 * 9
    assert row.backward_flops == 2 * 8 * row.macs


def test_a_convention_without_a_backward_pass_says_so(cli):
    result = cli("table", "alexnet", "--backward", "--convention", "thop")
    assert result.code == 2
    assert "thop does not count the backward pass; use lecture or torch" in result.err
    assert "backward_flops_lecture,step_flops_lecture" in cli("table", "alexnet", "--backward", "--format", "csv").out
