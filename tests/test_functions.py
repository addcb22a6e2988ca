"""The functions of Python: what they return prints, shows in a notebook, and becomes a DataFrame."""

from __future__ import annotations

import json
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


NUMPY = pytest.importorskip("numpy")


def test_numbers_of_numpy_are_those_of_python():
    """torchvision's resnet18 has 11,689,512 parameters, 513,000 of them in its last layer."""
    network = archcalc.load("resnet18", classes=NUMPY.int64(10), input=NUMPY.array([3, 64, 64]))
    assert [*map(type, network["fc"].output_shape)] == [int]
    assert json.loads(network.analyze(batch=NUMPY.int32(2)).to_json())["totals"]["params"] == 11_181_642
    large = archcalc.load("resnet18", classes=NUMPY.int64(10**16)).analyze().totals.params
    assert large == 11_176_512 + 513 * 10**16
    assert archcalc.load({**SPEC, "input": NUMPY.array([3, 8, 8])})["conv1"].output_shape == (4, 6, 6)
    points = archcalc.design_space("resnet18", {"classes": NUMPY.arange(10, 30, 10)}, quantities=["params"]).to_dict()
    assert [point["classes"] for point in points] == [10, 20]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: archcalc.load(None), "expected a name, a path or a spec, got NoneType"),
        (lambda: archcalc.loads(None), "expected the text of a spec, got NoneType"),
        (lambda: archcalc.loads(b"input: [3]"), "expected the text of a spec, got bytes"),
        (lambda: archcalc.load("resnet50", input=64), r"expected the shape .*, got 64$"),
        (lambda: archcalc.load("resnet50", input="3,64,64"), r"expected the shape .*, got '3,64,64'$"),
        (lambda: archcalc.load("resnet50", input=(3, 64.0, 64)), "expected the shape of an input"),
        (lambda: archcalc.load("resnet50", input=(3, -64, 64)), "expected the shape of an input"),
        (lambda: archcalc.load(SPEC).analyze(batch="2"), "a batch is an integer above 0, got '2'"),
        (lambda: archcalc.load(SPEC).analyze(batch=2.5), "a batch is an integer above 0, got 2.5"),
        (lambda: archcalc.load(SPEC).analyze(dtype=None), "unknown dtype 'None'"),
        (lambda: archcalc.load(SPEC).analyze().fit(-1), "a budget is a number of bytes, got -1"),
        (lambda: archcalc.build(archcalc.load(SPEC), width=3), "parameters are set when a network is loaded"),
        (lambda: archcalc.draw(SPEC, direction="XX"), "unknown direction 'XX'"),
        (lambda: archcalc.draw(SPEC, depth=0), "a depth is at least 1, got 0"),
        (lambda: archcalc.draw(SPEC, style="paper", heat="macs"), "heat colors a graph, not the style paper"),
        (lambda: archcalc.draw(SPEC).save("net.png"), "saved as SVG, got the file 'net.png'"),
        (lambda: archcalc.explain("lenet5", "conv1").to("docx"), "unknown format 'docx'"),
        (lambda: archcalc.formula(archcalc.load(SPEC)), "expected the name or path of a spec, got Network"),
        (lambda: archcalc.design_space(SPEC, {}), "expected the name or path of a spec, got dict"),
    ],
)
def test_an_argument_of_another_kind_is_refused_in_words(call, message):
    with pytest.raises(archcalc.errors.UserError, match=message):
        call()


def test_a_list_may_be_a_text_with_commas():
    assert str(archcalc.explain("alexnet", "conv1", "params,macs")) == str(
        archcalc.explain("alexnet", "conv1", ["params", "macs"])
    )
    assert str(archcalc.formula("conv 3x3 C->C", quantities="params")) == "params = 9C²"
    frozen = archcalc.freeze("resnet18", "conv1,bn1")
    assert [layer.name for layer in frozen if not layer.trainable and layer.op.weights()] == ["conv1", "bn1"]
    kept = archcalc.design_space("resnet18", {"classes": [10, 20]}, keep="params < 11180000", quantities="params")
    assert kept.to_dict() == []


def test_changes_take_what_load_takes():
    assert archcalc.prune("alexnet", {"conv1": 32}).analyze()["conv2"].weights == 25 * 32 * 192
    assert (
        archcalc.fold_batch_norm("resnet18").analyze().totals.params < archcalc.load("resnet18").analyze().totals.params
    )


def test_a_network_and_its_analysis_know_their_layers():
    network = archcalc.load(SPEC)
    analysis = network.analyze()
    assert "conv1" in network
    assert network["conv1"] in network
    assert "conv1" in analysis
    assert "conv2" not in analysis
    assert [row.name for row in analysis] == ["conv1", "relu1"]
