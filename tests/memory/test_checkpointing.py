"""Blocks to recompute, against every possible choice and against `torch.utils.checkpoint`."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.memory import checkpointing
from archcalc.memory.checkpointing import CheckpointPlan, Segment, blocks_of, choose
from archcalc.memory.training import saved_tensor_bytes, training_peak
from archcalc.runtime.checks import VerificationTarget
from archcalc.runtime.memory import saved_bytes
from archcalc.runtime.memory import training_peak as training_peak_measured
from tests.memory.recomputing import build_checkpointed

# Blocks whose tensors others take: the first's output is read by all later ones.
ENTANGLED = """
name: entangled
input: [3, 32, 32]
blocks:
  grow:
    params: {width: 8}
    layers:
      - concat:
          - []
          - [{conv: 4 * width, kernel: 1}, {batch_norm}, relu, {conv: width, kernel: 3, padding: 1}]
      - relu
  shrink:
    params: {width: 8}
    layers: [{conv: width, kernel: 3, stride: 2, padding: 1}, silu]
layers:
  - {conv: 16, kernel: 3, padding: 1, name: stem}
  - {grow: 4, name: a}
  - add:
      - [{grow: 8, name: b}, {conv: 20, kernel: 1, name: narrow}, {shrink: 12, name: c}]
      - [{from: a, shrink: 12, name: d}]
  - {grow: 6, name: e}
  - {grow: 6, name: f}
  - global_avg_pool
  - flatten
  - {linear: 10, name: fc}
