"""results.json, as Gradescope's autograder specification has it (gradescope-autograders.readthedocs.io, "Autograder
Specifications": the keys, their types, and what a top-level score or a hidden test does).
"""

from __future__ import annotations

import json
import re
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.homework.courses.gradescope import GradescopeOptions, hundredths, results_json
from archcalc.homework.grade import GradedCell, GradedRow, GradedSheet, Verdict

TOP = {
    *("score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility"),
    *("stdout_visibility", "extra_data", "tests", "leaderboard"),
}
TEST = {
    *("score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags"),
    *("visibility", "extra_data"),
}

SHEET = """layer,output,params
conv1,64x56x56,23296
pool1,64x27x27,0
conv2,192x27x27,307200
pool2,192x13x13,0
conv3,384x13x13,663936
conv4,256x13x13,884992
conv5,256x13x13,590080
pool5,256x6x6,0
flatten,9216,0
fc6,4096,37752832
fc7,4096,16781312
fc8,1000,4097000
"""
"""Deck 001's AlexNet with one mistake: the bias of conv2 is forgotten (307,392 with it)."""


@pytest.fixture
def graded(cli, tmp_path):
    """Grade a text, or whatever is in a folder, and read the results; what is not JSON by the standard is refused."""

    def run(submission, *options: str):
        if isinstance(submission, str):
            (tmp_path / "answers.csv").write_text(submission, encoding="utf-8")
            submission = tmp_path / "answers.csv"
        file = tmp_path / "results.json"
        file.unlink(missing_ok=True)
        result = cli("check", "alexnet", submission, "--ask", "output,params", "--gradescope", file, *options)
        assert "Traceback" not in result.err

        def refuse(constant):
            raise AssertionError(constant)

        return result.code, json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)

    return run


def total(data, key="max_score"):
    """The sum as a person adds what is printed."""
    return sum(Fraction(str(test[key])) for test in data["tests"])


def test_keys_and_types(graded):
    code, data = graded(SHEET)
    assert code == 1
    assert set(data) <= TOP
    assert "score" not in data  # it would override the tests
    assert data["visibility"] == "visible"
    for test in data["tests"]:
        assert set(test) <= TEST
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] in ("passed", "failed")
        assert (test["status"] == "passed") == (test["score"] == test["max_score"])
        assert isinstance(test["number"], str)
        assert "visibility" not in test  # one hidden test would hide the total


def test_a_test_for_each_row(graded):
    _, data = graded(SHEET, "--reveal")
    assert [test["name"] for test in data["tests"]][:3] == ["conv1", "pool1", "conv2"]
    failed = [test for test in data["tests"] if test["status"] == "failed"]
    assert [(test["name"], test["score"], test["max_score"]) for test in failed] == [("conv2", 1, 2)]
    assert "C'·C·K² + C' = 192·64·5² + 192" in failed[0]["output"]
    assert "307,392" in failed[0]["output"]
    assert failed[0]["extra_data"] == {"mistakes": ["bias forgotten"]}
    assert (total(data), total(data, "score")) == (24, 23)


def test_a_test_for_each_cell(graded):
    _, data = graded(SHEET, "--per", "cell")
    assert len(data["tests"]) == 24
    failed = [test for test in data["tests"] if test["status"] == "failed"]
    assert [(test["number"], test["name"]) for test in failed] == [("3.2", "conv2: params")]


@pytest.mark.parametrize("per", ["row", "cell"])
@pytest.mark.parametrize("out_of", ["100", "10", "7", "0.37", "33.33"])
def test_the_highest_scores_add_up_to_the_assignment(graded, per, out_of):
    _, data = graded(SHEET, "--per", per, "--out-of", out_of, "--points", "params=3,output=0.7")
    assert total(data) == Fraction(out_of)
    assert 0 < total(data, "score") < Fraction(out_of)
    _, data = graded(SHEET.replace("307200", "307392"), "--per", per, "--out-of", out_of)
    assert total(data, "score") == Fraction(out_of)


@given(st.lists(st.fractions(0, 1000, max_denominator=997), min_size=1, max_size=50))
def test_hundredths(points):
    rounded = hundredths(points)
    assert abs(sum(rounded) - sum(points)) <= Fraction(1, 200)
    assert all(one >= 0 and (one * 100).denominator == 1 for one in rounded)
    assert all(abs(one - exact) <= Fraction(1, 100) for one, exact in zip(rounded, points, strict=True))


CELLS = st.builds(
    GradedCell,
    column=st.sampled_from(["output", "params", "flops"]),
    verdict=st.sampled_from(Verdict),
    max_points=st.integers(1, 3000).map(lambda parts: Fraction(parts, 60)),
    written=st.text(max_size=60),
    expected=st.none() | st.text(max_size=20),
    feedback=st.text(max_size=80),
    derivation=st.lists(st.text(max_size=30), max_size=3).map(tuple),
)
ROWS = st.builds(GradedRow, name=st.text(max_size=30), cells=st.lists(CELLS, min_size=1, max_size=4).map(tuple))


