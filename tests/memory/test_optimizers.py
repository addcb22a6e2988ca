"""Optimizers' state, several passes, clipping and ZeRO: against torch.optim, autograd and published formulas."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.analysis import Counting, analyze
from archcalc.analysis.precision import parse_precision
from archcalc.errors import UserError
from archcalc.memory.optimizers import OPTIMIZERS, TrainingStep
from archcalc.memory.summary import memory
from archcalc.memory.training import training_peak
from archcalc.runtime.memory import _Tracker as tracked
from archcalc.runtime.memory import training_peak as measured_peak
from tests.memory.test_memory import subject_of

TEXT = "input: [3, 9, 9]\nlayers: [{conv: 6, kernel: 3}, batch_norm, relu, flatten, {linear: 5}]"
TORCH = {
    "sgd": lambda weights: torch.optim.SGD(weights, 0.1),
    "momentum": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adafactor": torch.optim.Adafactor,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("trained", [(), ("linear1",)])
def test_state_is_what_torch_optim_keeps(name, trained):
    """Its counter of steps, a number for each tensor, stays on the CPU and is not counted."""
    network = archcalc.freeze(archcalc.loads(TEXT), trained=trained)
    module = archcalc.build(network)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer = TORCH[name](weights)
    optimizer.step()
    kept = [value for state in optimizer.state.values() for key, value in state.items() if key != "step"]
    assert memory(network.analyze(), "training", name).state == sum(value.nbytes for value in kept if value is not None)


def test_states_that_torch_does_not_have():
    """Lion: one number per weight. 8-bit Adam: 2 bytes, 2 scales per 256, and float32 below 4,096 elements."""
    analysis = archcalc.loads("input: [128]\nlayers: [{linear: 64}]").analyze()
    assert memory(analysis, "training", "lion").state == 4 * (128 * 64 + 64)
    assert memory(analysis, "training", "adam8bit").state == 2 * (8192 + 4 * 32) + 8 * 64


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v3_small", "vit_b_32"])
def test_the_peak_of_a_later_pass_is_what_pytorch_holds(name):
    """The gradients of the passes before are there from the start."""
    side = 227 if name == "alexnet" else 64
    subject = subject_of(archcalc.load(name, input=(3, side, side)))
    module, inputs = subject.module, subject.inputs()
    module.train()
    module(*inputs).sum().backward()
    kept = [weight.grad for weight in module.parameters()]
    predicted = training_peak(subject.analyze(), TrainingStep("none", accumulate=2)).live_bytes
    assert predicted == measured_peak(module, inputs, kept) + sum(gradient.nbytes for gradient in kept)


@pytest.mark.parametrize(
    ("precision", "zero", "expected"),
    [
        ("mixed-float16", 0, 16.0),
        ("mixed-float16", 1, 4 + 12 / 64),
        ("mixed-float16", 2, 2 + 14 / 64),
        ("mixed-float16", 3, 16 / 64),
        ("mixed-bfloat16-kept", 0, 18.0),
        ("mixed-bfloat16,gradients=float32", 0, 18.0),
        ("bfloat16", 0, 8.0),
        ("weights=float32", 0, 16.0),
    ],
)
def test_bytes_per_parameter_are_the_published_ones(precision, zero, expected):
    """Rajbhandari et al., ZeRO, 2020, figure 1: 16Ψ, 4Ψ + 12Ψ/N, 2Ψ + 14Ψ/N, 16Ψ/N; Megatron-LM's 18."""
    network = archcalc.loads("input: [64]\nlayers: [{linear: 64, bias: false}]")
    analysis = analyze(network, Counting(precision=parse_precision(precision)))
    found = memory(analysis, "training", TrainingStep("adam", devices=64 if zero else 1, zero=zero))
    assert (found.persistent + found.gradients) / analysis.totals.params == expected


@pytest.mark.parametrize(("stage", "published"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_published_example_of_zero(stage, published):
    """Rajbhandari et al., ZeRO, 2020, figure 1: 7.5 billion parameters, mixed precision, Adam, 64 devices; GB."""
    network = archcalc.loads("input: [75_000]\nlayers: [{linear: 100_000, bias: false}]")
    analysis = analyze(network, Counting(precision=parse_precision("mixed-float16")))
    found = memory(analysis, "training", TrainingStep("adam", devices=64 if stage else 1, zero=stage))
    assert round((found.persistent + found.gradients) / 1e9, 1) == published


def test_clipping_needs_a_number_for_each_tensor():
    """The norms, their stack, and the whole norm, as `clip_grad_norm_` makes them."""
    module = archcalc.build(archcalc.loads(TEXT))
    gradients = []
    for weight in module.parameters():
        weight.grad = torch.ones_like(weight)
        gradients.append(weight.grad)
    with tracked([*module.parameters(), *gradients]) as tracker:
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    analysis = archcalc.loads(TEXT).analyze()
    clipped, plain = (
        memory(analysis, "training", TrainingStep("sgd", clip=clip)).timeline[-1] for clip in (True, False)
    )
    assert clipped.live_bytes - plain.live_bytes == tracker.peak


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "adm"}, "unknown optimizer 'adm'"),
        ({"zero": 3}, "say how many with --devices"),
        ({"zero": 4, "devices": 2}, "stages 1 to 3"),
        ({"accumulate": 0}, "at least 1 pass"),
    ],
)
def test_settings_that_do_not_fit(given, message):
    with pytest.raises(UserError, match=message):
        TrainingStep(**given)


def test_every_optimizer_has_a_source():
    assert all(rule.source for name, rule in OPTIMIZERS.items() if name != "none")
