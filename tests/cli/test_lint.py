"""`archcalc lint` as a linter: codes, choices, corrections, folders and formats."""

from __future__ import annotations

import io
import json
import sys
import xml.etree.ElementTree as ElementTree

import pytest

BAD = "input: [3, 32, 32]\nlayers: [{conv: 8, kernal: 3}, batch_norm]\n"
BIAS = BAD.replace("kernal", "kernel")
GOOD = BIAS.replace("3}", "3, bias: false}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "bad.yaml").write_text(BAD)
    (tmp_path / "bias.yaml").write_text(BIAS)
    (tmp_path / "other.yaml").write_text("jobs: 1\n")
    return tmp_path


def test_exit_codes(cli, folder):
    assert cli("lint", folder / "bias.yaml").code == 0
    assert cli("lint", folder / "bias.yaml", "--strict").code == 1
    assert cli("lint", folder / "nets" / "bad.yaml").code == 1
    assert cli("lint", folder / "nets" / "bad.yaml", "--exit-zero").code == 0
    assert cli("lint", folder / "missing.yaml").code == 2
    assert cli("lint").code == 2
    assert cli("lint", folder, "--select", "B1").code == 2


def test_a_file_that_cannot_be_read_keeps_nothing_back(cli, folder):
    result = cli("lint", folder / "missing.yaml", folder / "nets" / "bad.yaml", folder / "bias.yaml", "--exit-zero")
    alone = cli("lint", folder / "nets" / "bad.yaml", folder / "bias.yaml")
    assert (result.code, result.out) == (2, alone.out)
    assert result.err.startswith("error[A202]: there is no file")
    assert result.err.endswith(alone.err)


def test_a_folder_without_specs_is_a_mistake(cli, folder):
    (folder / "none").mkdir()
    result = cli("lint", folder / "none", folder / "bias.yaml")
    assert result.code == 2
    assert "there is no spec in " in result.err
    assert "1 spec without errors" in result.err


def test_bundled_names(cli):
    result = cli("lint", "ResNet-50", "lenet5", "--ignore", "A1")
    assert (result.code, result.out, result.err) == (0, "", "2 specs without errors\n")
    assert "--fix needs a spec of yours, and 'alexnet' is bundled" in cli("lint", "alexnet", "--fix").err


def test_what_is_only_guessed_is_not_corrected(cli, tmp_path):
    """A word of another framework and a slip have one right correction; a word that is merely alike has none."""
    path = tmp_path / "net.yaml"
    layers = "{conv: 8, kernel_size: 3, actvn: relu}, {max_pol: 2}, {dense: 10, in_chanels: 8}"
    path.write_text(f"input: [3, 32, 32]\nlayers: [{layers}]\n")
    cli("lint", path, "--fix")
    assert "{conv: 8, kernel: 3, actvn: relu}, {max_pool: 2}, {linear: 10, in_chanels: 8}" in path.read_text()


def test_a_misspelt_file_is_suggested(cli, folder):
    assert "help: did you mean 'bias.yaml'?" in cli("lint", folder / "bais.yaml").err
    assert "help: did you mean 'alexnet'?" in cli("lint", "alexnt").err


def test_folders_codes_and_choices(cli, folder):
    result = cli("lint", folder)
    assert "bad.yaml:2:20: error[A002]: conv has no argument 'kernal'" in result.out
    assert "bias.yaml:2:10: warning[A105]" in result.out
    assert "other" not in result.out
    assert "1 error, 1 warning" in result.err
    assert "2 can be corrected with --fix" in result.err
    assert "A105" not in cli("lint", folder, "--ignore", "A105").out
    assert "A002" not in cli("lint", folder, "--select", "A1").out


def test_corrections(cli, folder):
    assert cli("lint", folder, "--fix", "--select", "A002").code == 0
    assert (folder / "nets" / "bad.yaml").read_text() == BIAS
    result = cli("lint", folder, "--fix")
    assert (result.code, result.out) == (0, "")
    assert (folder / "nets" / "bad.yaml").read_text() == (folder / "bias.yaml").read_text() == GOOD
    assert "2 corrections" in result.err


def test_standard_input(cli, monkeypatch):
    from archcalc.language.library import standard_input

    for words, expected in ((["lint", "-"], "<stdin>:2:20: error[A002]"), (["lint", "-", "--fix"], GOOD)):
        standard_input.cache_clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
        assert cli(*words).out.startswith(expected)
    standard_input.cache_clear()


def test_formats(cli, folder):
    bad = folder / "nets" / "bad.yaml"
    (found,) = json.loads(cli("lint", bad, "--format", "json").out)
    assert found["code"] == "A002"
    assert found["location"] == {"row": 2, "column": 20}
    assert found["fix"] == [{"row": 2, "column": 20, "length": 6, "content": "kernel"}]
    line = cli("lint", bad, "--format", "github").out
    assert line.startswith("::error title=archcalc (A002),file=")
    assert ",line=2,col=20::conv has no argument 'kernal'; did you mean 'kernel'?\n" in line
    run = json.loads(cli("lint", folder, "--format", "sarif").out)["runs"][0]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert [one["ruleId"] for one in run["results"]] == ["A105", "A002"]
    assert {one["ruleId"] for one in run["results"]} <= rules
    assert run["results"][1]["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    suites = ElementTree.fromstring(cli("lint", folder, "--format", "junit").out)
    assert [len(suite.findall("testcase/failure")) for suite in suites] == [1, 1]


def test_a_code_is_explained(cli):
    text = cli("lint", "--explain", "a105").out
    assert text.startswith("A105: bias before batch normalization (warning)\n")
    assert "Use instead:" in text
    assert "A109" in cli("lint", "--explain", "all").out
    assert "unknown code" in cli("lint", "--explain", "X1").err


def test_a_file_without_a_name_is_not_the_folder(cli):
    result = cli("lint", "")
    assert (result.code, result.out) == (2, "")
    assert "expected a file" in result.err
