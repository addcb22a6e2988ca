"""Detectors against torchvision's modules, without what follows the heads: the choice of boxes is no network."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.runtime.checks import VerificationTarget, check_reference
from archcalc.runtime.reference import reference_module


class Heads(nn.Module):
    """Backbone and heads of a detector of torchvision."""

    def __init__(self, reference):
        super().__init__()
        detector = reference_module(reference)
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, images):
        numbers = self.head(list(self.backbone(images).values()))
        return numbers["cls_logits"], numbers["bbox_regression"]


class Pyramid(nn.Module):
    """torchvision's backbone with a feature pyramid."""

    def __init__(self):
        super().__init__()
        build = torchvision.models.detection.backbone_utils.resnet_fpn_backbone
        whole = build(backbone_name="resnet50", weights=None, norm_layer=nn.BatchNorm2d)
        self.body, self.fpn = whole.body, whole.fpn

    def forward(self, images):
        return tuple(self.fpn(self.body(images)).values())


CASES = {
    "fpn_resnet50": (Pyramid, (3, 64, 96)),
    "retinanet_resnet50": (lambda: Heads("torchvision:retinanet_resnet50_fpn"), (3, 64, 96)),
    "ssd300_vgg16": (lambda: Heads("torchvision:ssd300_vgg16"), (3, 300, 300)),
}


def theirs(module):
    """torchvision's tensors; its scale of SSD's first map has a shape of its own."""
    tensors = module.state_dict()
    return {key: tensor.view(-1, 1, 1) if key.endswith("scale_weight") else tensor for key, tensor in tensors.items()}


@pytest.mark.parametrize("name", CASES)
def test_tensors_and_multiply_adds(name):
    make, _ = CASES[name]
    network = archcalc.load(name)
    with torch.device("meta"):
        module = make().eval()
    layers = [layer for layer in network.layers if layer.shares is None]
    own = {tensor: shape for layer in layers for tensor, shape in layer.tensors().items()}
    assert own == {key: tuple(tensor.shape) for key, tensor in theirs(module).items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(2, *network.inputs["input"], device="meta"))
    assert network.analyze(batch=2, convention="torch").totals.flops == counter.get_total_flops()


@pytest.mark.parametrize(
    "name", ["fpn_resnet50", "retinanet_resnet50", pytest.param("ssd300_vgg16", marks=pytest.mark.slow)]
)
def test_outputs(name):
    torch.manual_seed(0)
    make, size = CASES[name]
    reference = make().eval().double()
    module = archcalc.build(archcalc.load(name, input=size)).eval().double()
    module.load_state_dict(theirs(reference))
    images = torch.randn(1, *size, dtype=torch.float64)
    with torch.no_grad():
        for mine, expected in zip(module(images), reference(images), strict=True):
            scale = float(expected.abs().max())
            assert math.isfinite(scale)
            torch.testing.assert_close(mine, expected, rtol=0, atol=1e-10 * scale)


def test_ssd_is_as_published():
    """torchvision's `SSD300_VGG16_Weights.COCO_V1`: num_params 35,641,826 and _ops 34.858; the paper: 8,732 boxes."""
    published = torchvision.models.detection.SSD300_VGG16_Weights.COCO_V1.meta
    network = archcalc.load("ssd300_vgg16")
    totals = network.analyze().totals
    assert totals.params == published["num_params"] == 35_641_826
    assert round(network.analyze(convention="torch").totals.flops / 2e9, 3) == published["_ops"] == 34.858
    assert network["head.boxes"].output_shape == (8732, 4)


@pytest.fixture(scope="module")
def detr():
    """transformers' DETR, whose attention is products that torch's counter sees."""
    pytest.importorskip("transformers")
    return reference_module(archcalc.load("detr_resnet50").about.reference).eval()


def loaded_into_detr(module, reference, size):
    """Our module with the reference's weights, and with the sines of its positions."""
    tensors = dict(reference.state_dict())
    own = module.state_dict()
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    tables = {"model.positions.value", "model.nothing.value"}
    assert own.keys() - counters - tables == tensors.keys()
    height, width = (math.ceil(side / 32) for side in size[1:])
    sines = reference.model.position_embedding(torch.Size([1, 256, height, width]), device="cpu", dtype=torch.float64)
    tensors["model.positions.value"] = sines.flatten(2).transpose(1, 2)
    module.load_state_dict({**own, **tensors})
    return module


def test_verify_compares_the_tensors_of_detr(detr, monkeypatch):
    """Its sines and first tokens are computed there; a missing weight, or another shape, is a difference."""
    monkeypatch.setattr("archcalc.runtime.checks.reference_module", lambda name: detr)
    target = VerificationTarget(archcalc.load("detr_resnet50"), torch.device("cpu"), torch.float32, 1)
    check = check_reference(target)
    assert check.passed
    assert "computes model.positions.value, model.nothing.value" in check.note
    other = archcalc.load("detr_resnet50", classes=90)
    check = check_reference(VerificationTarget(other, torch.device("cpu"), torch.float32, 1))
    assert check.passed is False
    assert "class_labels_classifier.weight: archcalc (91, 256)" in check.detail


def test_detr_is_that_of_transformers(detr):
    """Its batch normalization is frozen: 53,120 weights and biases are buffers there."""
    size = (3, 64, 96)
    network = archcalc.load("detr_resnet50", input=size)
    frozen = sum(
        math.prod(shape)
        for layer in network.layers
        if layer.op.kind == "batch_norm"
        for shape in layer.op.weights().values()
    )
    params = sum(parameter.numel() for parameter in detr.parameters())
    assert (network.analyze().totals.params - frozen, frozen) == (params, 53_120)
    reference = detr.double()
    module = loaded_into_detr(archcalc.build(network).eval().double(), reference, size)
    images = torch.randn(2, *size, dtype=torch.float64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        expected = reference(images)
    assert network.analyze(batch=2, convention="torch").totals.flops == counter.get_total_flops()
    with torch.no_grad():
        scores, boxes = module(images)
    # transformers computes its mask, and from it the sines, in float32
    torch.testing.assert_close(scores, expected.logits, rtol=0, atol=1e-5 * float(expected.logits.abs().max()))
    torch.testing.assert_close(boxes, expected.pred_boxes, rtol=0, atol=1e-5)
