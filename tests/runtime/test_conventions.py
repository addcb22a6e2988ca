"""The conventions named after a tool count what the tool counts, to the unit: the tool itself is run.

The networks are those that `archcalc.build` makes. thop and torchinfo run on the meta device; ptflops does not, for
PyTorch's functions on that device call one another, and are counted twice.
"""

from __future__ import annotations

import contextlib
import gc
import io

import pytest
import torch
import torchvision
from ptflops import get_model_complexity_info
from thop import profile
from torch import nn
from torchinfo import summary

import archcalc
from archcalc.network import Layer, Network
from archcalc.ops import registry
from tests.bundled import spec_at, variants

CASES = [
    pytest.param(kind, example, id=f"{kind}-{at}")
    for kind, operator in registry().items()
    for at, example in enumerate(operator.examples)
]
FAMILIES = ("lenet5", "squeezenet1_0", "mobilenet_v3_small", "shufflenet_v1_g3", "googlenet", "resnet18", "swin_t")
NETWORKS = variants(*FAMILIES, "vit_b_32")


def of_torchinfo(module: nn.Module, inputs: list[torch.Tensor]) -> int:
    return summary(module, input_data=inputs, verbose=0, device=inputs[0].device, mode="eval").total_mult_adds


def of_thop(module: nn.Module, inputs: list[torch.Tensor]) -> int:
    total, _ = profile(module, tuple(inputs), verbose=False)
    assert total == int(total)
    return int(total)


def of_ptflops(module: nn.Module, inputs: list[torch.Tensor], backend: str) -> int:
    said = io.StringIO()
    by_name = {node.target: one for node, one in zip(module.graph.find_nodes(op="placeholder"), inputs, strict=True)}
    with contextlib.redirect_stdout(said):
        total, _ = get_model_complexity_info(
            module,
            (1,),
            print_per_layer_stat=False,
            as_strings=False,
            backend=backend,
            input_constructor=lambda _: by_name,
        )
    assert total is not None, said.getvalue()
    return total


TOOLS = {
    "torchinfo": ("meta", of_torchinfo),
    "thop": ("meta", of_thop),
    "ptflops": ("cpu", lambda module, inputs: of_ptflops(module, inputs, "pytorch")),
    "ptflops-aten": ("cpu", lambda module, inputs: of_ptflops(module, inputs, "aten")),
}


def counts(network: Network) -> tuple[dict[str, int], dict[str, int]]:
    """For every tool, archcalc's count and the tool's own."""
    mine, theirs = {}, {}
    for convention, (device, tool) in TOOLS.items():
        with torch.device(device):
            module = archcalc.build(network).eval()
            inputs = [
                torch.zeros((1, *shape), dtype=torch.int64 if name in network.indices else None)
                for name, shape in network.inputs.items()
            ]
        mine[convention] = network.analyze(convention=convention).totals.flops
        theirs[convention] = tool(module, inputs)
    return mine, theirs


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_every_operator(kind, example):
    op = registry()[kind](example.inputs, **example.arguments)
    if not op.tools_agree:
        pytest.skip("what these tools count of it is not known")
    names = tuple(f"x{at}" for at in range(len(example.inputs)))
    network = Network("one", dict(zip(names, example.inputs, strict=True)), (Layer("it", op, names),), ("it",))
    mine, theirs = counts(network)
    assert mine == theirs


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_every_network(path, variant):
    network = spec_at(path).network(variant)
    if network.analyze().totals.params > 5e8:
        pytest.skip("the tools need its weights, which need too much memory")
    mine, theirs = counts(network)
    gc.collect()  # a module of torch.fx is a circle of references
    assert mine == theirs


def test_shared_layers_are_counted_as_often_as_they_are_used():
    network = archcalc.loads("""
        name: twice
        input: [4, 8, 8]
        layers:
          - {conv: 4, kernel: 3, padding: 1, name: first}
          - relu
          - {share: first, name: second}
    """)
    mine, theirs = counts(network)
    assert mine == theirs


def test_resnet50_of_torchvision():
    """The tools on torchvision's own module: the published sum of each, and what archcalc's network has."""
    expected = {
        "torchinfo": 4_089_238_376,
        "thop": 4_133_742_592,
        "ptflops": 4_132_436_968,
        "ptflops-aten": 4_089_185_256,
    }
    mine = {name: archcalc.load("resnet50").analyze(convention=name).totals.flops for name in expected}
    theirs = {}
    for name, (device, tool) in TOOLS.items():
        module = torchvision.models.resnet50(weights=None).to(device).eval()
        module.graph = torch.fx.symbolic_trace(module).graph  # only for the name of its input
        theirs[name] = tool(module, [torch.zeros(1, 3, 224, 224, device=device)])
    assert mine == theirs == expected


def test_a_batch_multiplies():
    """torchinfo and thop count the whole batch; ptflops is made for one sample."""
    network = archcalc.load("mobilenet_v3_small")
    with torch.device("meta"):
        inputs = [torch.zeros(3, 3, 224, 224)]
        modules = [archcalc.build(network).eval() for _ in range(2)]
    assert of_torchinfo(modules[0], inputs) == network.analyze(batch=3, convention="torchinfo").totals.flops
    assert of_thop(modules[1], inputs) == network.analyze(batch=3, convention="thop").totals.flops
