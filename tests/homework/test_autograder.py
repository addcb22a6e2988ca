"""The autograder's folder, run as Gradescope runs it: setup.sh once, then run_autograder for each submission, with the
submission in `submission/` and the result in `results/results.json`. A scratch folder stands for /autograder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

BASE = """name: base
input: [3, 32, 32]
params: {width: 8}
layers:
  - {conv: width, kernel: 3, padding: 1, name: conv1}
  - {max_pool: 2, name: pool1}
  - flatten
  - {linear: 10, name: fc}
"""
OWN = "name: own\nextends: parts/base.yaml\nparams: {width: 16}\n"


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={**os.environ, **environment}
    )


def alone(script: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as in Gradescope's container: no variable of this environment, and no package index."""
    path = f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin"
    environment = {"PATH": path, "AUTOGRADER_ROOT": str(root), "HOME": str(root), "PIP_NO_INDEX": "1"}
    return subprocess.run([str(script)], capture_output=True, text=True, env=environment, cwd=root)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder for a network of one's own, whose spec extends another file, set up in a scratch /autograder."""
    folder = tmp_path_factory.mktemp("autograder")
    (folder / "parts").mkdir()
    (folder / "parts" / "base.yaml").write_text(BASE)
    (folder / "own.yaml").write_text(OWN)
    made = run(
        *(sys.executable, "-m", "archcalc", "worksheet", folder / "own.yaml", "--autograder", folder / "hw1"),
        *("--out-of", "10", "--points", "params=2", "--set", "width=4", "--total"),
    )
    assert made.returncode == 0, made.stderr
    shutil.copytree(folder / "hw1", folder / "root" / "source")
    shutil.rmtree(folder / "parts")
    setup = alone(folder / "root" / "source" / "setup.sh", folder / "root")
    assert setup.returncode == 0, setup.stderr
    return folder / "root"


def grade(root: Path, content: bytes | None, name: str = "hw1.csv") -> dict:
    shutil.rmtree(root / "submission", ignore_errors=True)
    (root / "submission").mkdir()
    if content is not None:
        (root / "submission" / name).write_bytes(content)
    result = alone(root / "source" / "run_autograder", root)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    return json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))


def test_the_key_has_all_points(installed):
    data = grade(installed, (installed / "source" / "key.csv").read_bytes())
    assert [test["name"] for test in data["tests"]] == ["conv1", "pool1", "flatten1", "fc", "total"]
    assert all(test["status"] == "passed" for test in data["tests"])
    assert round(sum(test["score"] for test in data["tests"]), 2) == 10
    # 4·3·9 + 4, by hand: the options of the worksheet hold for grading
    assert "conv1,4x32x32,16384 B,112," in (installed / "source" / "key.csv").read_text()


def test_a_mistake_is_found(installed):
    key = (installed / "source" / "key.csv").read_bytes()
    data = grade(installed, key.replace(b"B,112,", b"B,108,"))
    failed = [test for test in data["tests"] if test["status"] == "failed"]
    assert [(test["name"], test["extra_data"]["mistakes"]) for test in failed] == [("conv1", ["bias forgotten"])]


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 1000, b"PK\x03\x04 no workbook", b"layer\nconv1\n"])
def test_a_broken_submission_has_results(installed, content):
    data = grade(installed, content)
    assert sum(test["score"] for test in data["tests"]) == 0
    assert round(sum(test["max_score"] for test in data["tests"]), 2) == 10


def test_results_stand_there_even_if_nothing_works(installed, tmp_path):
    """The last submission's results never stay."""
    root = tmp_path / "root"
    (root / "results").mkdir(parents=True)
    (root / "results" / "results.json").write_text('{"score": 100}')
    shutil.copytree(installed / "source", root / "source")
    data = grade(root, b"x")
    assert data["score"] == 0
    assert "autograder failed" in data["output"]


def test_the_zip_has_its_files_at_the_top(installed):
    source = installed / "source"
    assert {"setup.sh", "run_autograder", "key.csv", "requirements.txt", "spec", "wheels"} < {
        path.name for path in source.iterdir()
    }
    assert all(os.access(source / name, os.X_OK) for name in ("setup.sh", "run_autograder"))
    assert (source / "run_autograder").read_text().startswith("#!")
    assert b"\r" not in (source / "run_autograder").read_bytes()
    pins = (source / "requirements.txt").read_text().splitlines()
    assert len(pins) == 1 + len(list((source / "wheels").iterdir()))
    assert all("==" in pin and " --hash=sha256:" in pin for pin in pins)
    with zipfile.ZipFile(next(source.glob("archcalc-*.whl"))) as wheel:
        assert wheel.testzip() is None
        assert "archcalc/specs/alexnet.yaml" in wheel.namelist()


def test_a_folder_with_something_in_it_is_left_alone(cli, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = cli("worksheet", "lenet5", "--autograder", tmp_path)
    assert result.code == 2
    assert "name a new or an empty one" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_of_a_failure(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("archcalc.homework.courses.autograder.write_wheels", lambda folder: 1 / 0)
    result = cli("worksheet", "lenet5", "--autograder", tmp_path / "hw1")
    assert (result.code, "ZeroDivisionError" in result.err) == (70, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("lenet5",),
        ("conv 3x3 C->C", "--ask", "params,macs"),
        ("resnet18", "--depth", "2", "--ask", "output,params", "--batch", "2"),
        ("vgg11", "--let", "classes=n", "--ask", "params"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_key_of_any_homework_is_right(cli, tmp_path, arguments):
    """Numbers, formulas, groups: `archcalc check` gives its own key all points."""
    assert cli("worksheet", *arguments, "--autograder", tmp_path / "hw").code == 0
    graded = cli("check", arguments[0], tmp_path / "hw" / "key.csv", *arguments[1:])
    assert graded.code == 0, graded.out + graded.err


@pytest.mark.parametrize(("options", "reveals"), [((), False), (("--no-reveal",), False), (("--reveal",), True)])
def test_answers_are_given_only_where_that_is_asked_for(cli, tmp_path, options, reveals):
    assert cli("worksheet", "lenet5", "--autograder", tmp_path / "hw", *options).code == 0
    assert ("--reveal" in (tmp_path / "hw" / "run_autograder").read_text().split()) is reveals


def test_names_are_quoted(cli, tmp_path):
    (tmp_path / "a $(touch pwned) 'b'.yaml").write_text(BASE)
    result = cli("worksheet", tmp_path / "a $(touch pwned) 'b'.yaml", "--autograder", tmp_path / "hw")
    assert result.code == 0
    script = tmp_path / "hw" / "run_autograder"
    assert run("bash", "-n", script).returncode == 0
    # A stand-in for python prints what it is given.
    python = tmp_path / "archcalc" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$4"\n')
    python.chmod(0o755)
    (tmp_path / "hw").rename(tmp_path / "source")
    result = run(tmp_path / "source" / "run_autograder", AUTOGRADER_ROOT=str(tmp_path))
    assert result.stdout.strip() == "spec/a $(touch pwned) 'b'.yaml"
    assert not (tmp_path / "source" / "pwned").exists()
