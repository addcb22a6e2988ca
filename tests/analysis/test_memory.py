"""Memory of inference and of training: against what PyTorch really holds, tensor by tensor, to the byte."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.analysis.liveness import peak, timeline
from archcalc.analysis.training import saved_activations, training_memory
from archcalc.runtime.checks import Subject
from archcalc.runtime.memory import inference_peak, saved_bytes

SMALL = {
    "alexnet": (3, 227, 227),
    "resnet18": (3, 64, 64),
    "densenet121": (3, 64, 64),
    "mobilenet_v3_small": (3, 64, 64),
    "shufflenet_v2_x0_5": (3, 64, 64),
    "se_resnet50": (3, 64, 64),
    "efficientnet_b0": (3, 64, 64),
    "convnext_tiny": (3, 64, 64),
    "resnet110_sd": (3, 32, 32),
    "vgg11_bn": (3, 64, 64),
}


@pytest.fixture(params=SMALL)
def subject(request) -> Subject:
    return Subject(archcalc.load(request.param, input=SMALL[request.param]), torch.device("cpu"), torch.float32, 2)


def test_the_peak_of_inference_is_what_pytorch_holds(subject):
    assert peak(subject.analyze()).live_bytes == inference_peak(subject.module, subject.inputs())


def test_saved_activations_are_what_autograd_saves(subject):
    assert training_memory(subject.analyze()).saved == saved_bytes(subject.module, subject.inputs())


def alive(analysis) -> list[str]:
    """Whose tensors are there at the peak."""
    return [one.piece.layer for one in peak(analysis).alive]


def test_a_residual_keeps_its_input_alive():
    text = "input: [4, 8]\nlayers:\n  - add: [[{conv: 4, kernel: 1, name: a}, {conv: 4, kernel: 1, name: b}], []]\n"
    analysis = archcalc.loads(text).analyze()
    assert alive(analysis) == ["input", "a", "b"]
    assert [moment.live_bytes for moment in timeline(analysis)] == [256, 384, 384]


def test_views_take_no_memory():
    text = "input: [4, 8]\nlayers: [{conv: 4, kernel: 1, name: a}, {flatten, name: f}, {linear: 2, name: fc}]\n"
    analysis = archcalc.loads(text).analyze()
    assert [moment.live_bytes for moment in timeline(analysis)] == [256, 256, 256 + 8]
    assert alive(analysis) == ["input", "a", "fc"]


def test_the_optimizers_state_is_counted_by_what_it_keeps():
    analysis = archcalc.load("lenet5").analyze()
    weights = 4 * 61706
    assert training_memory(analysis, "adam")[:3] == (weights, weights, 2 * weights)
    assert training_memory(analysis, "momentum").optimizer == weights
    assert training_memory(analysis).total == 2 * weights + sum(one.saved_bytes for one in saved_activations(analysis))
