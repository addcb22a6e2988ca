"""Inference timed on the device at hand."""

from __future__ import annotations

import pytest
import torch

import archcalc
from archcalc.runtime import bench as benching
from archcalc.runtime import calibration
from archcalc.runtime.bench import bench
from archcalc.runtime.device_profile import DeviceProfile
from archcalc.runtime.timing import Timing

CPU = torch.device("cpu")
PROFILE = DeviceProfile("test", "made up", {"float32": 1e11, "float64": 5e10, "bfloat16": 1e11}, bandwidth=1e10)


@pytest.fixture(autouse=True)
def quick(monkeypatch, brief_timing):
    monkeypatch.setattr(benching, "LAYER_SECONDS", 0.1)


def test_every_layer_has_a_time():
    network = archcalc.load("lenet5")
    result = bench(network, 2, "float32", CPU, PROFILE)
    assert result.timing is not None
    assert result.timing.median > 0
    assert [*result.layer_seconds] == [layer.name for layer in network]
    assert all(seconds > 0 for seconds in result.layer_seconds.values())
    assert [layer.name for layer in result.roofline.layers] == [*result.layer_seconds]


def test_parts_of_a_layer_count_as_it(monkeypatch):
    """A sum of three is two additions in PyTorch, and one layer."""
    network = archcalc.loads("name: x\ninput: [4]\nlayers: [{add: [[], [relu], [tanh]]}]")
    timer = benching._Timer(archcalc.build(network), CPU)
    clock = iter(range(100))
    monkeypatch.setattr(timer.stopwatch, "mark", lambda: next(clock))
    timer.run(torch.zeros(1, 4))
    assert timer.seconds() == {"relu1": 1, "tanh1": 1, "add1": 2}


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_runs_in_the_dtype(dtype, monkeypatch):
    seen = []

    def look(action, device):
        seen.append(action().dtype)
        return Timing(1.0, 0.0, 1)

    monkeypatch.setattr(benching, "measure", look)
    assert not bench(archcalc.load("lenet5"), 1, dtype, CPU, PROFILE).failure
    assert seen == [getattr(torch, dtype)]


def test_out_of_memory_is_said_and_no_more(monkeypatch):
    def fail(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 TiB")

    monkeypatch.setattr(benching, "measure", fail)
    result = bench(archcalc.load("lenet5"), 1, "float32", CPU, PROFILE)
    assert (result.failure, result.timing) == ("out of memory", None)
    assert result.roofline.total.seconds > 0


def test_calibration_on_the_cpu():
    profile = calibration.calibrate(CPU, ["float32"])
    assert [*profile.peak_flops] == ["float32"]
    assert min(profile.peak("float32"), profile.bandwidth) > 1e6
    assert 0 < profile.overhead < 1
    assert torch.__version__ in profile.source


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_on_a_gpu(dtype):
    device = torch.device("cuda")
    profile = calibration.calibrate(device, [dtype])
    network = archcalc.load("resnet18")
    result = bench(network, 8, dtype, device, profile)
    assert not result.failure
    assert [*result.layer_seconds] == [layer.name for layer in network]
    assert result.timing.median > 0
