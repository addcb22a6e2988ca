"""The options of training, deployment and generation, and `archcalc time`."""

from __future__ import annotations

import json
import shlex

import pytest

import archcalc
from archcalc.memory.optimizers import TrainingStep
from archcalc.memory.summary import memory


def test_patterns_freeze_layers_of_any_command(cli):
    """1,024,000 FLOPs for the weight of fc, as FlopCounterMode counts; 513,000 parameters."""
    found = cli("table", "resnet18", "--train", "fc", "--convention", "torch", "--format", "json")
    totals = json.loads(found.out)["totals"]
    assert (totals["backward_flops"], totals["trained_params"]) == (1_024_000, 513_000)
    frozen = [layer for layer in json.loads(found.out)["layers"] if layer.get("trainable") is False]
    assert len(frozen) == 40


def test_adapters_on_the_command_line(cli):
    found = cli("table", "resnet18", "--lora", "4", "--on", "fc", "--format", "json")
    assert json.loads(found.out)["totals"]["trained_params"] == 4 * (512 + 1000)
    refused = cli("table", "resnet18", "--lora", "4")
    assert refused.code == 2
    assert "--lora and --on belong together" in refused.err


def test_a_pattern_without_layers_is_a_mistake(cli):
    refused = cli("memory", "resnet18", "--freeze", "layer7")
    assert refused.code == 2
    assert "'layer7'" in refused.err


def test_a_step_on_the_command_line(cli):
    given = ("--optimizer", "adamw", "--accumulate", "2", "--clip", "--devices", "4", "--zero", "2")
    found = json.loads(cli("memory", "lenet5", "--mode", "training", *given, "--format", "json").out)
    step = TrainingStep("adamw", 2, True, 4, 2)
    assert found == memory(archcalc.load("lenet5").analyze(), "training", step).to_dict()
    assert found["step"] == {"optimizer": "adamw", "accumulate": 2, "clip": True, "devices": 4, "zero": 2}


def test_types_by_role_on_the_command_line(cli):
    found = json.loads(
        cli("memory", "lenet5", "--mode", "training", "--precision", "mixed-float16,cache=int8", "--format", "json").out
    )
    assert found["weights_bytes"] == 2 * 61_706
    assert found["master_bytes"] == 4 * 61_706
    assert found["precision"]["cache"] == "int8"
    assert found["dtype"] == "mixed-float16,cache=int8"


def test_generation(cli):
    given = ("--decode", "--context", "8192", "--dtype", "bfloat16", "--device", "h100", "--format", "json")
    found = json.loads(cli("memory", "llama3_8b", *given).out)
    assert found["cache_bytes"] == 2**30
    moved = found["token"]["moved_bytes"]
    assert found["token"]["seconds_at_least"] == pytest.approx(moved / 3.35e12)
    assert found["token"]["bound"] == "memory"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("memory resnet18 --context 5", "are for --decode"),
        ("memory llama3_8b --decode", "write: --context 8192"),
        ("memory resnet18 --decode --context 5", "whose only input is tokens"),
        ("memory bert_base --decode --context 5", "no attention that is causal"),
        ("memory llama3_8b --decode --context 5 --mode training", "--decode generates"),
        ("memory resnet18 --zero 2", "say how many with --devices"),
        ("memory resnet18 --mode training --sparsity 2:4", "--sparsity is for inference"),
        ("memory resnet18 --fit 1GB --batch 8", "write --mode training"),
        ("memory resnet18 --precision w4a17", "did you mean 'w4a16'?"),
        ("memory resnet18 --fused torch", "unknown fusion 'torch'"),
        ("table resnet18 --prune conv1=0", "conv1 has 64 channels, and cannot keep 0"),
        ("table resnet18 --prune missing.txt", "missing.txt"),
        ("explain resnet18 fc --quantity training_memory", "is of the whole network"),
        ("time resnet18 --device h100", "say how much there is to learn"),
        ("time resnet18 --device h100 --images x", "--images takes a number above 0"),
        ("time resnet18 --device h100 --tokens 1e9", "--tokens needs a network whose only input is tokens"),
        ("time resnet18 --device h9 --images 10", "there is no device profile 'h9'"),
        ("formula resnet18 --let batch=1+", "'1+'"),
    ],
)
def test_what_does_not_fit_together_is_said(cli, words, message):
    refused = cli(*shlex.split(words))
    assert refused.code == 2
    assert message in refused.err


def test_each_way_has_a_command_that_shows_it(cli):
    given = ("--fit", "500MB", "--mode", "training", "--batch", "64", "--optimizer", "adam")
    found = json.loads(cli("memory", "resnet18", "--input", "3,64,64", *given, "--format", "json").out)
    assert found["ways"]
    for way in (found["ways"][0], found["ways"][-1]):
        program, *words = shlex.split(way["command"])
        shown = json.loads(cli(*words, "--format", "json").out)
        assert program == "archcalc"
        assert shown["peak_bytes"] == way["bytes"] <= 500_000_000


def test_the_hours_of_a_run(cli):
    """3 · 4.1 G multiply-adds, nearly, for each of 1.28 M images in 90 epochs."""
    given = ("--images", "1.28e6", "--epochs", "90", "--device", "h100", "--utilization", "0.3-0.5")
    found = json.loads(cli("time", "resnet50", *given, "--format", "json").out)
    assert found["samples"] == 115_200_000
    assert found["flops_per_sample"] == pytest.approx(6 * 4.089e9, rel=0.02)
    assert found["seconds"] == pytest.approx([found["flops"] / (989.4e12 * share) for share in (0.5, 0.3)])


def test_folded_networks_are_exported(cli, tmp_path):
    written = tmp_path / "net.yaml"
    assert cli("export", "resnet18", "--fold-batch-norm", "-o", str(written)).code == 0
    assert "batch_norm" not in written.read_text()
    network = archcalc.load(str(written))
    assert network.analyze().totals.params == 11_689_512 - 9_600 + 4_800
