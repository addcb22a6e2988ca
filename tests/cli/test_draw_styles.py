"""`archcalc draw --style`: what each style takes, and what it refuses."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("style", "option", "said"),
    [
        ("graph", ["--page", "a4", "--format", "dot"], "--page and --font do not go with --format dot"),
        ("graph", ["--page", "a5"], "--page takes a4, letter, 16:9"),
        ("graph", ["--theme", "sepia"], "unknown value 'sepia'"),
        ("graph", ["--from", "conv9"], "did you mean 'conv"),
        ("volumes", ["--heat", "macs"], "--heat does not go with --style volumes"),
        ("volumes", ["--orient", "right"], "--orient does not go with --style volumes"),
        ("blocks", ["--no-collapse"], "--collapse does not go with --style blocks"),
        ("paper", ["--numbers"], "--numbers does not go with --style paper"),
        ("paper", ["--format", "dot"], "--style paper is written as svg, png, pdf, tikz, not as dot"),
        ("graph", ["--format", "gif"], "--style graph is written as"),
        ("paper", ["--labels", "flops"], "--labels: unknown value 'flops'"),
        ("paper", ["--hide", "poling"], "did you mean 'pooling'?"),
        ("paper", ["--from", "conv9"], "did you mean 'conv"),
    ],
)
def test_refusals(cli, tmp_path, monkeypatch, style, option, said):
    monkeypatch.chdir(tmp_path)
    result = cli("draw", "lenet5", "--style", style, *option)
    assert result.code == 2
    assert said in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "start"),
    [("a.svg", b"<svg"), ("a.pdf", b"%PDF"), ("a.png", b"\x89PNG"), ("a.tex", b"% Compile this file alone")],
)
@pytest.mark.parametrize("style", ["graph", "volumes", "paper", "blocks"])
def test_every_style_in_every_format(cli, tmp_path, monkeypatch, style, file, start):
    monkeypatch.chdir(tmp_path)
    assert cli("draw", "lenet5", "--style", style, "-o", file).code == 0
    written = (tmp_path / file).read_bytes()
    assert written.startswith(b"<?xml" if (style, file) == ("graph", "a.svg") else start)


def test_an_operator_as_an_animation(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    operator = ("draw", "conv 3x3 s2 p1", "--style", "arithmetic", "--input", "5,5")
    for more, file, start in (
        ((), "a.gif", b"GIF89a"),
        ((), "a.apng", b"\x89PNG"),
        (("--animate",), "a.svg", b"<svg"),
    ):
        assert cli(*operator, *more, "-o", file).code == 0
        assert (tmp_path / file).read_bytes().startswith(start)
    assert b"animation" in (tmp_path / "a.svg").read_bytes()
    assert "--animate is for svg" in cli(*operator, "--animate", "-o", "b.png").err


@pytest.mark.parametrize(
    ("style", "theme"), [("graph", "print"), ("volumes", "colour-blind"), ("paper", "color-blind"), ("blocks", "dark")]
)
def test_every_style_takes_the_options_of_figures(cli, tmp_path, monkeypatch, style, theme):
    import reportlab

    monkeypatch.chdir(tmp_path)
    font = f"{reportlab.__path__[0]}/fonts/VeraIt.ttf"
    options = ["--theme", theme, "--page", "120x120mm", "--font", font, "--labels", "op,params", "--hide", "pooling"]
    result = cli("draw", "alexnet", "--style", style, *options, "--from", "conv2", "--to", "fc7", "-o", "a.svg")
    assert result.code == 0, result.err
    svg = (tmp_path / "a.svg").read_text()
    assert "Bitstream Vera Sans" in svg
    assert "max_pool" not in svg
    assert "fc8" not in svg
    # fc6 has 9216·4096 + 4096 parameters. Blocks draw it and fc7 as one stage: 4096·4096 + 4096 more.
    assert ("54.5 M" if style == "blocks" else "37.8 M") in svg
