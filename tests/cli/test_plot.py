"""`archcalc plot`: charts in files, and what comes of mistakes."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("file", "start"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_file_says_the_format(cli, tmp_path, file, start):
    pytest.importorskip("matplotlib")
    assert cli("plot", "alexnet", "lenet5", "--metric", "params", "-o", file).err == f"wrote {file}\n"
    assert (tmp_path / file).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no network to plot"),
        (["alexnet", "-o", "a.xlsx"], "cannot write '.xlsx'"),
        (["alexnett"], "did you mean 'alexnet'?"),
        (["alexnet", "--metric", "flop"], "unknown quantity 'flop'\nhelp: did you mean 'flops'?"),
        (["alexnet", "--against", "accuracy"], "unknown accuracy of 'alexnet'"),
    ],
)
def test_mistakes(cli, tmp_path, arguments, message):
    result = cli("plot", *arguments)
    assert result.code == 2
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = cli("plot", "alexnet")
    assert result.code == 2
    assert "pip install 'archcalc[plot]'" in result.err
