"""`archcalc draw`: where the drawing goes, in which format, and what comes of mistakes."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_drawing_is_named_after_its_network(cli, tmp_path):
    result = cli("draw", "googlenet.yaml")
    assert (result.code, result.out, result.err) == (0, "", "wrote googlenet.svg\n")
    assert (tmp_path / "googlenet.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")


@pytest.mark.parametrize(
    ("file", "start"),
    [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.dot", b"digraph"), ("a.mmd", b"flowchart LR"), ("a", b"<?xml")],
)
def test_the_file_says_the_format(cli, tmp_path, file, start):
    assert cli("draw", "lenet5", "-o", file, "--direction", "LR").code == 0
    assert (tmp_path / file).read_bytes().startswith(start)


def test_to_the_terminal(cli, tmp_path):
    result = cli("draw", "resnet50", "--depth", "1", "-o", "-", "--format", "dot")
    assert result.code == 0
    assert result.out.startswith("digraph")
    assert "layer4" in result.out
    assert "layer4.0" not in result.out
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_slash_stays_in_the_folder(cli, spec_file, tmp_path):
    path = spec_file("name: ../../x\ninput: [3, 8, 8]\nlayers: [relu]\n")
    before = set(tmp_path.iterdir())
    result = cli("draw", path)
    if result.code == 0:  # else the spec itself was refused
        assert len(set(tmp_path.iterdir()) - before) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alexnett"], "did you mean 'alexnet'?"),
        (["alexnet", "--heat", "flop"], "unknown quantity 'flop'\nhelp: did you mean 'flops'?"),
        (["alexnet", "--depth", "0"], "x>=1"),
        (["alexnet", "-o", "a.jpg"], "cannot write '.jpg'\nhelp: use one of .svg, .png"),
        (["alexnet", "-o", "missing/a.svg"], "No such file or directory"),
    ],
)
def test_mistakes(cli, tmp_path, arguments, message):
    result = cli("draw", *arguments)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []
