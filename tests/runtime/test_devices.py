"""Which device a network runs on."""

from __future__ import annotations

import pytest
import torch

from archcalc.dtypes import BITS
from archcalc.runtime import devices


def test_the_best_device_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose_device(None) == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose_device(None) == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.choose_device(None) == torch.device("cuda", 0)
    assert devices.choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match="the last one is cuda:1"):
        devices.choose_device("cuda:2")


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device here"):
        devices.choose_device("cuda")
    with pytest.raises(ValueError, match="Apple silicon"):
        devices.choose_device("mps")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:²", "cuda:-1", "cpu:1"])
def test_no_device(name):
    with pytest.raises(ValueError, match=r"(there is no|unknown) device"):
        devices.choose_device(name)


def test_dtypes_have_the_sizes_that_archcalc_counts():
    for name, dtype in devices.DTYPES.items():
        assert devices.torch_dtype(name).itemsize == dtype.itemsize == BITS[name] // 8


def test_a_dtype_that_nothing_runs_in():
    with pytest.raises(ValueError, match="float32"):
        devices.torch_dtype("int8")
    with pytest.raises(ValueError, match="bfloat16"):
        devices.torch_dtype("bfloat61")


def test_tf32_only_where_asked_for():
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags]
    with devices.computing_in("tf32"):
        assert [flag.allow_tf32 for flag in flags] == [True, True]
        with devices.computing_in("float32"):
            assert [flag.allow_tf32 for flag in flags] == [False, False]
    assert [flag.allow_tf32 for flag in flags] == before


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n", "550.54.15"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n", "570.124.06"),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  460.80  Fri May  7 06:55:54 UTC 2021\n", "460.80"),
        ("\n", None),
    ],
)
def test_the_drivers_version(tmp_path, line, version):
    """The first line of the file that NVIDIA's drivers write, as they have written it."""
    path = tmp_path / "version"
    path.write_text(line + "GCC version: gcc version 12.2.0\n")
    assert devices.driver_version(str(path)) == version
    assert devices.driver_version(str(tmp_path / "none")) is None


def test_available_memory_is_that_of_the_machine_or_of_its_container(tmp_path):
    available_memory = devices.available_memory
    cpu, group = torch.device("cpu"), tmp_path / "sys/fs/cgroup"
    assert (available_memory(cpu, tmp_path) or 1) > 0  # no Linux: what is installed, or not known
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  900 kB\nMemAvailable:     500 kB\n")
    assert available_memory(cpu, tmp_path) == 500 * 1024
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    assert available_memory(cpu, tmp_path) == 500 * 1024
    (group / "memory.max").write_text("5000\n")
    assert available_memory(cpu, tmp_path) == 4000
