"""The command line as a whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archcalc.language.library import bundled_networks
from tests.bundled import spec_at


def test_an_unknown_command(cli):
    result = cli("tabel")
    assert result.code == 2
    assert "did you mean 'table'?" in result.err


@pytest.mark.parametrize("word", ["concat", "Concatenate"])
def test_help_on_an_operator_says_the_command_that_has_it(cli, word):
    result = cli("help", word)
    assert result.code == 2
    assert f"unknown command '{word}'" in result.err
    assert "help: for an operator: archcalc operators concat" in result.err


def test_list(cli):
    """Of one family; docs/reference/networks.md is the list of all."""
    entries = json.loads(cli("list", "vgg", "--format", "json").out)
    assert {"vgg11", "vgg16_bn", "vgg19"} <= {entry["name"] for entry in entries}
    text = cli("list", "vgg").out
    assert all(entry["name"] in text for entry in entries)


def test_every_bundled_network_has_a_title_a_source_and_a_year():
    for path, variant in bundled_networks():
        about = spec_at(path).variant(variant).about
        assert about.title, variant or path
        assert about.source, variant or path
        assert about.year, variant or path


def test_a_list_of_what_fits_a_pattern(cli):
    """By part of a name, a family or a title, or a pattern; and by size."""

    def names(*words: str) -> list[str]:
        return [entry["name"] for entry in json.loads(cli("list", *words, "--format", "json").out)]

    assert names("vgg1?_bn") == ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert names("ZF") == ["zfnet", "zfnet_lecture"]
    assert names("googlenet", "--sort", "params") == ["googlenet_torchvision", "googlenet"]
    assert cli("list", "nothing like it").err.startswith("error[A002]: no bundled network fits 'nothing like it'")


def test_lint(cli, spec_file):
    good = spec_file("input: [3, H, W]\nlayers: [{conv: 8, kernel: 3, stride: 2}, {max_pool: 2}]\n", "good.yaml")
    bad = spec_file("input: [3, 8, 8]\nlayers: [{cov: 8}, {max_pol: 2}]\n", "bad.yaml")
    assert cli("lint", good).code == 0
    result = cli("lint", good, bad)
    assert result.code == 1
    assert result.out.count("error[A002]:") == 2


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
