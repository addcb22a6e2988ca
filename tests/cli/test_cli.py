"""The command line as a whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ARCHCALC = [sys.executable, "-m", "archcalc"]


def test_help_shows_every_command_with_an_example(cli):
    text = cli("--help").out
    commands = text.partition("Commands:")[2].partition("Examples:")[0]
    names = [line.split()[0] for line in commands.splitlines() if line.startswith("  ") and line[2] != " "]
    assert {"table", "list", "lint", "operators"} <= set(names)
    assert all(f"archcalc {name}" in text.partition("Examples:")[2] for name in names)


def test_an_unknown_command(cli):
    result = cli("tabel")
    assert result.code == 2
    assert "did you mean 'table'?" in result.err


def test_list(cli):
    entries = json.loads(cli("list", "--format", "json").out)
    assert {"alexnet", "vgg16_bn", "googlenet", "resnet152", "zfnet", "lenet5"} <= {entry["name"] for entry in entries}
    assert all(entry["title"] and entry["source"] and entry["year"] for entry in entries)
    text = cli("list").out
    assert all(entry["name"] in text for entry in entries)


def test_lint(cli, spec_file):
    good = spec_file("input: [3, H, W]\nlayers: [{conv: 8, kernel: 3, stride: 2}, {max_pool: 2}]\n", "good.yaml")
    bad = spec_file("input: [3, 8, 8]\nlayers: [{cov: 8}, {max_pol: 2}]\n", "bad.yaml")
    assert cli("lint", good).code == 0
    result = cli("lint", good, bad)
    assert result.code == 1
    assert result.out.count("error:") == 2


def test_every_bundled_spec_is_without_mistakes(cli):
    folder = Path(__file__).resolve().parents[2] / "specs"
    result = cli("lint", *sorted(folder.glob("*.yaml")))
    assert result.code == 0, result.out


def test_bundled_names_found_by_the_quick_scan_are_those_of_the_parsed_specs():
    from archcalc.language.library import bundled, bundled_folder, open_spec, plain

    expected = set()
    for path in bundled_folder().glob("*.yaml"):
        spec = open_spec(path)
        expected |= {plain(spec.name), *map(plain, spec.variants)}
    assert set(bundled()) == expected


def test_a_limit_raised_above_what_python_can_hold(cli, spec_file, monkeypatch):
    """Then it is Python's stack that ends, which is said in words too."""
    blocks = "".join(f"  b{at}: {{layers: [b{at + 1}]}}\n" for at in range(999))
    spec = spec_file(f"input: [3, 8, 8]\nblocks:\n{blocks}  b999: {{layers: [relu]}}\nlayers: [b0]\n")
    monkeypatch.setenv("ARCHCALC_MAX_NESTING", "100000")
    result = cli("table", spec)
    assert result.code == 2
    assert "nested too deep" in result.err


def test_heavy_packages_are_not_imported():
    code = (
        "import sys; sys.argv = ['archcalc', 'table', 'resnet50']\n"
        "from archcalc.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'sympy', 'numpy', 'networkx', 'rich', 'graphviz', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_reader_that_goes_away_is_no_error():
    process = subprocess.Popen([*ARCHCALC, "table", "resnet152"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        result = subprocess.run([*ARCHCALC, "table", "alexnet"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
