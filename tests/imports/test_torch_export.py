"""A traced module against the module itself: parameters, multiply-adds, names and outputs."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize, softmax
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.errors import UserError
from archcalc.imports.torch_export import trace
from archcalc.network import Network

F = nn.functional


def multiply_adds(module: nn.Module, *inputs: Tensor) -> int:
    """What PyTorch's counter counts, for one sample; without its fused attention, which it does not count."""
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module.eval()(*inputs)
    return counter.get_total_flops() // 2


def outputs(network: Network, module: nn.Module, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The module's output, and that of the module that is built of the network with the same weights."""
    built = archcalc.build(network)
    theirs = {**module.state_dict(), **dict(module.named_buffers())}
    tensors = {name: network.reference_name(name) for name in built.state_dict()}
    built.load_state_dict({name: theirs.get(known, built.state_dict()[name]) for name, known in tensors.items()})
    with torch.no_grad():
        copies = [one.clone() for one in inputs]  # some modules write to what they take
        return module.double().eval()(*copies), built.double().eval()(*inputs)


def equal(module: nn.Module, *sizes: int) -> Network:
    """Trace a module of images, and state that all of it is as the module has it."""
    torch.manual_seed(0)
    network = trace(module, torch.zeros(1, *sizes))
    totals = network.analyze().totals
    assert totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert totals.macs == multiply_adds(module, torch.zeros(1, *sizes))
    theirs, ours = outputs(network, module, torch.randn(3, *sizes, dtype=torch.float64))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    return network


def kinds(network: Network) -> list[str]:
    return [layer.op.kind for layer in network]


class Block(nn.Module):
    """A residual block whose ReLU is called twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.bn1(self.conv1(x)))) + x)


def test_layers_have_the_paths_of_their_modules():
    network = equal(nn.Sequential(nn.Conv2d(3, 8, 3), Block(8), nn.Flatten(), nn.Linear(8 * 36, 5)), 3, 8, 8)
    assert [layer.name for layer in network] == [
        *("0", "1.conv1", "1.bn1", "1.relu", "1.conv2", "1.add1", "1.relu_2", "2", "3"),
    ]
    assert set(network.groups) == {"1"}
    assert not network.renames


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1"])
def test_torchvision(name):
    network = equal(torchvision.models.get_model(name, weights=None), 3, 64, 64)
    assert {layer.op.exactness for layer in network} == {"exact"}


def test_windows_in_the_batch():
    """Swin folds its windows into the batch, and pads and masks them."""
    model = torchvision.models.swin_transformer.SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=7)
    network = equal(model, 3, 40, 40)
    assert "generic" not in kinds(network)


def test_attention_is_one_layer():
    model = torchvision.models.VisionTransformer(32, 8, 2, 3, 24, 48, num_classes=7)
    network = equal(model, 3, 32, 32)
    assert kinds(network).count("multi_head_attention") == 2
    assert "matmul" not in kinds(network)
    assert kinds(network).count("class_token") == 1
    assert "parameter" not in kinds(network)


class Cross(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, **options)
        self.memory = nn.Parameter(torch.randn(1, 4, 12))

    def forward(self, x: Tensor) -> Tensor:
        memory = self.memory.expand(x.shape[0], -1, -1)
        return self.attention(x, memory, memory, need_weights=False)[0]


def test_attention_to_a_trained_tensor():
    network = equal(Cross(batch_first=True), 5, 12)
    assert kinds(network).count("multi_head_attention") == 1


class Written(nn.Module):
    """Writes to a part of a tensor that it reads again."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 1.0
        y[:, :2] = 0
        return y * 2


def test_what_is_written_to_a_view_is_not_lost():
    network = trace(Written(), torch.zeros(1, 5))
    theirs, ours = outputs(network, Written(), torch.randn(3, 5, dtype=torch.float64))
    assert torch.equal(theirs, ours)
    assert theirs[:, :2].abs().sum() == 0


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x + 1
        y.relu_()
        return y * 3


def test_a_tensor_written_in_place_is_the_new_one():
    network = equal(InPlace(), 5)
    assert kinds(network) == ["offset", "relu", "scale"]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embed(tokens))


