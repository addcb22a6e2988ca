"""Every format holds the same table, and lets no name of a spec out as code."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

import archcalc
from archcalc.render.formats import FORMATS, render
from archcalc.render.grid import TableOptions, lay_out
from archcalc.render.text import cells_wide, text_table

HOSTILE = ["=1+1", "+x", "-x", "@SUM(A1)", "<script>alert(1)</script>", "a|b", r"\input{x}", "50%_$#&{}~^", "日本語"]


@pytest.fixture(scope="module")
def hostile():
    steps = "".join(
        f"  - {{relu, name: {json.dumps(name, ensure_ascii=False)}}}\n" for name in HOSTILE if "{" not in name
    )
    return archcalc.loads(f"input: [3, 8, 8]\nlayers:\n  - {{conv: 3, kernel: 1}}\n{steps}").analyze()


EVERY = TableOptions(columns=("name", "output", "params"), every_layer=True)


def test_csv_cells_are_never_formulas(hostile):
    rows = list(csv.reader(io.StringIO(render(hostile, "csv", EVERY))))
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    assert ["'=1+1", "3x8x8", "0"] in rows


def test_csv_has_whole_numbers():
    rows = list(csv.DictReader(io.StringIO(archcalc.load("alexnet").analyze().to_csv())))
    assert rows[0]["flops_lecture"] == "72855552"
    assert rows[-1]["params"] == "61100840"


def test_csv_has_shares_and_fields_as_numbers():
    """AlexNet's fc6 has 37,752,832 of 61,100,840 parameters; pool5 sees 195 positions, fc6 the whole input."""
    view = TableOptions(columns=("name", "share_params", "rf", "rf_stride", "kernel"))
    rows = {
        row["name"]: row for row in csv.DictReader(io.StringIO(render(archcalc.load("alexnet").analyze(), "csv", view)))
    }
    assert float(rows["fc6"]["share_params"]) == 37_752_832 / 61_100_840
    assert (rows["pool5"]["rf"], rows["pool5"]["rf_global"], rows["pool5"]["rf_stride"]) == ("195", "false", "32")
    assert (rows["fc6"]["rf"], rows["fc6"]["rf_global"], rows["fc6"]["rf_stride"]) == ("", "true", "")
    assert rows["total"]["share_params"] == "1.0"


def test_json_has_the_backward_pass_where_the_convention_counts_it():
    """By hand: the backward pass of a linear layer behind another is twice its forward, of the first one once it."""
    network = archcalc.loads("input: [5]\nlayers: [{linear: 7, bias: false}, {linear: 11, bias: false}]\n")
    first, second = json.loads(network.analyze(convention="torch").to_json())["layers"]
    assert (first["flops"], first["backward_flops"], first["step_flops"]) == (70, 70, 140)
    assert (second["flops"], second["backward_flops"], second["step_flops"]) == (154, 308, 462)
    assert "backward_flops" not in json.loads(network.analyze(convention="fvcore").to_json())["layers"][0]


def test_html_is_escaped(hostile):
    text = render(hostile, "html", EVERY)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_latex_is_escaped_and_balanced(hostile):
    text = render(hostile, "latex", EVERY)
    assert r"\input" not in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body.splitlines() if line.endswith(r"\\"))
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_markdown_cells_stay_in_their_columns(hostile):
    lines = [line for line in render(hostile, "markdown", EVERY).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}


@pytest.mark.parametrize("name", ["alexnet", "resnet50", "googlenet", "densenet121"])
def test_json_is_the_contract(name):
    data = json.loads(archcalc.load(name).analyze().to_json())
    assert list(data)[:7] == ["network", "input", "batch", "dtype", "convention", "layers", "totals"]
    layer = data["layers"][0]
    assert {"name", "op", "inputs", "input_shapes", "output_shape", "params", "buffers", "macs", "flops"} <= set(layer)
    assert {"arguments", "weights", "biases", "bytes_read", "bytes_written", "backward_macs"} <= set(layer)
    assert set(layer["receptive_field"]) == {"size", "stride", "padding", "global", "aligned"}
    for key, total in data["totals"].items():
        assert total == sum(layer[key] for layer in data["layers"])
    known = {"input"} | {layer["name"] for layer in data["layers"]}
    assert all(set(layer["inputs"]) <= known for layer in data["layers"])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("name", ["alexnet", "resnet50", "nasnet_a_large"])
def test_text_fits_the_width(name, width):
    text = text_table(lay_out(archcalc.load(name).analyze()), width)
    assert max(map(cells_wide, text.splitlines())) <= width


def test_text_stays_aligned_with_wide_characters(hostile):
    lines = text_table(lay_out(hostile, EVERY)).splitlines()
    ends = {cells_wide(line) for line in lines if "×8×8" in line}
    assert len(ends) == 1


def test_shapes_in_either_order():
    analysis = archcalc.load("alexnet").analyze()
    first, last = TableOptions(columns=("name", "output")), TableOptions(columns=("name", "output"), channels_last=True)
    assert lay_out(analysis, first).sections[0].rows[0] == ["conv1", "64×56×56"]
    assert lay_out(analysis, last).sections[0].rows[0] == ["conv1", "56×56×64"]


def test_operations_are_never_named_without_their_convention():
    for convention in ("lecture", "full", "fvcore", "torch"):
        for format in ("text", "markdown", "latex", "html", "csv"):
            text = render(archcalc.load("alexnet").analyze(convention=convention), format)
            assert convention in text
            assert not re.search(r"(?<!lecture )(?<!full )(?<!fvcore )(?<!torch )\bflop \(", text)


def test_a_notebook_shows_a_table():
    assert archcalc.load("lenet5").analyze()._repr_html_().startswith("<table")
    assert archcalc.load("lenet5")._repr_html_() == render(archcalc.load("lenet5").analyze(), "html")
    assert set(FORMATS) == {"text", "markdown", "csv", "json", "latex", "html"}
