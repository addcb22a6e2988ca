"""`archcalc bench`."""

from __future__ import annotations

import json
import sys

import pytest


@pytest.fixture(autouse=True)
def quick(monkeypatch, brief_timing):
    from archcalc.runtime import bench

    monkeypatch.setattr(bench, "LAYER_SECONDS", 0.1)


def test_times_each_batch(cli):
    result = cli("bench", "lenet5", "--batch", "1,2", "--device", "cpu")
    assert (result.code, result.err) == (0, "")
    assert "lenet5 · batch 1 · float32" in result.out
    assert "lenet5 · batch 2 · float32" in result.out
    assert "measured" in result.out
    assert "images/s" in result.out


def test_json(cli, tmp_path):
    path = tmp_path / "bench.json"
    assert cli("bench", "lenet5", "--device", "cpu", "--format", "json", "-o", path).code == 0
    data = json.loads(path.read_text())
    (one,) = data["benchmarks"]
    assert one["measured"]["images_per_second"] == pytest.approx(1 / one["measured"]["seconds"])
    assert one["total"]["bytes_read"] == sum(layer["bytes_read"] for layer in one["layers"])
    assert data["profile"]["bandwidth"] > 0


def test_predicts_for_a_device_that_is_not_here(cli, monkeypatch):
    """Without torch: nothing is run."""
    monkeypatch.setitem(sys.modules, "torch", None)
    result = cli("bench", "resnet50", "--device-profile", "h100", "--dtype", "bfloat16", "--batch", "64")
    assert result.code == 0
    assert "989 TFLOP/s" in result.out.replace("\n", " ")
    assert "measured" not in result.out


def test_layers_of_a_group_are_one_row(cli):
    """The sum of its layers: the rows add up to the same total."""

    def times(*words):
        out = cli("bench", "resnet18", "--device-profile", "h100", "--batch", "64", *words).out
        return {line.split()[0]: line.split() for line in out.splitlines() if line}

    grouped, alone = times("--depth", "1"), times()
    assert [name for name in grouped if name.startswith("layer")] == ["layer", "layer1", "layer2", "layer3", "layer4"]
    assert grouped["total"] == alone["total"]


def test_calibrates_and_predicts_with_what_it_wrote(cli, tmp_path):
    path = tmp_path / "mine.json"
    assert cli("bench", "--calibrate", "--device", "cpu", "-o", path).code == 0
    assert cli("bench", "lenet5", "--device-profile", path).code == 0


def test_without_a_gpu(cli, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = cli("bench", "lenet5", "--device", "cuda")
    assert (result.code, result.out) == (2, "")
    assert "there is no CUDA device here" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no network to time"),
        (("lenet5", "--batch", "1,0"), "--batch"),
        (("lenet5", "--batch", ""), "--batch"),
        (("lenet5", "--dtype", "float31"), "float32"),
        (("lenet5", "--calibrate"), "leave out the networks"),
        (("lenet5", "--device-profile", "h100", "--device", "cpu"), "leave out --device"),
        (("lenet5", "--device-profile", "z9"), "there is no device profile"),
        (("lenet5", "--device-profile", "h100", "--dtype", "int8"), "no peak for"),
        (("lenet5", "--device-profile", "nowhere.json"), "nowhere.json"),
    ],
)
def test_mistakes(arguments, message, cli):
    result = cli("bench", *arguments)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_an_interrupted_run_keeps_what_was_done(cli, monkeypatch):
    from archcalc.runtime import benchmark

    real, calls = benchmark.predict_only, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(benchmark, "predict_only", interrupted)
    result = cli("bench", "lenet5", "alexnet", "--device-profile", "h100")
    assert result.code == 130
    assert "lenet5 · batch 1" in result.out
    assert "interrupted after 1 of 2" in result.err
