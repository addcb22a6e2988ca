"""`archcalc verify`: what is right passes, and every kind of difference is found and named."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
import torch
from torch import nn

import archcalc
from archcalc.analysis import CONVENTIONS, costs
from archcalc.runtime import checks, flop_counter
from archcalc.runtime.checks import CHECKS, VerificationTarget, own_tensors
from archcalc.runtime.verify import Settings, verify

pytestmark = pytest.mark.usefixtures("brief_timing")
CPU = torch.device("cpu")
SMALL = """
name: small
input: [3, 16, 16]
layers:
  - {conv: 8, kernel: 3, padding: 1, name: conv}
  - {batch_norm, name: bn}
  - relu
  - add: [[{conv: 8, kernel: 1, name: one}], []]
  - global_avg_pool
  - flatten
  - {linear: 10, name: fc}
"""


def subject(text: str = SMALL) -> VerificationTarget:
    return VerificationTarget(archcalc.loads(text), CPU, torch.float32, 2)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_right_network_passes(check):
    applies = check.__name__ != "check_reference"  # this spec names none
    assert check(subject()).passed is (True if applies else None)


def test_a_wrong_shape_is_named():
    wrong = subject()
    wrong.module.conv = nn.Conv2d(3, 8, 3)
    wrong.module.one = nn.Conv2d(8, 8, 3, padding=1)
    check = checks.check_shapes(wrong)
    assert check.passed is False
    assert "conv: archcalc (8, 16, 16), torch (8, 14, 14)" in check.detail


def test_a_wrong_tensor_is_named():
    wrong = subject()
    wrong.module.fc = nn.Linear(8, 11)
    check = checks.check_tensors(wrong)
    assert check.passed is False
    assert "fc.weight: archcalc (10, 8), torch (11, 8)" in check.detail


@pytest.mark.parametrize(("check", "tool"), [(checks.check_fvcore, "fvcore"), (checks.check_torch, "torch")])
def test_a_wrong_count_is_named_with_its_layer(check, tool):
    wrong = subject()
    wrong.module.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False, groups=1)
    wrong.module.one = nn.Conv2d(8, 8, 1, groups=8)
    found = check(wrong)
    assert found.passed is False
    if tool == "torch":
        assert "one: archcalc 65,536, torch 8,192" in found.detail


ATTENTION = "{name: tokens, input: [5, 8], layers: [{linear: 8, name: fc}, {multi_head_attention, heads: 2}]}"


def test_a_counter_that_misses_attention_is_no_difference(cli, spec_file, monkeypatch):
    """Take the formulas of attention from torch's counter, as some versions lack them: verify says so, and passes."""
    from torch.utils import flop_counter as torchs

    without = {op: formula for op, formula in torchs.flop_registry.items() if "scaled_dot_product" not in str(op)}
    monkeypatch.setattr(torchs, "flop_registry", without)
    flop_counter.counts_attention.cache_clear()
    result = cli("verify", spec_file(ATTENTION), "--device", "cpu")
    flop_counter.counts_attention.cache_clear()
    version = torch.__version__.partition("+")[0]
    assert result.code == 0, result.out
    assert f"tokens: torch: does not count attention on this device ({version}); it was counted without" in result.out
    assert f"tokens: backward: does not count attention on this device ({version})\n" in result.out


def test_a_wrong_count_beside_attention_is_a_difference_with_any_counter():
    """5·8·8·(1 + 4) multiply-adds of projections and 2·5·5·8 of attention, of which torch does not see fc's."""
    wrong = subject(ATTENTION)
    wrong.module.fc = nn.Identity()
    check = checks.check_torch(wrong)
    assert check.passed is False
    assert "total: archcalc 8,000, torch 6,720" in check.detail


def test_a_convention_that_is_off_is_found(monkeypatch):
    """Break the table: the check sees it."""
    monkeypatch.setattr(
        costs, "_known_profile", costs._known_profile.__wrapped__
    )  # nothing remembered from the sound table
    monkeypatch.setitem(CONVENTIONS["fvcore"].table, "batch_norm", {"output": 1})
    assert "bn: archcalc" in checks.check_fvcore(subject()).detail


def test_the_reference_is_compared_by_tensors_and_output(tmp_path):
    good = VerificationTarget(archcalc.load("squeezenet1_1", input=(3, 64, 64)), CPU, torch.float32, 1)
    check = checks.check_reference(good)
    assert check.passed
    assert check.figures["relative_error"] <= 1e-10
    path = tmp_path / "wrong.yaml"
    path.write_text("extends: squeezenet1_1\nreplace: {classifier.1: {conv: 900, kernel: 1}}\n")
    wrong = checks.check_reference(VerificationTarget(archcalc.load(path, input=(3, 64, 64)), CPU, torch.float32, 1))
    assert wrong.passed is False
    assert "classifier.1.weight: archcalc (900, 512, 1, 1), torchvision:squeezenet1_1 (1000, 512, 1, 1)" in wrong.detail


def test_memory_and_time_are_measured_beside_the_prediction():
    (result,) = verify([archcalc.loads(SMALL)], Settings(CPU, batch=4))
    assert result.passed
    assert list(result.memory) == ["inference", "saved", "training"]
    for figures in result.memory.values():
        assert figures["predicted_bytes"] == figures["measured_bytes"] > 0
        assert (figures["ratio"], figures["batch"]) == (1, 4)
    assert result.timing["images_per_second"] > 0