"""


pytestmark = pytest.mark.usefixtures("one_thread")


def of_network(name: str, size: int, batch: int):
    return archcalc.load(name, input=(3, size, size)).analyze(batch=batch)


CASES = {
    "resnet18": lambda: of_network("resnet18", 128, 16),
    "squeezenet1_1": lambda: of_network("squeezenet1_1", 64, 8),
    "entangled": lambda: archcalc.loads(ENTANGLED).analyze(batch=64),
}


def all_choices(analysis) -> list[tuple[int, int]]:
    """Peak and repeated MACs of every choice of blocks, from a simulation of each."""
    blocks = blocks_of(analysis.network)
    rows = analysis.rows
    result = []
    for count in range(len(blocks) + 1):
        for some in combinations(blocks, count):
            ranges = [block.layers for block in some]
            peak = training_peak(analysis, "none", ranges).live_bytes
            result.append((peak, sum(checkpointing.repeated_macs(rows, layers) for layers in ranges)))
    return result


@pytest.mark.parametrize(
    "case", [pytest.param(one, marks=pytest.mark.slow) if one == "squeezenet1_1" else one for one in CASES]
)
def test_no_choice_within_the_budget_repeats_less(case):
    analysis = CASES[case]()
    choices = all_choices(analysis)
    standing = choose(analysis, 10**15, "none").without.persistent
    peaks = sorted({peak for peak, _ in choices})
    for target in peaks[:: max(len(peaks) // 12, 1)]:
        plan = choose(analysis, standing + target, "none")
        assert plan.fits
        assert plan.above_least == 0
        assert plan.macs == min(macs for peak, macs in choices if peak <= target)
        assert plan.live_peak.live_bytes <= target
    beyond = choose(analysis, standing + peaks[0] - 1, "none")
    assert not beyond.fits
    assert beyond.least == standing + peaks[0]


def test_thinning_says_how_far_from_the_least_it_may_be(monkeypatch):
    analysis = of_network("mobilenet_v2", 96, 16)
    full = choose(analysis, 10**15)
    exact = choose(analysis, full.peak * 55 // 100)
    monkeypatch.setattr(checkpointing, "MAX_STATES", 4)
    thinned = choose(analysis, full.peak * 55 // 100)
    assert thinned.fits
    assert exact.macs <= thinned.macs <= exact.macs + thinned.above_least
    assert thinned.above_least > exact.above_least == 0


def measured_macs(module, inputs) -> int:
    """MACs of a forward and a backward pass, as torch counts them: 2 operations for each."""
    with FlopCounterMode(display=False) as counter:
        output = module(*inputs)
        output.backward(torch.ones_like(output))
    return counter.get_total_flops() // 2


SLOW = [
    pytest.param(*case, marks=pytest.mark.slow)
    for case in (("densenet121", 32), ("googlenet", 75), ("shufflenet_v2_x1_0", 64), ("nasnet_a_large", 96))
]


@pytest.mark.parametrize(("name", "size"), [("resnet18", 64), ("mobilenet_v2", 32), *SLOW])
def test_torch_saves_and_repeats_what_is_said(name, size):
    """The plan's blocks under `torch.utils.checkpoint`, for a budget halfway down to the lowest peak."""
    subject = VerificationTarget(of_network(name, size, 1).network, torch.device("cpu"), torch.float32, 4)
    analysis = subject.analyze()
    nothing = choose(analysis, 1, "none")
    plan = choose(analysis, (nothing.peak + nothing.least) // 2, "none")
    assert plan.fits
    assert plan.blocks
    module = build_checkpointed(analysis.network, plan.ranges)
    assert saved_bytes(module, subject.inputs()) == plan.saved
    assert training_peak_measured(module, subject.inputs()) == plan.live_peak.live_bytes
    plain = measured_macs(subject.module.train(), subject.inputs())
    assert measured_macs(module.train(), subject.inputs()) - plain == plan.macs


@pytest.mark.parametrize("trained", [["layer4", "fc"], ["*.conv2", "fc"]])
def test_frozen_blocks_are_not_repeated(trained):
    """A block before the first trained layer has no backward pass, so that PyTorch does not compute it again."""
    network = archcalc.freeze(of_network("resnet18", 64, 1).network, trained=trained)
    subject = VerificationTarget(network, torch.device("cpu"), torch.float32, 4)
    blocks = checkpointing.recomputable(subject.analyze())
    assert len(blocks) == (2 if "layer4" in trained else 8)
    ranges = [block.layers for block in blocks]
    module = build_checkpointed(network, ranges)
    assert saved_bytes(module, subject.inputs()) == checkpointing.saved_tensor_bytes(subject.analyze(), ranges)
    assert (
        training_peak_measured(module, subject.inputs()) == training_peak(subject.analyze(), "none", ranges).live_bytes
    )
    plain = measured_macs(subject.module.train(), subject.inputs())
    repeated = sum(checkpointing.repeated_macs(subject.analyze().rows, layers) for layers in ranges)
    assert measured_macs(module.train(), subject.inputs()) - plain == repeated


def test_a_last_convolution_is_not_computed_again():
    """A last layer that saves only its inputs is not recomputed: PyTorch stops before it."""
    text = """
input: [3, 16, 16]
blocks:
  two: {layers: [{conv: 8, kernel: 3, padding: 1}, silu, {conv: 4, kernel: 3, padding: 1}]}
layers: [{conv: 6, kernel: 1, name: stem}, {two, name: a}, {two, name: b}, global_avg_pool, flatten, {linear: 3}]
"""
    network = archcalc.loads(text)
    ranges = [block.layers for block in blocks_of(network)]
    repeated = sum(checkpointing.repeated_macs(network.analyze().rows, layers) for layers in ranges)
    assert repeated == 16 * 16 * 9 * (6 * 8 + 4 * 8)
    subject = VerificationTarget(network, torch.device("cpu"), torch.float32, 1)
    plain = measured_macs(subject.module.train(), subject.inputs())
    assert measured_macs(build_checkpointed(network, ranges).train(), subject.inputs()) - plain == repeated


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_torch_saves_and_repeats_what_is_said_of_attention(name):
    """Every third block: at a small input, memory is nearly all weights, and few choices differ."""
    subject = VerificationTarget(of_network(name, 64, 1).network, torch.device("cpu"), torch.float32, 4)
    analysis = subject.analyze()
    ranges = tuple(block.layers for block in blocks_of(analysis.network)[::3])
    module = build_checkpointed(analysis.network, ranges)
    saved = saved_tensor_bytes(analysis, ranges)
    assert saved_bytes(module, subject.inputs()) == saved
    plain = measured_macs(subject.module.train(), subject.inputs())
    repeated = sum(checkpointing.repeated_macs(analysis.rows, layers) for layers in ranges)
    assert measured_macs(module.train(), subject.inputs()) - plain == repeated


def names(network) -> list[str]:
    return [block.name for block in blocks_of(network)]


def test_blocks_are_the_outermost_ones():
    assert names(archcalc.load("resnet18")) == [f"layer{stage}.{at}" for stage in range(1, 5) for at in range(2)]
    assert names(archcalc.load("googlenet")) == [
        *(f"inception{one}" for one in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"))
    ]


def test_a_stage_is_taken_apart():
    found = names(archcalc.load("regnet_y_400mf"))
    assert "trunk_output.block1.block1-0" in found
    assert "trunk_output.block1" not in found


def test_a_network_without_blocks_is_refused():
    with pytest.raises(ValueError, match="alexnet has no blocks"):
        choose(archcalc.load("alexnet").analyze(batch=64), 10**8)


def test_what_fits_needs_nothing():
    plan = choose(of_network("resnet18", 64, 1), 10**10)
    assert isinstance(plan, CheckpointPlan)
    assert (plan.blocks, plan.macs, plan.fits) == ((), 0, True)
    assert plan.peak == plan.without.peak


def test_a_block_knows_its_layers():
    analysis = of_network("resnet18", 64, 1)
    block = blocks_of(analysis.network)[0]
    assert isinstance(block, Segment)
    assert all(analysis.rows[at].name.startswith("layer1.0.") for at in block.layers)
