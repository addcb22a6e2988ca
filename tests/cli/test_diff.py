"""`archcalc diff`: the numbers are those of an independent count by hand."""

from __future__ import annotations

import json
import subprocess

import pytest

BEFORE = """\
name: mine
input: [3, 32, 32]
layers:
  - {conv: 8, kernel: 3, padding: 1, name: conv1}
  - {max_pool: 2, name: pool}
  - {flatten, name: flat}
  - {linear: 10, name: fc}
"""
AFTER = BEFORE.replace("kernel: 3, padding: 1", "kernel: 5, padding: 2").replace(
    "  - {max_pool: 2, name: pool}\n", "  - {conv: 8, kernel: 3, stride: 2, padding: 1, name: down}\n"
)


@pytest.fixture
def specs(tmp_path):
    (tmp_path / "a.yaml").write_text(BEFORE)
    (tmp_path / "b.yaml").write_text(AFTER)
    return tmp_path


def test_layers_and_totals(cli, specs):
    found = json.loads(cli("diff", specs / "a.yaml", specs / "b.yaml", "--format", "json").out)
    layers = {one["name"]: one for one in found["layers"]}
    assert {name: one["what"] for name, one in layers.items()} == {
        "conv1": "changed",
        "down": "added",
        "pool": "removed",
        "flat": "changed",
    }
    assert layers["conv1"]["params"] == 8 * 3 * (5 * 5 - 3 * 3)
    assert layers["conv1"]["changes"] == ["kernel 3×3 → 5×5", "padding 1 → 2"]
    assert layers["down"]["params"] == 8 * 8 * 3 * 3 + 8
    assert layers["flat"]["changes"] == ["from pool → down"]
    change = found["totals"]["params"]["after"] - found["totals"]["params"]["before"]
    assert change == sum(one["params"] for one in layers.values()) == 384 + 584


def test_forms(cli, specs):
    text = cli("diff", specs / "a.yaml", specs / "b.yaml").out
    assert "kernel 3×3 → 5×5" in text
    assert "+968" in text
    assert "| + | down" in cli("diff", specs / "a.yaml", specs / "b.yaml", "--format", "markdown").out
    assert "The layers are the same." in cli("diff", "lenet5", "lenet5").out


def test_exit_codes(cli, specs):
    assert cli("diff", specs / "a.yaml", specs / "b.yaml").code == 0
    assert cli("diff", specs / "a.yaml", specs / "b.yaml", "--exit-code").code == 1
    assert cli("diff", specs / "a.yaml", specs / "a.yaml", "--exit-code").code == 0
    assert cli("diff", specs / "a.yaml").code == 2


def test_commits_and_the_driver_of_git(cli, specs, monkeypatch):
    monkeypatch.chdir(specs)

    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", "a.yaml")
    git("commit", "-qm", "a")
    (specs / "a.yaml").write_text(AFTER)
    assert "+968" in cli("diff", "HEAD:a.yaml", "a.yaml").out
    missing = cli("diff", "HEAD:c.yaml", "a.yaml")
    assert missing.code == 2
    assert "'HEAD:c.yaml' is not in git" in missing.err
    assert cli("diff", "--", "-x:c.yaml", "a.yaml").code == 2
    driver = cli("diff", "a.yaml", "b.yaml", "0" * 40, "100644", "a.yaml", "0" * 40, "100644")
    assert (driver.code, driver.out.startswith("a.yaml")) == (0, True)
    (specs / "b.yaml").write_text("nothing")
    driver = cli("diff", "a.yaml", "b.yaml", "0" * 40, "100644", "a.yaml", "0" * 40, "100644")
    assert driver.code == 0
    assert "error[A0" in driver.out
    driver = cli("diff", "a.yaml", "/dev/null", "0" * 40, "100644", "a.yaml", "0" * 40, "100644")
    assert driver.out == "a.yaml: added\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [("resnet18", "resnet34"), ("vgg11", "vgg13"), ("resnet50", "resnext50_32x4d"), ("alexnet", "alexnet_d2l")],
)
def test_the_changes_of_the_layers_add_up_to_those_of_the_totals(cli, before, after):
    """So that no change of a total is without a row: a layer also changes if only its input does."""
    found = json.loads(cli("diff", before, after, "--format", "json").out)
    for key in ("params", "macs"):
        total = found["totals"][key]
        assert sum(one[key] for one in found["layers"]) == total["after"] - total["before"], key
