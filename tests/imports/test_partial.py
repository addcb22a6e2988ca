"""Modules that PyTorch cannot export whole: their parts are exact, what is left out is opaque, all is counted."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model

import archcalc
from archcalc.errors import UserError
from archcalc.imports.detectors import image_shape
from archcalc.imports.torch_export import trace
from archcalc.network import Network


def parts_of_detector(model: Any, x: Tensor) -> None:
    """Run the backbone, and the heads with as many boxes as a model of torchvision may keep."""
    features = model.backbone(x)
    maps = list(features.values())
    if hasattr(model, "head"):
        model.head(maps)
        return
    model.rpn.head(maps)
    heads = model.roi_heads
    channels = maps[0].shape[1]
    heads.box_predictor(heads.box_head(torch.zeros(model.rpn.post_nms_top_n(), channels, 7, 7, device=x.device)))
    for kind in ("mask", "keypoint"):
        head = getattr(heads, f"{kind}_head", None)
        if head is not None:
            predictor = getattr(heads, f"{kind}_predictor")
            predictor(head(torch.zeros(heads.detections_per_img, channels, 14, 14, device=x.device)))


def detector(name: str) -> Any:
    return get_model(name, weights=None, weights_backbone=None).eval()


FAST = ["retinanet_resnet50_fpn", "fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"]
OTHERS = [
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn_v2",
    "ssd300_vgg16",
]


@lru_cache(maxsize=3)
def traced(name: str) -> tuple[Any, Network]:
    """A detector, and its network for the size that it scales images to."""
    model = detector(name)
    return model, trace(model, torch.zeros(1, *image_shape(model)))


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_backbone_neck_and_heads_of_a_detector_are_counted_exactly(name: str) -> None:
    model, network = traced(name)
    shape = image_shape(model)
    with torch.device("meta"):
        other = detector(name).to("meta")
        with FlopCounterMode(display=False) as counter:
            parts_of_detector(other, torch.zeros(1, *shape))
    totals = network.analyze().totals
    assert totals.macs == counter.get_total_flops() // 2
    assert totals.params == sum(parameter.numel() for parameter in model.parameters())
    assert not network.uncalled
    opaque = {layer.name: layer.output_shape for layer in network if layer.op.exactness == "opaque"}
    assert list(opaque) == list(network.analyze().unknown_work)
    assert all(shape[0] == rows_of(model, layer) for layer, shape in opaque.items())
    assert "The input is the scaled image" in network.about.notes


def rows_of(model: Any, layer: str) -> int:
    """How many boxes a model of torchvision lets pass."""
    if layer in ("rpn.filter_proposals", "roi_heads.box_roi_pool"):
        return int(model.rpn.post_nms_top_n())
    return int(getattr(model, "roi_heads", model).detections_per_img)


def opaque(network: Network) -> list[str]:
    return [layer.name for layer in network if layer.op.exactness == "opaque"]


def test_a_detector_is_as_the_bundled_spec_has_it() -> None:
    model, network = traced("retinanet_resnet50_fpn")
    spec = archcalc.load("retinanet_resnet50", input=image_shape(model))
    ours, theirs = network.analyze().totals, spec.analyze().totals
    assert (ours.macs, ours.params) == (theirs.macs, theirs.params)


def test_the_places_of_what_is_left_out() -> None:
    _, network = traced("fasterrcnn_mobilenet_v3_large_320_fpn")
    assert opaque(network) == ["rpn.filter_proposals", "roi_heads.box_roi_pool", "roi_heads.postprocess_detections"]
    assert network["roi_heads.box_roi_pool"].output_shape == (150, 256, 7, 7)
    assert network["roi_heads.box_head.fc6"].op.kind == "linear"
    assert network["roi_heads.box_head.fc6"].output_shape == (150, 1024)
    assert network["rpn.anchor_generator.computed"].op.kind == "computed"
    assert set(network["roi_heads.box_roi_pool"].inputs) == {
        "rpn.filter_proposals",
        "backbone.fpn.layer_blocks.0.0",
        "backbone.fpn.layer_blocks.1.0",
    }
    assert "150 from rpn.filter_proposals" in network.about.notes
    assert "nonzero in filter_proposals" in network.about.notes


def test_a_detector_is_left_as_it_was() -> None:
    model = detector("ssdlite320_mobilenet_v3_large").train()
    before = {path: dict(vars(part)) for path, part in model.named_modules()}
    trace(model, torch.zeros(1, 3, 320, 320))
    assert {path: dict(vars(part)) for path, part in model.named_modules()}.keys() == before.keys()
    assert all("forward" not in vars(part) for part in model.modules())
    assert "postprocess" not in vars(model.transform)
    assert model.training


class Gate(nn.Module):
    """Its numbers decide what it does, and it calls no module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        if x.mean() >= 0:
            x = functional.linear(x, self.linear.weight, self.linear.bias)
        return x * self.scale


