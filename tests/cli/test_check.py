"""`archcalc check`."""

from __future__ import annotations

import csv
import io
import json

import pytest

ANSWERS = "layer,output,memory (KB),params,flops\nconv1,64x56x56,784,23296,72.9M\n"


@pytest.fixture
def answers(tmp_path):
    """Write submissions, and give their paths."""

    def write(*texts):
        paths = []
        for at, text in enumerate(texts):
            path = tmp_path / f"s{at}.csv"
            path.write_text(text, encoding="utf-8")
            paths.append(path)
        return paths

    return write


@pytest.fixture
def right(cli):
    """AlexNet's own table is a sheet that is right."""
    return cli("table", "alexnet", "--format", "csv").out


def test_archcalcs_own_tables_are_right(cli, answers, right, tmp_path):
    """In every format that the table is printed in and a student may hand in."""
    (path,) = answers(right)
    result = cli("check", "alexnet", path)
    assert result.code == 0, result.out
    assert "48 of 48 points" in " ".join(result.out.split())
    for format, name in (("markdown", "a.md"), ("json", "a.json")):
        path = tmp_path / name
        path.write_text(cli("table", "alexnet", "--format", format).out, encoding="utf-8")
        result = cli("check", "alexnet", path)
        assert "48 of 48 points" in " ".join(result.out.split()), result.out


def test_one_sheet(cli, answers, right):
    (path,) = answers(right.replace("72855552", "145711104").replace("37752832", "37748736"))
    result = cli("check", "alexnet", path)
    assert result.code == 1
    assert "conv1 · FLOPs, 145711104: wrong" in result.out
    assert "A multiply-add is counted as two operations. It is 72,855,552 (72.9 M)." in result.out
    assert "FLOPs = C'·H'·W'·C·K² = 64·56·56·3·11² = 72,855,552" in result.out
    assert "The biases are left out" in result.out
    hints = cli("check", "alexnet", path, "--no-reveal").out
    assert "A multiply-add is counted as two operations." in hints
    assert "FLOPs = C'·H'·W'·C·K²\n" in hints
    assert "72,855,552" not in hints


def test_json_and_markdown(cli, answers):
    (path,) = answers(ANSWERS)
    data = json.loads(cli("check", "alexnet", path, "--format", "json", "--ask", "params").out)
    assert (data["points"], data["max_points"]) == (1, 12)
    assert data["rows"][0] == {
        "name": "conv1",
        "points": 1,
        "max_points": 1,
        "cells": [
            {
                "column": "params",
                "verdict": "right",
                "points": 1,
                "max_points": 1,
                "written": "23296",
                "expected": "23,296 (23.3 k)",
                "feedback": "",
                "derivation": [],
                "mistake": None,
            }
        ],
    }
    assert "\n\nNo answer in: pool1" in cli("check", "alexnet", path, "--format", "markdown").out


def test_a_class(cli, answers, right, tmp_path):
    paths = answers(right, right.replace("23296", "23232"), "nothing\n", right.replace("37752832", "37748736"))
    result = cli("check", "alexnet", *paths, tmp_path / "gone.csv", "--summary", tmp_path / "grades.csv")
    assert result.code == 1
    assert "5 submissions, 2 not read; 47.3 of 48 points on average" in result.out
    assert "bias forgotten (params): 2" in result.out
    assert "not read: the file has no line with the headings" in result.out
    rows = list(csv.DictReader(io.StringIO((tmp_path / "grades.csv").read_text())))
    assert [row["points"] for row in rows] == ["48", "47", "0", "47", "0"]
    assert {row["of"] for row in rows} == {"48"}
    assert rows[1]["params"] == "11"
    assert rows[4]["problem"].startswith("No such file")
    assert cli("check", "alexnet", paths[0], paths[0]).code == 0


def test_points_tolerance_and_conventions(cli, answers):
    (path,) = answers("layer,params,flops\nconv1,23296,72.8M\n")
    shown = ("--ask", "params,flops", "--format", "json")
    assert json.loads(cli("check", "alexnet", path, *shown).out)["points"] == 1
    assert json.loads(cli("check", "alexnet", path, *shown, "--tolerance", "cut").out)["points"] == 2
    assert json.loads(cli("check", "alexnet", path, *shown, "--points", "params=2,flops=0.5").out)["max_points"] == 30
    (path,) = answers("layer,flops\nconv1,145711104\n")
    data = json.loads(cli("check", "alexnet", path, "--ask", "flops", "--convention", "torch", "--format", "json").out)
    assert (data["points"], data["convention"]) == (1, "torch")


def test_formulas(cli, answers):
    (path,) = answers("layer,params\nconv1,9C^2\nconv2,9C²\ntotal,18C*C\n")
    result = cli("check", "conv 3x3 C->C, conv 3x3 C->C", path, "--ask", "params", "--total")
    assert (result.code, "3 of 3 points" in " ".join(result.out.split())) == (0, True), result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ask", "parms"], "did you mean 'params"),
        (["--points", "mood=1"], "which is not asked"),
        (["--tolerance", "loose"], "--tolerance takes"),
        (["--convention", "lectur"], "did you mean 'lecture"),
        (["--let", "depth=n"], "no parameter or size"),
    ],
)
def test_unusable_options(cli, answers, arguments, said):
    (path,) = answers(ANSWERS)
    result = cli("check", "alexnet", path, *arguments)
    assert result.code == 2
    assert said in result.err


def test_unusable_input(cli, answers, tmp_path):
    (path,) = answers("nothing\n")
    assert cli("check", "alexnet", path).code == 2
    assert "No such file" in cli("check", "alexnet", tmp_path / "gone.csv").err
    assert cli("check", "alexnt", path).code == 2
    missing = cli("check", "alexnet", tmp_path / "gone.csv", "--moodle", tmp_path / "grades.csv").err
    assert missing.startswith("error[A202]: there is no file")
    assert cli("check", "alexnet").code == 2


def test_a_summary_is_written_whole_or_not_at_all(cli, answers, right, tmp_path):
    (path,) = answers(right)
    result = cli("check", "alexnet", path, "--summary", tmp_path / "no" / "grades.csv")
    assert result.code == 2
    assert "No such file" in result.err
    summary = tmp_path / "grades.csv"
    summary.write_text("old\n")
    assert cli("check", "alexnet", path, "--summary", summary).code == 0
    assert summary.read_text().startswith("sheet,points")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["grades.csv", "s0.csv"]


def test_a_link_in_a_folder_is_listed_and_a_row_written_twice_is_named(cli, tmp_path):
    (tmp_path / "ada.csv").write_text("layer,params\nconv1,156\nconv1,157\n", encoding="utf-8")
    (tmp_path / "bob.csv").symlink_to("/etc/passwd")
    result = cli("check", "lenet5", str(tmp_path), "--ask", "params")
    assert "not read: the file is a symbolic link" in result.out
    assert ":0:0:" not in result.out
    result = cli("check", "lenet5", str(tmp_path / "ada.csv"), "--ask", "params")
    assert "ignored the row 'conv1': the first row of this name counts" in result.out
