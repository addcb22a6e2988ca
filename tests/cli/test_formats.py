"""A file's name says the format, in every command that writes one; a wrong name is said before anything is done."""

from __future__ import annotations

import csv
import io
import json

import click
import pytest

from archcalc.cli import Commands
from archcalc.cli._formats import FORMATS

CALLS = {
    "bench": ["lenet5", "--device-profile", "h100"],
    "time": ["lenet5", "--images", "1e6", "--device", "h100"],
    "budget": ["lenet5", "params > 0"],
    "check": ["lenet5", "answers.csv"],
    "compare": ["lenet5", "alexnet"],
    "diff": ["lenet5", "alexnet"],
    "draw": ["lenet5"],
    "explain": ["lenet5", "conv1"],
    "export": ["lenet5"],
    "formula": ["lenet5", "--let", "H=h"],
    "import": ["lenet5"],
    "lint": ["warned.yaml"],
    "list": ["lenet"],
    "memory": ["lenet5"],
    "operators": ["conv"],
    "plot": ["lenet5"],
    "quiz": ["--seed", "1", "--count", "2"],
    "report": ["lenet5"],
    "rf": ["lenet5"],
    "schema": [],
    "sweep": ["lenet5", "--over", "H=32,36", "--of", "params,macs"],
    "table": ["lenet5"],
    "verify": ["lenet5", "--device", "cpu"],
    "worksheet": ["lenet5"],
}
"""A call of each command that has `-o`."""
ONE_FORMAT = {"report": "html", "schema": "json"}


def option(command: str, name: str) -> click.Option | None:
    found = Commands().get_command(None, command)
    return next((one for one in found.params if one.name == name), None)


def formats(command: str) -> list[str]:
    """What a command can write."""
    choice = option(command, "format_")
    return [ONE_FORMAT[command]] if choice is None else list(choice.type.choices)


def looks_like(format: str, content: bytes) -> bool:
    """Whether a file is what its name says."""
    begins = {
        "xlsx": b"PK\x03\x04",
        "parquet": b"PAR1",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "onnx": b"\x08",
        "svg": b"<?xml",
        "junit": b"<?xml",
        "html": b"<",
        "moodle": b"<?xml",
        "canvas": b"PK\x03\x04",
    }
    if format in begins:
        return content.startswith(begins[format])
    text = content.decode("utf-8-sig")
    if format == "json":
        return bool(json.loads(text))
    if format == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        if text.startswith("Worksheet"):  # its title and rules are not of the table
            rows = [row for row in rows if len(row) > 2]
        return len(rows) > 1 and {len(row) for row in rows} == {len(rows[0])} != {1}
    contains = {
        "latex": "\\begin{",
        "tikz": "\\begin{tikzpicture}",
        "markdown": next((mark for mark in ("**", "| ", "# ", "$$") if mark in text), "**"),
        "dot": "digraph",
        "mermaid": "flowchart",
        "python": "def ",
        "torch": "class LeNet5(",
        "spec": "layers:",
        "sarif": '"version": "2.1.0"',
        "text": "\n",
    }
    return contains[format] in text


@pytest.fixture
def here(tmp_path, monkeypatch, brief_timing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "warned.yaml").write_text("input: [3, 31, 31]\nlayers: [{max_pool: 2}]\n")
    (tmp_path / "answers.csv").write_text("layer,params\nconv1,156\n")
    return tmp_path


def test_every_command_that_writes_is_here():
    names = Commands().list_commands(None)
    assert {name for name in names if option(name, "output")} == set(CALLS)
    assert {one for name in CALLS for one in formats(name)} == set(FORMATS)


EACH = [(name, one, suffix) for name in CALLS for one in formats(name) for suffix in FORMATS[one].suffixes]