def test_tied_weights_are_one_tensor():
    network = trace(Tied(), torch.zeros(1, 7, dtype=torch.int64))
    assert network.analyze().totals.params == 66
    assert network["head"].ties == {"weight": ("embed", "weight")}
    assert network.indices == {"input"}


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x))


def test_a_module_that_is_called_twice_has_its_weights_once():
    network = equal(Twice(), 4, 6, 6)
    assert [(layer.name, layer.shares) for layer in network] == [("conv", None), ("conv_2", "conv")]


class Table(nn.Module):
    """Adds a table that is computed of trained numbers, as relative positions are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, 3))
        self.project = nn.Linear(3, 5)
        self.register_buffer("index", torch.arange(6) % 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.table)[self.index]


@pytest.mark.parametrize("batch", [1, 8])
def test_work_on_weights_alone_is_done_once_for_a_batch(batch):
    network = equal(Table(), 6, 5)
    assert kinds(network) == ["computed", "add"]
    assert network.analyze(batch=batch).totals.macs == 7 * 3 * 5


class Folded(nn.Module):
    """Normalizes rows that are folded into the batch: the channels are the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 9)
        self.norm = nn.BatchNorm1d(9)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return self.norm(y.flatten(0, 1)).reshape_as(y)


def test_normalization_over_rows_in_the_batch():
    network = equal(Folded(), 5, 4)
    assert network.analyze().totals.params == 4 * 9 + 9 + 18


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(x, 1).atan2(x)


def test_what_has_no_operator_is_generic():
    network = trace(Unknown(), torch.zeros(1, 6))
    assert [(layer.name, layer.op.operation) for layer in network] == [("cumsum1", "cumsum"), ("atan21", "atan2")]
    assert {layer.op.exactness for layer in network} == {"generic"}
    theirs, ours = outputs(network, Unknown(), torch.randn(3, 6, dtype=torch.float64))
    assert torch.equal(theirs, ours)


class Recurrent(nn.Module):
    def __init__(self, layers: int = 1, **options) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 6)
        self.lstm = nn.LSTM(6, 5, layers, batch_first=True, **options)
        self.head = nn.Linear(5 * (1 + self.lstm.bidirectional), 3)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.lstm(self.embed(tokens))
        return self.head(states[:, -1])


@pytest.mark.parametrize("options", [{}, {"layers": 2, "bidirectional": True}, {"proj_size": 0, "bias": False}])
def test_lstm(options):
    module = Recurrent(**options)
    network = trace(module, torch.zeros(1, 9, dtype=torch.int64))
    assert kinds(network) == ["embedding", "lstm", "select", "linear"]
    assert network.analyze().totals.params == sum(parameter.numel() for parameter in module.parameters())


class Pair(nn.Module):
    def forward(self, image: Tensor, depth: Tensor) -> dict[str, Tensor]:
        return {"sum": image + depth, "difference": image - depth}


def test_several_inputs_and_outputs_have_their_names():
    network = trace(Pair(), torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    assert network.inputs == {"image": (3, 4, 4), "depth": (3, 4, 4)}
    assert network.outputs == ("add1", "sub1")


class Deciding(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum() > 0 else x


def test_what_depends_on_the_numbers_is_refused():
    with pytest.raises(UserError, match="PyTorch cannot export Deciding"):
        trace(Deciding(), torch.zeros(1, 3))


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(3)).train()
    module[1].eval()
    trace(module, torch.zeros(1, 3))
    assert [part.training for part in module.modules()] == [True, True, False]


class Normalized(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return normalize(softmax(x.mean((-2, -1)), -1).clamp(0.1, 0.9))


def test_functions():
    assert "generic" not in kinds(equal(Normalized(), 4, 5, 6))


class Shifted(nn.Module):
    """Pads one side and cuts the other: the sizes stay, the numbers move."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, (1, -1))


def test_a_padding_that_keeps_the_sizes_is_not_left_out():
    assert kinds(equal(Shifted(), 3, 4, 5)) == ["pad"]
