"""`archcalc export`."""

from __future__ import annotations

import sys

import pytest


def test_named_as_the_network(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("export", "lenet5", "--to", "torch")
    assert (result.code, result.out, result.err) == (0, "", "wrote lenet5.py\n")
    assert "class LeNet5(nn.Module):" in (tmp_path / "lenet5.py").read_text()


def test_the_file_says_what_to_write(cli, tmp_path):
    assert cli("export", "lenet5", "-o", tmp_path / "net.py").code == 0
    assert "class LeNet5(nn.Module):" in (tmp_path / "net.py").read_text()


def test_to_the_terminal(cli):
    assert "class LeNet5(nn.Module):" in cli("export", "lenet5", "--to", "torch", "-o", "-").out


def test_as_a_spec_without_pytorch(cli, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli("export", "googlenet", "-o", tmp_path / "flat.yaml").code == 0
    flat, own = (cli("table", name, "--all", "--exact").out for name in (tmp_path / "flat.yaml", "googlenet"))
    assert flat == own


def test_onnx_file(cli, tmp_path):
    onnx = pytest.importorskip("onnx")
    assert cli("export", "lenet5", "--batch", "3", "-o", tmp_path / "net.onnx").code == 0
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model)
    assert [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim] == [3, 1, 32, 32]


def test_without_the_package(cli, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = cli("export", "lenet5", "-o", tmp_path / "net.onnx")
    assert result.code == 2
    assert "archcalc[onnx]" in result.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_said(cli):
    result = cli("export", "lenet5")
    assert result.code == 2
    assert "--to torch" in result.err


def test_nothing_is_left_where_it_fails(cli, tmp_path):
    result = cli("export", "resnet999", "-o", tmp_path / "net.py")
    assert result.code == 2
    assert list(tmp_path.iterdir()) == []
