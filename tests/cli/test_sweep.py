"""`archcalc sweep`."""

from __future__ import annotations

import csv

import pytest


def test_the_widest_mobilenet_at_each_resolution(cli):
    """A designer's question in one line. Torchvision's 1.0 at 224 has 3.50 M parameters and 300.8 M multiply-adds, so
    0.95 is the widest there under 300 M and 3.5 M."""
    result = cli(
        "sweep", "mobilenet_v2", "--over", "width=0.25:2.0:0.05", "--over", "H=96:320:32",
        "--keep", "macs <= 300e6", "--keep", "params <= 3.5e6", "--best", "width", "--per", "H",
    )  # fmt: skip
    rows = [line.split() for line in result.out.splitlines()[2:]]
    assert [row[1] for row in rows] == [str(size) for size in range(96, 321, 32)]
    assert {row[1]: row[0] for row in rows}["224"] == "0.95"


def test_csv_and_parquet_say_the_same(cli, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    arguments = ["sweep", "resnet18", "--over", "H=64:128:32", "--over", "width=16:64:16"]
    assert cli(*arguments, "-o", tmp_path / "p.csv").code == 0
    assert cli(*arguments, "-o", tmp_path / "p.parquet").code == 0
    with open(tmp_path / "p.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = parquet.read_table(tmp_path / "p.parquet").to_pylist()
    assert len(rows) == 3 * 4
    assert [{name: int(value) for name, value in row.items()} for row in rows] == table
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p.parquet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet50"], "no parameter to vary"),
        (["resnet50", "--over", "widht=1,2"], "did you mean 'width'"),
        (["resnet50", "--over", "width=1,2", "--keep", "mac < 3"], "did you mean 'macs'"),
        (["resnet50", "--over", "width=1,2", "--keep", "macs"], "--keep takes one comparison"),
        (["resnet50", "--over", "width=1,2", "--pareto", "memory"], "unknown column 'memory'"),
        (["resnet50", "--over", "width=1,2", "-o", "x.xls"], ".xlsx, .parquet"),
        (["resnet50", "--over", "width=1,2", "-o", "x.svg", "--of", "macs"], "a chart shows two quantities"),
    ],
)
def test_mistakes_are_said_in_words(cli, arguments, message):
    result = cli("sweep", *arguments)
    assert result.code == 2
    assert message in result.err


def test_a_value_that_the_network_does_not_take_is_named(cli):
    result = cli("sweep", "resnet", "--over", "groups=1,2,x")
    assert result.code == 2
    assert result.err.startswith("error[A200]: resnet does not fit --over groups=x; without it, the spec is valid")


def test_a_chart(cli, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "points.svg"
    assert cli("sweep", "resnet", "--over", "block=basic,bottleneck", "--over", "H=64:96", "-o", path).code == 0
    text = path.read_text()
    assert "block basic" in text
    assert text.count("<use ") >= 2 * 33  # a mark for each point


def test_why_the_first_point_is_left_out_is_said(cli):
    said = cli("sweep", "alexnet", "--over", "H=1,2").err
    assert "0 kept, 2 where the network cannot be built; at the first, " in said
    assert "kernel" in said


@pytest.mark.parametrize("network", ["resnet18", "free.yaml"])
def test_a_size_that_is_no_integer_is_refused(cli, tmp_path, monkeypatch, network):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "free.yaml").write_text("input: [3, H, 64]\nlayers: [{conv: 8, kernel: 3}]\n", encoding="utf-8")
    result = cli("sweep", network, "--over", "H=64,64.5")
    assert "2 points, 1 kept, 1 where the network cannot be built" in result.err
    assert "must be an integer above 0, got" in result.err
    result = cli("table", "free.yaml", "--set", "H=64.5")
    assert "free.yaml:1:12: error[A004]: a size must be an integer above 0, got 64.5" in result.err
