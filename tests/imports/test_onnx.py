"""ONNX files by PyTorch's exporters, and those of archcalc, give the networks that they were made from."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

import archcalc
from archcalc.imports.onnx_file import read_onnx
from archcalc.render.folding import folded_spec

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def exported(module: nn.Module, inputs: tuple, path: Path, way: str) -> Path:
    """The file of a module whose weights all differ, so that the exporters join none.

    Ways: `dynamo` and `script` with a batch of 1, `symbolic` with any batch.
    """
    torch.manual_seed(0)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    module.eval()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if way == "script":
            torch.onnx.export(module, inputs, str(path), dynamo=False)
        elif way == "dynamo":
            torch.onnx.export(module, inputs, str(path), dynamo=True, external_data=False, verbose=False)
        else:
            two = tuple(torch.cat([one, one]) for one in inputs)
            batch = torch.export.Dim("batch")
            shapes = tuple({0: batch} for _ in inputs)
            torch.onnx.export(
                module, two, str(path), dynamo=True, external_data=False, verbose=False, dynamic_shapes=shapes
            )
    return path


def traced(module: nn.Module, inputs: tuple) -> archcalc.Network:
    from archcalc.imports.torch_export import trace

    return trace(module, *inputs)


def totals(network: archcalc.Network) -> tuple[int, int]:
    counted = archcalc.analyze(network).totals
    return counted.params, counted.macs


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(8, 16, 1), nn.Hardswish(), nn.Conv2d(16, 16, 5, padding=2, groups=16), nn.Conv2d(16, 8, 1)
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.head = nn.Linear(4 * 16 * 16, 10)

    def forward(self, x):
        x = self.stem(x)
        x = self.up(self.pool(x + self.body(x)))
        return self.head(torch.relu(x).flatten(1))


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.place = nn.Parameter(torch.zeros(1, 7, 16))
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens):
        return self.head(self.layer(self.table(tokens) + self.place)[:, 0])


MODULES = {
    "residual": (Residual, lambda: (torch.zeros(1, 3, 32, 32),)),
    "tokens": (Tokens, lambda: (torch.zeros(1, 7, dtype=torch.long),)),
    "norms": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.InstanceNorm2d(8), nn.LayerNorm(6)),
        lambda: (torch.zeros(1, 3, 8, 8),),
    ),
    "upsampled": (
        lambda: nn.Sequential(
            nn.Upsample(scale_factor=2), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        lambda: (torch.zeros(1, 3, 8, 8),),
    ),
}


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """`residual(way)`: a module and its file, which is written once."""

    @cache
    def make(way):
        module = Residual()
        path = tmp_path_factory.mktemp("residual") / "net.onnx"
        return module, exported(module, (torch.zeros(1, 3, 32, 32),), path, way)

    return make


@pytest.mark.parametrize("way", ["dynamo", "script", "symbolic"])
@pytest.mark.parametrize("name", MODULES)
def test_as_traced(name, way, tmp_path, residual):
    make, inputs = MODULES[name]
    if name == "residual":
        module, path = residual(way)
    else:
        module = make()
        path = exported(module, inputs(), tmp_path / "net.onnx", way)
    network = read_onnx(path)
    assert totals(network) == totals(traced(module, inputs()))
    assert list(network.inputs.values()) == [tuple(one.shape[1:]) for one in inputs()]
    assert {layer.op.exactness for layer in network} <= {"exact", "generic"}


@pytest.mark.parametrize("way", ["dynamo", "script", "symbolic"])
def test_names_are_the_modules(way, residual):
    network = read_onnx(residual(way)[1])
    names = [layer.name for layer in network]
    assert {"stem", "body.0", "body.1", "body.2", "body.3", "pool", "up", "head"} <= set(names)
    assert network["body.2"].op.kind == "conv"
    assert network["head"].tensors() == {"head.weight": (10, 1024), "head.bias": (10,)}
    assert "body" in network.groups


def test_equal_vectors_are_those_of_each_layer(tmp_path):
    """Of equal biases, such as the zeros of a fresh network, the exporter keeps one."""
    module = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8)).eval()
    for layer in (module[1], module[3]):
        nn.init.zeros_(layer.bias)
    file = tmp_path / "fresh.onnx"
    torch.onnx.export(module, (torch.zeros(1, 4, 8),), str(file), dynamo=True, external_data=False, verbose=False)
    network = read_onnx(file)
    assert not any(layer.ties for layer in network)
    again = archcalc.loads(folded_spec(network))
    params = sum(parameter.numel() for parameter in module.parameters())
    assert [one.analyze().totals.params for one in (network, again)] == [params, params]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("resnet18", "dynamo"),
        ("resnet18", "script"),
        ("mobilenet_v3_small", "script"),
        pytest.param("mobilenet_v3_small", "dynamo", marks=pytest.mark.slow),
    ],
)
def test_torchvision(name, way, tmp_path):
    """The multiply-adds are equal. The exporters fold batch normalization into the convolutions before it."""
    models = pytest.importorskip("torchvision.models")
    module = getattr(models, name)(weights=None)
    image = (torch.zeros(1, 3, 224, 224),)
    network = read_onnx(exported(module, image, tmp_path / "net.onnx", way))
    params, macs = totals(traced(module, image))
    channels = sum(one.num_features for one in module.modules() if isinstance(one, nn.BatchNorm2d))
    assert totals(network) == (params - channels, macs)
    assert all(layer.op.exactness == "exact" for layer in network)


def test_vision_transformer(tmp_path):
    """Its attention runs with the batch as the second axis, and folds heads into it."""
    models = pytest.importorskip("torchvision.models")
    module = models.VisionTransformer(32, 8, 1, 4, 32, 64)
    image = (torch.zeros(1, 3, 32, 32),)
    expected = totals(traced(module, image))
    for way in ("dynamo", "script", "symbolic"):
        network = read_onnx(exported(module, image, tmp_path / f"{way}.onnx", way))
        assert totals(network) == expected
        assert all(layer.op.exactness == "exact" for layer in network)


def test_recurrent(tmp_path):
    """An LSTM is generic: its work is counted, and its weights are there."""
    module = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    network = read_onnx(exported(module, (torch.zeros(1, 7, 6),), tmp_path / "net.onnx", "script"))
    params, macs = totals(network)
    assert params == sum(one.numel() for one in module.parameters())
    assert macs == 7 * 2 * 4 * 5 * (6 + 5)
    assert [layer.op.operation for layer in network if layer.op.exactness == "generic"].count("LSTM") >= 1


def test_what_a_number_is_less_of(tmp_path):
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    given, result = (helper.make_tensor_value_info(name, kind, ["N", 3, 4, 4]) for name in ("x", "y"))
    one = helper.make_tensor("one", kind, [], [1.0])
    graph = helper.make_graph([helper.make_node("Sub", ["one", "x"], ["y"])], "net", [given], [result], [one])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "net.onnx")
    assert [layer.op.kind for layer in archcalc.load(tmp_path / "net.onnx")] == ["neg", "offset"]


def test_an_input_whose_name_has_a_dot(tmp_path):
    """As older exporters write it; a spec cannot say that name."""
    from onnx import TensorProto, helper

    given, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 8]) for name in ("input.1", "out"))
    graph = helper.make_graph([helper.make_node("Relu", ["input.1"], ["out"])], "net", [given], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    network = archcalc.load(str(tmp_path / "net.onnx"))
    assert network.inputs == {"input_1": (3, 8)}
    assert archcalc.loads(folded_spec(network)).inputs == network.inputs


OWN = {
    "vit_tiny": """
        name: vit
        input: [3, 32, 32]
        layers:
          - {conv: 24, kernel: 8, stride: 8}
          - {flatten, start: 1}
          - {permute: [1, 0]}
          - {multi_head_attention: 4}
          - layer_norm
          - {linear: 10}
    """,
    "branches": """
        name: branches
        input: [3, 32, 32]
        blocks:
          inverted:
            layers:
              - add:
                  - []
                  - - {conv: 48, kernel: 1, bias: false}
                    - batch_norm
                    - relu6
                    - {conv: 48, kernel: 3, padding: 1, groups: 48, bias: false}
                    - batch_norm
                    - relu6
                    - {conv: 8, kernel: 1, bias: false}
                    - batch_norm
        layers:
          - {conv: 8, kernel: 3, stride: 2, padding: 1}
          - {inverted, repeat: 2}
          - concat: [[{conv: 8, kernel: 1}, relu], [{conv: 8, kernel: 3, padding: 1}, relu]]
          - {max_pool: 3, stride: 2, ceil_mode: true}
          - global_avg_pool
          - flatten
          - linear: 10
    """,
}


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        *(("lenet5", 1), ("vit_tiny", 1), ("vit_tiny", None), ("branches", None)),
        *(pytest.param(name, 1, marks=pytest.mark.slow) for name in ("squeezenet1_1", "mobilenet_v2")),
        *(pytest.param(name, None, marks=pytest.mark.slow) for name in ("squeezenet1_1", "mobilenet_v2")),
    ],
)
def test_own_exports(name, batch, tmp_path):
    from archcalc.runtime.export.onnx import onnx_model

    network = archcalc.loads(OWN[name]) if name in OWN else archcalc.load(name)
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_model(network, batch=batch))
    again = read_onnx(path)
    assert archcalc.analyze(again).totals.macs == archcalc.analyze(network).totals.macs
    assert again.inputs == network.inputs
    marks = Counter(layer.op.exactness for layer in again)
    assert not marks["opaque"]


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("bvlc_alexnet", 60_965_224, 654_560_384),
        ("densenet121", 8_062_504, 2_834_161_664),
        ("inception_v1", 6_998_552, 1_431_556_352),
        ("inception_v2", 11_214_888, 2_018_851_840),
        ("resnet50", 25_557_032, 4_089_184_256),
        ("shufflenet", 1_393_320, 124_664_528),
        ("squeezenet", 1_235_496, 349_151_936),
        ("vgg19", 143_667_240, 19_632_062_464),
        ("zfnet512", 87_250_536, 1_481_727_008),
    ],
)
def test_light_networks(name, params, macs):
    """Networks that ship with onnx, whose weights are outputs of `ConstantOfShape`."""
    network = read_onnx(LIGHT / f"light_{name}.onnx")
    assert [*network.inputs.values()] == [(3, 224, 224)]
    counted = archcalc.analyze(network).totals
    assert (counted.params, counted.macs) == (params, macs)
    assert not any(layer.op.exactness == "opaque" for layer in network)
    assert counted.params == stored_numbers(LIGHT / f"light_{name}.onnx")


def stored_numbers(path: Path) -> int:
    """The real numbers that a file stores and takes, without the statistics of batch normalization."""
    graph = onnx.load(path).graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    sizes = {name: list(one.dims) for name, one in values.items() if one.data_type == 1}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            sizes[node.output[0]] = onnx.numpy_helper.to_array(values[node.input[0]]).tolist()
    for node in graph.node:
        for name in node.input[3:] if node.op_type == "BatchNormalization" else ():
            sizes.pop(name, None)
    taken = {name for node in graph.node for name in node.input}
    return sum(torch.Size(one).numel() for name, one in sizes.items() if name in taken)
