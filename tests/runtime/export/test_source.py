"""The source of a network runs on its own, has the built module's weights by name, and gives its outputs."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
import torch

import archcalc
from archcalc.language.library import bundled, bundled_networks
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.runtime.export.source import torch_source

QUICK = {
    "resnet18": (3, 64, 64),
    "vgg11": (3, 32, 32),
    "googlenet": (3, 75, 75),
    "densenet121": (3, 64, 64),
    "mobilenet_v3_small": None,
    "squeezenet1_1": (3, 64, 64),
    "shufflenet_v2_x0_5": None,
    "vit_b_16": (3, 64, 64),
    "swin_t": (3, 64, 64),
    "alexnet": None,
}

NETWORKS = bundled_networks()


def run_source(source: str) -> dict[str, object]:
    """What the source defines, run where nothing of archcalc is known."""
    namespace: dict[str, object] = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), namespace)
    return namespace


def network_class(source: str) -> type[torch.nn.Module]:
    """The class of the network: the last one."""
    last = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)][-1]
    return run_source(source)[last]


def assert_same_module(network: archcalc.Network) -> str:
    source = torch_source(network)
    assert "archcalc" not in {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [one.name for one in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
        )
        if name
    }
    assert max(map(len, source.splitlines())) <= 120
    built = archcalc.build(network).eval()
    written = network_class(source)().eval()
    assert [*written.state_dict()] == [*built.state_dict()]
    written.load_state_dict(built.state_dict(), strict=True)
    inputs = [
        torch.zeros(2, *shape, dtype=torch.long) if name in network.indices else torch.randn(2, *shape)
        for name, shape in network.inputs.items()
    ]
    with torch.no_grad():
        expected, given = built(*inputs), written(*inputs)
    torch.testing.assert_close(given, expected, rtol=0, atol=0, equal_nan=True)
    return source


@pytest.mark.parametrize("name", QUICK)
def test_same_outputs(name):
    assert_same_module(archcalc.load(name, input=QUICK[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", [one for one, place in bundled().items() if place in NETWORKS and one not in QUICK])
def test_same_outputs_of_every_network(name):
    assert_same_module(archcalc.load(name))


EXAMPLES = [
    pytest.param(operator, example, id=f"{kind}-{at}")
    for kind, operator in registry().items()
    for at, example in enumerate(operator.examples)
]


@pytest.mark.parametrize(("operator", "example"), EXAMPLES)
def test_every_operator(operator, example):
    op = operator(example.inputs, **example.arguments)
    inputs = {f"in{at}": shape for at, shape in enumerate(example.inputs)}
    layer = Layer("group.layer", op, tuple(inputs))
    assert_same_module(Network("one", inputs, (layer,), ("group.layer",)))


def test_runs_as_a_program(tmp_path):
    """torchvision's SqueezeNet 1.1 has 1,235,496 parameters (its documentation's num_params)."""
    path = tmp_path / "net.py"
    path.write_text(torch_source(archcalc.load("squeezenet1_1")), encoding="utf-8")
    result = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stdout == "1,235,496 parameters\noutput torch.Size([1, 1000])\n"


def test_weights_of_torchvision_load():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.models.resnet18().eval()
    mine = network_class(torch_source(archcalc.load("resnet18")))().eval()
    mine.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(mine(images), theirs(images))


def test_reads_as_a_person_writes_it():
    source = torch_source(archcalc.load("resnet152"))
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert classes == ["Projection", "Bottleneck", "BottleneckWithDownsample", "ResNet152"]
    assert "*[Bottleneck(1024, 256) for _ in range(35)]," in source
    assert '*[(f"denselayer{i + 1}", DenseLayer(64 + 32 * i)) for i in range(6)],' in torch_source(
        archcalc.load("densenet121")
    )


def test_shared_weights_across_groups():
    """The second group uses the first one's convolution: neither can be a module of its own forward."""
    assert_same_module(
        archcalc.loads(
            """
            name: shared
            input: [3, 8, 8]
            layers:
              - one: [{conv: 3, kernel: 3, padding: 1, name: conv}, relu]
              - two: [{share: one.conv}, relu]
              - {share: one.conv}
            """
        )
    )


def test_tied_weights_across_groups():
    network = archcalc.loads(
        "input: [5]\nlayers: [{encoder: [{embedding: 4, entries: 9, name: 0}]}, {relu, name: r},"
        " {heads: [{linear: 9, name: 1, weight: .encoder.0}]}]\n"
    )
    source = assert_same_module(network)
    assert 'self.heads.get_submodule("1").weight = self.encoder.get_submodule("0").weight' in source


def test_names_that_are_no_python():
    source = assert_same_module(
        archcalc.loads(
            """
            name: 1st-net
            input: [3, 8, 8]
            layers:
              - name: torch
                layers:
                  - add:
                      - [{conv: 3, kernel: 1, name: "0"}, {batch_norm, name: x}]
                      - [{conv: 3, kernel: 1, name: self}]
              - add: [[], [{conv: 3, kernel: 1, name: größe}]]
            """
        )
    )
    assert 'self.add_module("größe", ' in source


@pytest.mark.parametrize("name", ["class", "double", "forward", "training"])
def test_names_that_no_module_can_have(name):
    network = archcalc.loads(f"name: x\ninput: [3]\nlayers: [{{{name}: [{{linear: 2}}]}}]")
    for make in (torch_source, archcalc.build):
        with pytest.raises(ValueError, match="PyTorch cannot have a module called"):
            make(network)


def test_several_inputs_and_outputs():
    assert_same_module(
        archcalc.loads(
            """
            name: two
            inputs: {image: [3, 8, 8], depth: [1, 8, 8]}
            layers:
              - {conv: 4, kernel: 3, from: image, name: left}
              - {conv: 4, kernel: 3, from: depth, name: right}
              - {concat, from: [left, right], name: both}
            """
        )
    )


def test_titles_cannot_break_out(tmp_path):
    """What a spec says of itself is text in the file, never code."""
    network = archcalc.loads(
        'name: x\ntitle: "\\"\\"\\"\\nimport os\\nos.abort()\\n\\"\\"\\" \\\\"\nsource: "end \\\\"\n'
        "input: [3]\nlayers: [{linear: 2}]"
    )
    assert "os" not in run_source(torch_source(network))
    assert_same_module(network)


@pytest.mark.parametrize(("name", "patterns"), [("lenet5", ["*"]), ("resnet18", ["*conv1", "fc"])])
def test_a_network_with_adapters(name, patterns):
    network = archcalc.add_adapters(archcalc.load(name, input=QUICK.get(name)), 2, patterns)
    assert ".lora_A" in assert_same_module(network)
