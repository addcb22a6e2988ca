"""`archcalc table`: what a user may write, and what comes of mistakes."""

from __future__ import annotations

import json

import pytest

from archcalc.analysis import CONVENTIONS


def network_of(cli, *arguments):
    result = cli("table", *arguments, "--format", "json")
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize("name", ["resnext50_32x4d", "ResNeXt50-32x4d", "RESNEXT50_32X4D"])
def test_names_in_any_writing(cli, name):
    assert network_of(cli, name)["network"] == "resnext50_32x4d"


def test_a_variant_of_a_file(cli, spec_file):
    path = spec_file("input: [3, 8, 8]\nparams: {w: 2}\nvariants: {wide: {w: 9}}\nlayers: [{conv: w, kernel: 1}]\n")
    assert network_of(cli, f"{path}#wide")["layers"][0]["output_shape"] == [9, 8, 8]


def test_a_path_that_does_not_exist_but_names_a_bundled_spec(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert network_of(cli, "googlenet.yaml")["network"] == "googlenet"
    (tmp_path / "googlenet.yaml").write_text("name: mine\ninput: [3, 8, 8]\nlayers: [relu]\n")
    assert network_of(cli, "googlenet.yaml")["network"] == "mine"
    assert network_of(cli, "googlenet")["network"] == "googlenet"


def test_options(cli):
    data = network_of(
        cli, "resnet50", "--batch", "32", "--dtype", "float16", "--input", "3,256,256", "--set", "classes=10"
    )
    assert (data["batch"], data["dtype"], data["input"]) == (32, "float16", [3, 256, 256])
    assert data["layers"][-1]["output_shape"] == [10]
    assert data["layers"][0]["memory_bytes"] == 32 * 64 * 128 * 128 * 2


def test_output_to_a_file_is_whole_or_not_at_all(cli, tmp_path):
    target = tmp_path / "table.csv"
    assert cli("table", "alexnet", "--format", "csv", "-o", target).code == 0
    assert target.read_text().startswith("name,input_c")
    before = target.read_text()
    assert cli("table", "alexnet", "--columns", "nope", "-o", target).code == 2
    assert target.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_that_cannot_be_written(cli, tmp_path):
    result = cli("table", "alexnet", "-o", tmp_path / "missing" / "table.csv")
    assert (result.code, result.out) == (2, "")
    assert "No such file or directory" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["alexnett"], "there is no network 'alexnett'\nhelp: did you mean 'alexnet'?"),
        (["nope.yaml"], "there is no file nope.yaml"),
        (["resnet50#resnet35"], "no variant 'resnet35'\nhelp: did you mean 'resnet"),
        (["alexnet", "--columns", "name,flop"], "unknown quantity 'flop'\nhelp: did you mean 'flops'?"),
        (["alexnet", "--set", "clases=3"], "no parameter 'clases'\nhelp: did you mean 'classes'?"),
        (["alexnet", "--set", "classes"], "expected a setting NAME=VALUE, got 'classes'"),
        (["alexnet", "--set", "classes=1/0"], "division by zero"),
        (["alexnet", "--input", "3,abc"], "--input takes C,H,W"),
        (["alexnet", "--input", "3,4,4"], "the kernel spans 11"),
        (["alexnet", "--convention", "fvcor"], "did you mean 'fvcore'?"),
        (["alexnet", "--dtype", "f"], "unknown dtype 'f'"),
        (["alexnet", "--batch", "0"], "x>=1"),
        ([""], "expected the name of a network or a file, got ''"),
    ],
)
def test_mistakes(cli, arguments, message):
    result = cli("table", *arguments)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_depth_and_all_have_the_same_totals(cli):
    columns = ["--columns", "name,memory,params,macs,flops", "--exact"]
    totals = {
        tuple(cli("table", "resnet50", *columns, *view).out.partition("\ntotal")[2].split()[:4])
        for view in ([], ["--all"], ["--depth", "1"], ["--depth", "2", "--all"])
    }
    assert len(totals) == 1


def test_no_color_where_there_is_no_terminal(cli):
    assert "\x1b" not in cli("table", "alexnet").out


def test_help_names_every_convention(cli):
    said = " ".join(cli("table", "--help").out.split()).replace("ptflops- aten", "ptflops-aten")
    assert all(f" {name}," in said or f" {name}." in said for name in CONVENTIONS)
