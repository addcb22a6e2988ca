"""Networks from elsewhere on the command line: where they are taken, how they are marked, and what is kept."""

from __future__ import annotations

import json

import pytest

import archcalc
from archcalc.imports import opening
from archcalc.network import Layer, Network
from archcalc.ops import registry

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.head = nn.Linear(width, 10)
    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
"""
GIVEN = ("net.py:Net", "--input", "3,32,32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("imported")
    (made / "net.py").write_text(NET)
    return made


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ARCHCALC_CACHE", str(folder / "cache"))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["table", *GIVEN],
        ["compare", *GIVEN, "lenet5"],
        ["compare", *GIVEN, "--conventions"],
        ["rf", *GIVEN],
        ["memory", *GIVEN, "--mode", "training"],
        ["budget", *GIVEN, "params < 1000"],
        ["budget", "net.py:Net(width=8)", *GIVEN[1:], "params < 1000"],
        ["explain", *GIVEN, "body.0"],
        ["formula", *GIVEN, "--let", "H=2*h"],
        ["draw", *GIVEN, "-o", "-", "--format", "mermaid"],
        ["report", *GIVEN, "-o", "-"],
        ["worksheet", *GIVEN],
        ["bench", *GIVEN, "--device-profile", "h100"],
        ["export", *GIVEN, "--to", "spec", "-o", "-"],
        ["import", *GIVEN],
        ["schema", *GIVEN],
        ["lint", *GIVEN],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_every_command_that_takes_a_network_takes_it(words, cli, here):
    result = cli(*words)
    assert (result.code, result.out != "") == (0, True), result.err


def test_running_a_file_is_said_and_what_is_kept_is_not_run(cli, here):
    words = ("table", "net.py:Net(width=9)", "--input", "3,32,32")
    first, second, anew = cli(*words), cli(*words), cli(*words, "--no-cache")
    assert (first.err, second.err, anew.err) == ("running net.py\n", "", "running net.py\n")
    assert first.out == second.out == anew.out


def test_an_imported_network_is_written_as_a_spec_that_is_equal(cli, here):
    assert cli("import", *GIVEN, "-o", "net.yaml").err.endswith("wrote net.yaml\n")
    spec, imported = (json.loads(cli("table", *words, "--format", "json").out) for words in (["net.yaml"], GIVEN))
    assert spec["totals"] == imported["totals"]
    assert [layer["name"] for layer in spec["layers"]] == [layer["name"] for layer in imported["layers"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table", "net.py:Net"], "error[A200]: the shape of the input is not known\nhelp: give it without the batch"),
        (["table", *GIVEN, "--set", "width=3"], "only a spec has parameters to set"),
        (["formula", *GIVEN, "--let", "width=w"], "Net has no parameter or size 'width'"),
        (["sweep", *GIVEN, "--over", "width=1,2"], "Net has no parameter or size 'width'"),
        (["sweep", *GIVEN, "--over", "width=a,b"], "net.py:Net has no parameter 'width', only sizes of its input"),
        (["lint", *GIVEN, "--fix"], "help: write one first: archcalc import net.py:Net --input 3,32,32 -o net.yaml"),
        (["table", "weights.pth"], "may run code when it is opened"),
        (["table", "none.onnx"], "there is no file 'none.onnx'"),
        (["table", "net.py"], "help: name its model: net.py:Net"),
    ],
)
def test_errors_say_what_to_do(words, said, cli, here):
    result = cli(*words)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_sweep_over_the_sizes_of_the_input_gives_what_each_import_says(cli, here):
    model = "net.py:Net(width=5)"
    swept = cli("sweep", model, "--input", "3,32,32", "--over", "H=16,40", "--format", "csv")
    assert swept.err.startswith("running net.py\n")
    for line in swept.out.splitlines()[1:]:
        size, params, macs = line.split(",")
        there = json.loads(cli("table", model, "--input", f"3,{size},{size}", "--format", "json").out)
        assert (there["totals"]["params"], there["totals"]["macs"]) == (int(params), int(macs))


def test_a_worksheets_autograder_has_a_spec_and_no_code(cli, here, tmp_path):
    result = cli("worksheet", *GIVEN, "--ask", "params", "--autograder", tmp_path / "grader")
    assert result.code == 0, result.err
    script = (tmp_path / "grader" / "run_autograder").read_text()
    assert "check spec/network.yaml" in script
    assert "net.py" not in script
    assert "--input" not in script
    assert cli("check", tmp_path / "grader/spec/network.yaml", tmp_path / "grader/key.csv", "--ask", "params").code == 0


def test_lint_checks_the_spec_that_import_writes(cli, here):
    result = cli("lint", *GIVEN)
    assert "net.py:Net:5:9: warning[A105]" in result.out
    assert "these lines are written by: archcalc import net.py:Net --input 3,32,32 -o net.yaml" in result.err
    assert "{conv: 16" in cli("import", *GIVEN).out.splitlines()[4]


def test_a_schema_knows_the_blocks_of_the_spec_that_import_writes(cli, here):
    (here / "deep.py").write_text(
        "from torch import nn\nclass Block(nn.Sequential):\n"
        "    def __init__(self, i, o): super().__init__(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU())\n"
        "Net = lambda: nn.Sequential(Block(3, 8), Block(8, 16), Block(16, 32), Block(32, 64))\n"
    )
    own = json.loads(cli("schema", "deep.py:Net", "--input", "3,32,32").out)
    assert set(own["$defs"]) - set(json.loads(cli("schema").out)["$defs"]) == {"block_block"}


def test_completion_runs_nothing(here):
    from archcalc.cli._completion import LayerParam

    class Context:
        params = {"network": "net.py:Net"}

    assert LayerParam().shell_complete(Context(), None, "") == []  # type: ignore[arg-type]


# -- marks


def marked() -> Network:
    """A network with a generic layer, an opaque one whose work is not known, and a module that is not called."""
    kinds = registry()
    conv = Layer("stem.conv", kinds["conv"]([(3, 8, 8)], channels=4, kernel=3), ("input",))
    generic = Layer("stem.cumsum", kinds["generic"]([(4, 6, 6)], shape=(4, 6, 6), operation="cumsum"), ("stem.conv",))
    opaque = Layer("boxes", kinds["opaque"]([(4, 6, 6)], shape=(10, 4)), ("stem.cumsum",))
    return Network(
        "marked",
        {"input": (3, 8, 8)},
        (conv, generic, opaque),
        ("boxes",),
        groups={"stem": ""},
        uncalled={"aux_classifier": 2_363_413},
    )


@pytest.fixture
def imported(monkeypatch, here):
    monkeypatch.setattr(opening.Opening, "open", lambda self, source, given=(): marked())
    return "timm:marked"


def test_marks_are_in_the_table(cli, imported):
    result = cli("table", imported, "--exact")
    lines = result.out.splitlines()
    assert result.code == 0
    assert any(line.startswith("stem.cumsum (generic)") for line in lines)
    assert any(line.startswith("boxes (opaque)") for line in lines)
    (total,) = (line for line in lines if line.startswith("total"))
    assert total.startswith("total, with 1 generic layer and 1 opaque layer")
    assert "≥ 3,888" in total
    text = " ".join(result.out.split())
    assert "≥: a lower bound, because the work of these layers is not known: boxes." in text
    assert "Generic layers have no operator of their own" in text
    assert "Not called, and not counted: aux_classifier (2,363,413 parameters)." in text
    assert "stem, with 1 generic layer" in cli("table", imported, "--depth", "1").out


def test_marks_are_in_the_data(cli, imported):
    data = json.loads(cli("table", imported, "--format", "json").out)
    assert [layer.get("exactness") for layer in data["layers"]] == [None, "generic", "opaque"]
    assert (data["unknown_work"], data["uncalled"]) == (["boxes"], {"aux_classifier": 2363413})
    rows = cli("table", imported, "--format", "csv").out.splitlines()
    assert not any("≥" in row for row in rows)


def test_marks_are_in_the_drawing(cli, imported):
    drawing = cli("draw", imported, "--format", "dot", "-o", "-").out
    assert "cumsum (generic)" in drawing
    assert "opaque" in drawing
    assert "1 generic" in cli("draw", imported, "--depth", "1", "--format", "dot", "-o", "-").out


@pytest.mark.parametrize("words", [["table"], ["budget", "params < 1000"]])
def test_strict_is_about_work_that_is_not_known(words, cli, imported):
    command, *more = words
    assert cli(command, imported, *more).code == 0
    result = cli(command, imported, *more, "--strict")
    assert result.code == 1
    assert "marked: MACs and FLOPs are lower bounds, the work of these layers is not known: boxes" in result.err
    assert cli(command, "lenet5", *(more and ["params > 0"]), "--strict").code == 0


def test_a_comparison_says_which_totals_are_lower_bounds(cli, imported):
    text = " ".join(cli("compare", imported, "lenet5").out.split())
    assert "MACs and FLOPs of marked are lower bounds" in text


def test_work_that_a_spec_gives_is_known(cli, spec_file):
    path = spec_file("name: n\ninput: [3, 8, 8]\nlayers: [{opaque: [4], macs: 1000}]\n")
    assert "≥" not in cli("table", path, "--strict").out
    path = spec_file("name: n\ninput: [3, 8, 8]\nlayers: [{opaque: [4]}]\n")
    assert cli("table", path, "--strict").code == 1


def test_the_command_is_called_import():
    from archcalc.cli import cli as group

    assert "import" in group.list_commands(None)
    assert group.get_command(None, "import_") is None
    assert archcalc.load("lenet5").uncalled == {}
