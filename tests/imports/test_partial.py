"""Modules that PyTorch cannot export whole: what can be is exact, the rest is opaque, and all parameters are counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
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


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_backbone_neck_and_heads_of_a_detector_are_counted_exactly(name: str) -> None:
    model = detector(name)
    shape = image_shape(model)
    network = trace(model, torch.zeros(1, *shape))
    with torch.device("meta"):
        other = detector(name).to("meta")
        with FlopCounterMode(display=False) as counter:
            parts_of_detector(other, torch.zeros(1, *shape))
    totals = network.analyze().totals
    assert totals.macs == counter.get_total_flops() // 2
    assert totals.params == sum(parameter.numel() for parameter in model.parameters())
    assert not network.uncalled
    opaque = {layer.name for layer in network if layer.op.exactness == "opaque"}
    assert opaque == set(network.analyze().unknown_work)
    print(name, shape, totals.macs, totals.params, {one: network[one].output_shape for one in opaque})
    print([layer.name for layer in network if layer.op.exactness == "generic"], network.about.notes)