@pytest.mark.parametrize("quantity", ["inference", "saved", "training"])
def test_memory_that_is_off_by_more_than_it_may_be_is_a_difference(quantity, cli, spec_file, monkeypatch):
    measures = {"inference": "inference_peak", "saved": "saved_bytes", "training": "measured_training_peak"}
    monkeypatch.setattr(f"archcalc.runtime.verify.{measures[quantity]}", lambda module, inputs: 4_000_000)
    result = cli("verify", spec_file(SMALL), "--device", "cpu")
    assert result.code == 1
    assert f"small: {quantity}: predicted " in result.out
    assert ", measured 4,000,000 B\n" in result.out


def test_a_network_without_weights_is_verified_too():
    text = "input: [3, 8, 8]\nlayers: [relu, {dropout: 0.5}, {max_pool: 2}]"
    (result,) = verify([archcalc.loads(text)], Settings(CPU))
    assert result.passed
    assert result.memory["training"]["ratio"] == 1


def test_training_that_needs_two_samples_or_does_not_fit_is_no_problem(monkeypatch):
    """Batch normalization of a vector asks for two samples; a training step takes more than a device may have."""
    text = SMALL + "  - {batch_norm, name: last}\n"
    (result,) = verify([archcalc.loads(text)], Settings(CPU))
    assert result.passed
    assert [figures["batch"] for figures in result.memory.values()] == [1, 2, 2]

    def too_much(module, inputs):
        raise torch.OutOfMemoryError

    monkeypatch.setattr("archcalc.runtime.verify.measured_training_peak", too_much)
    (result,) = verify([archcalc.loads(text)], Settings(CPU))
    assert result.passed
    assert result.memory["training"]["measured_bytes"] is None
    assert result.memory["training"]["predicted_bytes"] > 0
    assert result.timing


def test_a_network_that_cannot_run_does_not_stop_the_others(monkeypatch):
    def fail(subject):
        if subject.network.name == "bad":
            raise torch.OutOfMemoryError("no memory")
        return checks.Check("shapes", True)

    monkeypatch.setattr("archcalc.runtime.verify.CHECKS", (fail,))
    networks = [archcalc.loads(SMALL.replace("small", name)) for name in ("bad", "good")]
    bad, good = verify(networks, Settings(CPU))
    assert "out of memory at batch 1" in bad.problem
    assert not bad.passed
    assert good.passed


def test_a_network_whose_weights_do_not_fit_is_not_built(cli, spec_file, monkeypatch):
    """By hand: each parameter with 4 bytes each and 4 of their gradients; with a reference 4 and twice 8."""

    def build(network):
        raise AssertionError("it was built")

    params = 3 * 3 * 3 * 8 + 8 + 2 * 8 + 8 * 8 + 8 + 8 * 10 + 10
    small = "archcalc.runtime.verify.available_memory"
    monkeypatch.setattr("archcalc.runtime.checks.build_module", build)
    monkeypatch.setattr(small, lambda device: 8 * params - 1)
    result = cli("verify", spec_file(SMALL), "--device", "cpu")
    assert result.code == 1
    sentence = f"not built: its weights take {8 * params / 1024:.2f} KiB in verification, and"
    assert sentence in " ".join(result.out.split())
    assert "of memory are free" in " ".join(result.out.split())
    monkeypatch.setattr(small, lambda device: 20 * params - 1)
    (result,) = verify([archcalc.loads('reference: "torchvision:resnet18"\n' + SMALL)], Settings(CPU))
    assert "not built" in result.problem
    monkeypatch.setattr(small, lambda device: 8 * params)
    with pytest.raises(AssertionError, match="it was built"):
        list(verify([archcalc.loads(SMALL)], Settings(CPU)))


def test_the_command(cli, spec_file):
    path = spec_file(SMALL)
    result = cli("verify", path, "--device", "cpu", "--format", "json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert data["environment"]["device"] == "cpu"
    assert data["environment"]["fvcore"] == metadata.version("fvcore")
    assert [check["passed"] for check in data["networks"][0]["checks"]] == [True, True, True, True, True, None]
    text = cli("verify", path, "--device", "cpu")
    assert text.code == 0
    assert "1 network, 0 with differences" in text.out


def test_differences_exit_with_1(cli, spec_file, monkeypatch):
    monkeypatch.setattr(
        "archcalc.runtime.verify.CHECKS", (lambda subject: checks.Check("shapes", False, "conv: 1, 2"),)
    )
    result = cli("verify", spec_file(SMALL), "--device", "cpu")
    assert result.code == 1
    assert "small: shapes: conv: 1, 2" in result.out


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_no_cuda_is_said_clearly(cli):
    result = cli("verify", "alexnet", "--device", "cuda")
    assert result.code == 2
    assert "there is no CUDA device here" in result.err


@pytest.mark.cuda
def test_on_cuda(cli):
    result = cli("verify", "resnet18", "--device", "cuda", "--batch", "8", "--dtype", "bfloat16", "--channels-last")
    assert result.code == 0, result.out


def test_a_normalization_that_fvcore_does_not_count_is_no_difference():
    deep = """
name: deep
input: [2, 3, 4, 4]
layers:
  - {sliding_windows: 2}
  - {layer_norm, dims: 1, name: norm}
"""
    check = checks.check_fvcore(subject(deep))
    assert check.passed is None
    assert check.note == "fvcore counts no normalization of so many axes as norm has"


def test_a_module_under_two_names_has_its_tensors_once():
    """Those of the name that the network has, whichever comes first."""
    module = torch.nn.Module()
    module.first = module.second = torch.nn.Linear(2, 3)
    for name in ("first", "second"):
        assert [*own_tensors(module, {f"{name}.weight", f"{name}.bias"})] == [f"{name}.weight", f"{name}.bias"]
    assert [*own_tensors(module)] == ["first.weight", "first.bias"]