class Gated(nn.Module):
    """A gate between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = Gate(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv(x)).mean((2, 3))
        return self.head(self.gate(x))  # type: ignore[no-any-return]


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_one_submodule_that_cannot_be_exported_is_opaque_with_its_parameters() -> None:
    module = Gated()
    network = trace(module, torch.zeros(2, 3, 8, 8))
    assert [layer.name for layer in network] == ["conv", "relu1", "mean1", "gate", "head"]
    assert opaque(network) == ["gate"]
    assert network["gate"].output_shape == (8,)
    assert sum(map(archcalc.arithmetic.product, network["gate"].op.weights().values())) == parameters(module.gate)
    totals = network.analyze().totals
    assert totals.params == parameters(module)
    assert totals.macs == 64 * 8 * 27 + 8 * 5
    assert not network.uncalled
    assert "gate (item)" in network.about.notes


class Choice(nn.Module):
    """Its numbers decide which module it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.a = nn.Conv2d(8, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 5, padding=2)
        self.fc = nn.Linear(8 * 64, 5)

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.stem(x)
        y = self.b(x) if x.abs().sum() < 0 else self.a(x)
        x += y
        x = functional.max_pool2d(functional.relu(x, inplace=True), 2).flatten(1)
        return {"out": self.fc(x), "number": 3}


def test_what_a_module_does_itself_is_exact_where_no_number_decides_it() -> None:
    module = Choice()
    network = trace(module, torch.zeros(1, 3, 16, 16))
    kinds = ["conv", "conv", "add", "relu", "max_pool", "reshape", "linear", "opaque"]
    assert [layer.op.kind for layer in network] == kinds
    assert network["add1"].inputs == ("stem", "a")
    assert opaque(network) == ["decided"]  # which of the modules is called
    totals = network.analyze().totals
    assert totals.params == parameters(module)  # with those of the module that was not called
    assert totals.macs == 256 * 8 * (27 + 72) + 8 * 64 * 5


class Filtered(nn.Module):
    """A layer whose number of rows depends on numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.second(y[y[:, 0] > -1e9])  # type: ignore[no-any-return]


class Foreign(nn.Module):
    """What PyTorch does not compute itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.from_numpy(self.first(x).detach().numpy() + 1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Filtered, Foreign])
def test_sizes_that_depend_on_numbers_and_other_libraries(kind: type[nn.Module]) -> None:
    network = trace(kind(), torch.zeros(3, 4))
    assert [layer.name for layer in network] == ["first", "decided", "second"]
    assert network.analyze().totals.macs == 16 + 24


class Twice(nn.Module):
    """A block that is called twice, whose numbers decide what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Block()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A residual block with a switch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) * int(x.sum() > 0)  # type: ignore[no-any-return]


def test_a_block_that_is_called_twice_has_its_parameters_once() -> None:
    module = Twice()
    network = trace(module, torch.zeros(1, 3, 8, 8))
    totals = network.analyze().totals
    assert (totals.params, totals.macs) == (parameters(module), 2 * 9 * 64)
    assert opaque(network) == ["inner.decided", "inner.decided_2"]


class Nothing(nn.Module):
    """There is no part of it that can be exported."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


def test_a_module_of_which_nothing_can_be_exported_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="PyTorch cannot export Nothing: "):
        trace(Nothing(), torch.zeros(1, 3))


def test_a_module_that_cannot_be_run_is_refused_with_the_reason_of_the_export() -> None:
    with pytest.raises(UserError, match="PyTorch cannot export Gated: "):
        trace(Gated(), torch.zeros(1, 4, 8, 8))
    with pytest.raises(UserError, match="PyTorch cannot export Gated: "):
        trace(Gated().to("meta"), torch.zeros(1, 3, 8, 8, device="meta"))


class Frames(nn.Module):
    """Frames that are folded into the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(x.flatten(0, 1)))
        return y.mean((2, 3)).view(*x.shape[:2], 8).mean(1)  # type: ignore[no-any-return]


def test_layers_over_rows_that_are_folded_into_the_batch_keep_their_weights() -> None:
    module = Frames().eval().double()
    network = trace(module, torch.zeros(1, 4, 3, 8, 8, dtype=torch.float64))
    assert [layer.name for layer in network] == ["conv", "bn", "mean1", "mean2"]
    assert network["conv"].op.work() == {"mac": 4 * 36 * 8 * 27, "add": 4 * 36 * 8}
    built = archcalc.build(network).double().eval()
    built.load_state_dict({name: module.state_dict()[name] for name in built.state_dict()})
    x = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(built(x), module(x), rtol=1e-10, atol=1e-10)