@pytest.mark.parametrize(("command", "format", "suffix"), EACH)
def test_the_name_says_the_format(here, cli, command, format, suffix):
    if format in ("gif", "apng"):
        pytest.skip("only an operator is drawn as an animation: tests/cli/test_draw_styles.py")
    result = cli(command, *CALLS[command], "-o", f"out{suffix.upper() if suffix == '.csv' else suffix}")
    assert result.code in (0, 1), result.err
    assert result.err.startswith("wrote out.")
    assert looks_like(format, next(here.glob("out*")).read_bytes())


@pytest.mark.parametrize("command", CALLS)
def test_an_unknown_suffix_is_said_first(here, cli, command):
    """Before anything is computed: not even whether the network exists."""
    words = ["nope" if word == "lenet5" else word for word in CALLS[command]]
    result = cli(command, *words, "-o", "out.bmp")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error[A200]: cannot write '.bmp'\nhelp: use one of .")
    assert not list(here.glob("out*"))


@pytest.mark.parametrize("command", [name for name in CALLS if len(formats(name)) > 1])
def test_a_name_against_the_format_is_said_first(here, cli, command):
    one, other = formats(command)[:2]
    flag = option(command, "format_").opts[0]
    words = ["nope" if word == "lenet5" else word for word in CALLS[command]]
    result = cli(command, *words, flag, one, "-o", f"out{FORMATS[other].suffixes[0]}")
    assert (result.code, result.out) == (2, "")
    assert f"{flag} {one} contradicts 'out{FORMATS[other].suffixes[0]}'" in result.err
    assert not list(here.glob("out*"))


@pytest.mark.parametrize("words", [("--format", "csv", "-o", "out.dat"), ("--format", "csv", "-o", "out")])
def test_a_format_that_is_asked_for_goes_where_the_name_says_nothing(here, cli, words):
    assert cli("table", "lenet5", *words).code == 0
    assert next(here.glob("out*")).read_text().startswith("name,input_c")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "nope", "answers.csv", "--summary", "s.md"),
        ("check", "nope", "answers.csv", "--report", "s.csv"),
        ("check", "nope", "answers.csv", "--gradescope", "s.csv"),
        ("memory", "nope", "--chart", "s.gif"),
        ("rf", "nope", "--draw", "s.csv"),
        ("bench", "--calibrate", "-o", "s.txt"),
    ],
)
def test_other_files_have_formats_too(here, cli, words):
    result = cli(*words)
    assert result.code == 2
    assert "cannot write" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("check", "alexnet", "answers.csv", "--summary"),
        ("memory", "lenet5", "--chart"),
        ("rf", "lenet5", "--draw"),
    ],
)
def test_only_the_result_goes_to_the_terminal(here, cli, words):
    result = cli(*words, "-")
    assert (result.code, result.out) == (2, "")
    assert f"{words[-1]} takes the name of a file, got '-'" in result.err


def test_a_terminal_gets_no_workbook(cli):
    result = cli("table", "lenet5", "--format", "xlsx")
    assert (result.code, result.out, result.err) == (2, "", "error[A200]: xlsx needs a file: -o NAME.xlsx\n")


@pytest.mark.parametrize("command", ["table", "compare", "rf", "memory", "list"])
def test_a_workbook_holds_the_numbers_of_the_csv(here, cli, command):
    openpyxl = pytest.importorskip("openpyxl")

    for suffix in ("csv", "xlsx"):
        assert cli(command, *CALLS[command], "-o", f"out.{suffix}").code == 0
    rows = list(csv.reader(io.StringIO((here / "out.csv").read_text())))
    cells = list(openpyxl.load_workbook(here / "out.xlsx").active.values)
    assert len(rows) == len(cells) > 5
    for row, values in zip(rows, cells, strict=True):
        for text, value in zip(row, values, strict=True):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                assert float(text) == pytest.approx(value, rel=1e-14)
            else:
                assert text == str("" if value is None else value).replace("True", "true").replace(
                    "False", "false"
                ).replace("×", "x")