@settings(max_examples=50)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=6).map(tuple),
    by_cell=st.booleans(),
    out_of=st.none() | st.integers(1, 10**5).map(lambda cents: Fraction(cents, 100)),
)
def test_any_sheet(rows, by_cell, out_of):
    """Points add up, nothing is worth more than it may, and no control character or tag of a student's gets through."""
    sheet = GradedSheet("hw1.csv", "net", "lecture", rows)
    data = json.loads(results_json(sheet, GradescopeOptions(by_cell, "visible", out_of)))
    worth = sheet.max_points if out_of is None else out_of
    assert abs(total(data) - worth) <= Fraction(1, 200)
    assert all(0 <= test["score"] <= test["max_score"] for test in data["tests"])
    right = all(cell.verdict.has_points for row in rows for cell in row.cells)
    assert all(test["status"] == "passed" for test in data["tests"]) == right
    if right:
        assert total(data, "score") == total(data)
    for test in data["tests"]:
        assert not any(unicodedata.category(one)[0] == "C" and one != "\n" for one in test["name"] + test["output"])
        code = [line for line in test["output"].splitlines() if line.startswith("    ")]
        shown = test["output"]
        for line in code:
            shown = shown.replace(line, "", 1)
        assert "<" not in shown.replace(r"\<", "")


@pytest.mark.parametrize("option", [(), ("--no-reveal",)])
def test_hints_without_answers(graded, option):
    """Students see the results: they hold no answer unless that is asked for."""
    _, data = graded(SHEET, *option, "--visibility", "after_due_date")
    assert data["visibility"] == "after_due_date"
    assert "params = C'·C·K² + C'" in json.dumps(data, ensure_ascii=False)
    assert "307,392" not in json.dumps(data)
    assert "307392" not in json.dumps(data)


def test_hostile_answers_are_escaped(graded):
    hostile = "<img src=x onerror=alert(1)> **b** [a](javascript:x) \x1b[31m `c`"
    _, data = graded(SHEET.replace("307200", f'"{hostile}"'))
    output = data["tests"][2]["output"]
    assert "\x1b" not in output
    assert r"\<img" in output
    assert r"\[a\]" in output
    assert "<img" not in output.replace(r"\<img", "")


def nothing(folder):
    pass


def two(folder):
    (folder / "a.csv").write_text(SHEET)
    (folder / "b.csv").write_text(SHEET)


def binary(folder):
    (folder / "a.csv").write_bytes(bytes(range(256)) * 10)


def link(folder):
    (folder / "a.csv").symlink_to("/etc/passwd")


def prose(folder):
    (folder / "<b>.csv").write_text("I could not do it.\n")


def blank(folder):
    (folder / "a.csv").write_text(re.sub(r",.*", ",,", SHEET).replace("layer,,", "layer,output,params"))


def unreadable(folder):
    (folder / "a.csv").write_text(re.sub(r",.*", ",many,?!", SHEET).replace("layer,many,?!", "layer,output,params"))


def not_a_workbook(folder):
    (folder / "a.xlsx").write_bytes(b"PK\x03\x04" + b"\0" * 100)


@pytest.mark.parametrize("hand_in", [nothing, two, binary, link, prose, blank, unreadable, not_a_workbook])
def test_a_broken_submission_has_results_too(graded, tmp_path, hand_in):
    """No points, the same tests worth the same, the reason on top, and not one answer."""
    folder = tmp_path / "submission"
    folder.mkdir()
    hand_in(folder)
    code, data = graded(folder, "--reveal")
    assert code == 1
    assert not re.search(r"\d×\d|\d,\d", json.dumps(data, ensure_ascii=False))
    assert (total(data), total(data, "score")) == (24, 0)
    assert data["output"].startswith("**" if hand_in not in (blank, unreadable) else "alexnet, counted")
    assert "<b>" not in data["output"]


def test_the_one_table_of_a_folder(graded, tmp_path):
    """Beside what systems leave there, and beside files that are no tables."""
    folder = tmp_path / "submission"
    (folder / "__MACOSX").mkdir(parents=True)
    (folder / "__MACOSX" / "._hw1.csv").write_text("x")
    (folder / ".DS_Store").write_text("x")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "hw1").mkdir()
    (folder / "hw1" / "hw1.csv").write_text(SHEET)
    _, data = graded(folder)
    assert total(data, "score") == 23


@pytest.mark.parametrize("out_of", ["0", "-1", "1e9", "nan", "0.001", "ten"])
def test_points_that_are_none(cli, tmp_path, out_of):
    (tmp_path / "a.csv").write_text(SHEET)
    result = cli("check", "alexnet", tmp_path / "a.csv", "--gradescope", tmp_path / "r.json", "--out-of", out_of)
    assert result.code == 2
    assert "--out-of takes points" in result.err
    assert not (tmp_path / "r.json").exists()


def test_one_submission_at_a_time(cli, tmp_path):
    result = cli("check", "alexnet", "a.csv", "b.csv", "--gradescope", tmp_path / "r.json")
    assert result.code == 2
    assert "one submission" in result.err
