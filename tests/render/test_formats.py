"""Every format holds the same table, and lets no name of a spec out as code."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess

import pytest

import archcalc
from archcalc.errors import UserError
from archcalc.render.table import LECTURE_TABLE, TableOptions, table_document
from archcalc.render.text import cells_wide
from archcalc.render.writers import formats, text, write_document

HOSTILE = ["=1+1", "+x", "-x", "@SUM(A1)", "<script>alert(1)</script>", "a|b", r"\input{x}", "50%_$#&{}~^", "日本語"]


def render(analysis, format, view=LECTURE_TABLE, **names):
    return write_document(table_document(analysis, view, **names), format)


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
    assert set(layer["receptive_field"]) == {"size", "smallest", "stride", "padding", "global", "aligned"}
    for key, total in data["totals"].items():
        assert total == sum(layer[key] for layer in data["layers"])
    known = {"input"} | {layer["name"] for layer in data["layers"]}
    assert all(set(layer["inputs"]) <= known for layer in data["layers"])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("name", ["alexnet", "resnet50", "nasnet_a_large"])
def test_text_fits_the_width(name, width):
    shown = text.write(table_document(archcalc.load(name).analyze()), width)
    assert max(map(cells_wide, shown.splitlines())) <= width


def test_text_stays_aligned_with_wide_characters(hostile):
    lines = render(hostile, "text", EVERY).splitlines()
    ends = {cells_wide(line) for line in lines if "×8×8" in line}
    assert len(ends) == 1


def test_shapes_in_either_order():
    analysis = archcalc.load("alexnet").analyze()
    first, last = TableOptions(columns=("name", "output")), TableOptions(columns=("name", "output"), channels_last=True)
    for view, shape in ((first, "64×56×56"), (last, "56×56×64")):
        rows, _ = table_document(analysis, view).tables[0].texts()[0]
        assert rows[0] == ["conv1", shape]


def test_operations_are_never_named_without_their_convention():
    for convention in ("lecture", "full", "fvcore", "torch"):
        for format in ("text", "markdown", "latex", "html", "csv"):
            shown = render(archcalc.load("alexnet").analyze(convention=convention), format)
            assert convention in shown
            assert not re.search(r"(?<!lecture )(?<!full )(?<!fvcore )(?<!torch )\bFLOPs \(", shown)


def test_a_notebook_shows_a_table():
    assert archcalc.load("lenet5").analyze()._repr_html_().startswith("<table")
    assert archcalc.load("lenet5")._repr_html_() == render(archcalc.load("lenet5").analyze(), "html")
    assert set(formats()) == {"text", "markdown", "csv", "json", "latex", "html", "xlsx"}


PREAMBLE = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}Table~\ref{tab:it}."


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("name", ["resnet152", "vgg16", "hostile"])
def test_latex_compiles_and_fits_the_page(name, tmp_path):
    """ResNet-152's 211 rows run over pages; no line stands out of the margin, and the label is found."""
    if name == "hostile":  # in letters that pdfTeX's own fonts have
        network = archcalc.loads("input: [3]\nlayers:\n  - {relu, name: 'a|b_%$#&~^\\input'}\n")
    else:
        network = archcalc.load(name)
    body = render(network.analyze(), "latex", TableOptions(every_layer=True), caption="A & B", label="tab:it")
    (tmp_path / "it.tex").write_text(f"{PREAMBLE}\n{body}\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "it.tex"]
    for _ in range(3):  # longtable and references settle
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "it.log").read_text(encoding="utf-8", errors="replace")
    assert "in alignment" not in log
    assert "undefined" not in log


def test_only_what_does_not_fit_a_page_runs_over_several():
    assert r"\begin{tabular}" in render(archcalc.load("alexnet").analyze(), "latex")
    assert r"\begin{longtable}" in render(archcalc.load("resnet152").analyze(), "latex")


def test_a_label_is_no_code(hostile):
    with pytest.raises(UserError, match="expected a label of letters"):
        render(hostile, "latex", label=r"}\input{x}")
