"""The functions of Python: what they return prints, shows in a notebook, and becomes a DataFrame."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import archcalc

SPEC = {"name": "mine", "input": (3, 8, 8), "layers": [{"conv": 4, "kernel": 3, "name": "conv1"}, "relu"]}


def results():
    return {
        "explain": archcalc.explain("alexnet", "conv1"),
        "sum": archcalc.explain("resnet50", "layer1", ["params"]),
        "compare": archcalc.compare("alexnet", SPEC),
        "formula": archcalc.formula("conv 3x3 C->C"),
        "design_space": archcalc.design_space("resnet50", {"classes": [10, 100]}),
    }


@pytest.mark.parametrize("name", ["explain", "sum", "compare", "formula", "design_space"])
def test_results_print_and_show(name):
    shown = results()[name]
    assert str(shown) == repr(shown)
    assert shown._repr_html_().lstrip().startswith("<")
    assert shown._repr_markdown_()
    assert shown.to("csv").count("\n") > 1
    assert shown.to_dict()


def test_a_function_prints_what_its_command_prints(cli):
    assert str(archcalc.explain("alexnet", "conv1")) == cli("explain", "alexnet", "conv1").out.rstrip("\n")
    assert str(archcalc.compare("alexnet", "vgg16")) == cli("compare", "alexnet", "vgg16").out.rstrip("\n")
    space = archcalc.design_space("resnet50", {"classes": [10, 100]})
    assert str(space) == cli("sweep", "resnet50", "--over", "classes=10,100").out.rstrip("\n")


def test_a_drawing(tmp_path):
    drawing = archcalc.draw(SPEC)
    assert "<svg" in drawing._repr_svg_()
    drawing.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == drawing.svg
    with pytest.raises(archcalc.SpecError.__mro__[1]):
        archcalc.draw(SPEC, heat="beauty")
    for style in ("volumes", "paper", "blocks"):
        svg = archcalc.draw("lenet5", style=style, theme="color-blind")._repr_svg_()
        assert svg.startswith("<svg")
        assert "conv" in svg
    assert archcalc.draw("vgg16", page="a4").svg.count(">A</text>") == 2
    with pytest.raises(ValueError, match=r"unknown style .*\nhelp: use one of: graph, volumes, paper, blocks"):
        archcalc.draw(SPEC, style="cubist")


def test_load_takes_a_dict_and_a_text():
    text = "name: mine\ninput: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: conv1}, relu]\n"
    shapes = [archcalc.load(one)["conv1"].output_shape for one in (SPEC, text)]
    assert shapes == [(4, 6, 6), (4, 6, 6)]
    assert archcalc.load({**SPEC, "params": {"n": 4}, "layers": [{"conv": "2*n", "kernel": 3}]}, n=8)["conv1"]
    assert archcalc.load(SPEC, input=(3, 9, 9))["conv1"].output_shape == (4, 7, 7)
    with pytest.raises(archcalc.SpecError, match=r"spec\.yaml:"):
        archcalc.load({**SPEC, "layers": [{"cov": 4}]})
    with pytest.raises(archcalc.SpecError, match="dicts, lists, words and numbers"):
        archcalc.load({**SPEC, "layers": [object()]})
    deep: dict = {}
    deep["layers"] = deep
    with pytest.raises(archcalc.SpecError):
        archcalc.load(deep)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_dataframe_of_the_real_libraries(library, monkeypatch):
    """Numbers are numbers, and a row is a layer; the other library is hidden."""
    frames = pytest.importorskip(library)
    other = "polars" if library == "pandas" else "pandas"
    monkeypatch.setitem(sys.modules, other, None)
    frame = archcalc.load("lenet5").analyze().to_dataframe(["name", "params", "macs"])
    assert isinstance(frame, frames.DataFrame)
    assert frame["params"].sum() == 61_706
    assert list(frame["name"])[:2] == ["conv1", "pool1"]
    points = archcalc.design_space("resnet50", {"classes": [10, 100]}, quantities=["params"]).to_dataframe()
    assert list(points["params"] - points["classes"] * 2049) == [23_508_032] * 2


def test_a_dataframe(monkeypatch):
    """With a stand-in: what pandas.DataFrame and polars.DataFrame both take is a dict of columns."""
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    frame = archcalc.load(SPEC).analyze().to_dataframe()
    assert frame["name"] == ["conv1"]
    assert frame["params"][0] == 4 * 3 * 3 * 3 + 4
    points = archcalc.design_space("resnet50", {"classes": [10, 100]}, quantities=["params"]).to_dataframe()
    assert points["classes"] == [10, 100]
    assert points["params"][1] - points["params"][0] == 90 * 2049
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", SimpleNamespace(DataFrame=lambda columns: ("polars", columns)))
    assert archcalc.load(SPEC).analyze().to_dataframe()[0] == "polars"
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ValueError, match="needs pandas or polars"):
        archcalc.load(SPEC).analyze().to_dataframe()
