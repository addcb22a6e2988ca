"""What every command does where its output cannot go: a full disk, a closed pipe, a folder that is not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from archcalc.cli import Commands

resource = pytest.importorskip("resource")

ARCHCALC = [sys.executable, "-m", "archcalc"]

PRINTING = {
    "bench": ["lenet5", "--device-profile", "h100"],
    "budget": ["lenet5", "params > 0"],
    "check": ["lenet5", "answers.csv"],
    "compare": ["lenet5", "alexnet"],
    "diff": ["lenet5", "alexnet"],
    "draw": ["lenet5", "-o", "-"],
    "explain": ["lenet5"],
    "export": ["lenet5", "--to", "spec", "-o", "-"],
    "formula": ["lenet5", "--let", "H=h"],
    "help": ["table"],
    "import": ["lenet5"],
    "lint": ["wrong.yaml"],
    "list": ["lenet5"],
    "memory": ["lenet5"],
    "operators": [],
    "plot": ["lenet5", "-o", "-"],
    "quiz": [],
    "report": ["lenet5", "-o", "-"],
    "rf": ["lenet5"],
    "schema": [],
    "sweep": ["lenet5", "--over", "H=28,32"],
    "table": ["lenet5"],
    "time": ["lenet5", "--images", "60000", "--device", "12TFLOP/s"],
    "verify": ["lenet5", "--device", "cpu"],
    "worksheet": ["lenet5"],
}
"""A call of each command that writes to standard output."""

WRITING = {
    **{
        name: [*words, "-o", "out"]
        for name, words in PRINTING.items()
        if "-o" not in words and name not in ("lint", "help")
    },
    "check --summary": ["check", "lenet5", "answers.csv", "--summary", "out"],
    "check --gradescope": ["check", "lenet5", "answers.csv", "--gradescope", "out"],
    "draw": ["lenet5", "-o", "out.svg"],
    "draw png": ["draw", "lenet5", "-o", "out.png"],
    "draw dot": ["draw", "lenet5", "-o", "out.dot"],
    "export": ["lenet5", "--to", "torch", "-o", "out.py"],
    "export onnx": ["export", "lenet5", "-o", "out.onnx"],
    "export spec": ["export", "lenet5", "-o", "out.yaml"],
    "memory --chart": ["memory", "lenet5", "--chart", "out.svg"],
    "plot": ["lenet5", "-o", "out.pdf"],
    "report": ["lenet5", "-o", "out.html"],
    "rf --draw": ["rf", "lenet5", "--draw", "out.png"],
    "sweep": ["lenet5", "--over", "H=28:300:4", "-o", "out.csv"],
    "sweep parquet": ["sweep", "lenet5", "--over", "H=28:300:4", "-o", "out.parquet"],
    "sweep chart": ["sweep", "lenet5", "--over", "H=28:300:4", "-o", "out.svg"],
    "worksheet xlsx": ["worksheet", "lenet5", "-o", "out.xlsx"],
}
"""A call of each command, and of each of its ways to write, that writes the file `out…`."""


def words(calls: dict[str, list[str]], name: str) -> list[str]:
    return [name, *calls[name]] if " " not in name else calls[name]


@pytest.fixture
def here(tmp_path, monkeypatch, brief_timing) -> Path:
    """A folder to work in, with what the calls read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.csv").write_text("layer,params\nconv1,156\n")
    (tmp_path / "wrong.yaml").write_text("input: [3, 8, 8]\nlayers: [{cov: 8}]\n")
    return tmp_path


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full in the middle of a file: no file of this process grows over ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with patch.object(sys, "dont_write_bytecode", True):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_command_is_tried_here():
    commands = set(Commands().list_commands(None)) - {"serve"}  # which prints and writes nothing
    assert set(PRINTING) == commands
    assert {name.partition(" ")[0] for name in WRITING} == commands - {"lint", "help"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("name", PRINTING)
def test_a_full_disk_is_said(here, cli, name):
    with open("/dev/full", "w") as full:
        result = cli(*words(PRINTING, name), stdout=full)
    assert result.code == 2
    assert result.err.splitlines()[-1] == "error[A202]: No space left on device: standard output"


@pytest.mark.parametrize("name", PRINTING)
def test_a_reader_that_goes_away_is_no_error(here, cli, name):
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "w") as pipe:
        result = cli(*words(PRINTING, name), stdout=pipe)
    assert result.code in (0, 1)
    assert "error:" not in result.err


@pytest.mark.parametrize("name", WRITING)
def test_a_disk_that_is_full_in_the_middle_leaves_the_file_before(here, cli, name):
    arguments = words(WRITING, name)
    assert cli(*arguments).code in (0, 1)
    output = next(here.glob("out*"))
    size = output.stat().st_size
    output.write_text("before")
    before = sorted(os.listdir())
    with files_of_at_most(size // 2):
        result = cli(*arguments)
    assert result.code == 2
    # A workbook is put together in a temporary file, which is the first that cannot be written.
    named = "" if name == "worksheet xlsx" else f": {output.name}"
    assert result.err.splitlines()[-1] == f"error[A202]: File too large{named}"
    assert output.read_text() == "before"
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("name", WRITING)
def test_a_folder_that_is_not_there_is_said(here, cli, name):
    arguments = [word.replace("out", "no/where/out") for word in words(WRITING, name)]
    result = cli(*arguments)
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith("error[A202]: No such file or directory: no/where/out")
    assert not (here / "no").exists()


def test_an_autograder_appears_whole_or_not_at_all(here, cli):
    arguments = ["worksheet", "lenet5", "--autograder", "new/folder"]
    before = sorted(os.listdir())
    with files_of_at_most(10_000):
        result = cli(*arguments)
    assert result.code == 2
    assert result.err == "error[A202]: File too large: new/folder\n"
    assert sorted(os.listdir()) == before
    assert cli(*arguments).code == 0
    assert (here / "new" / "folder" / "run_autograder").stat().st_size


@pytest.mark.parametrize("name", ["table", "draw png", "sweep parquet", "worksheet --autograder"])
def test_a_read_only_folder_is_said(here, name):
    call = {**WRITING, "worksheet --autograder": ["worksheet", "lenet5", "--autograder", "out"]}
    folder = here / "kept"
    folder.mkdir(mode=0o555)
    arguments = [word.replace("out", "kept/out") for word in words(call, name)]
    result = subprocess.run([*powerless(), *ARCHCALC, *arguments], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error[A202]: Permission denied: kept/out")
    assert os.listdir(folder) == []


def test_a_write_protected_file_is_kept(here):
    Path("out").write_text("mine")
    Path("out").chmod(0o444)
    result = subprocess.run([*powerless(), *ARCHCALC, "list", "lenet5", "-o", "out"], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (2, "error[A202]: Permission denied: out\n")
    assert Path("out").read_text() == "mine"


def powerless() -> list[str]:
    """How a command is called for whom permissions count, which they do not for root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no permission is refused to root, and there is no setpriv")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]


CODES = [("table lenet5", 0), ("table lenett", 2), ("--help", 0), ("tabel", 2), ("table lenet5 -o out.txt", 0)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(("line", "code"), [*CODES, ("check lenet5 answers.csv answers.csv", 1)])
def test_what_cannot_be_said_of_errors_changes_nothing(here, line, code):
    with open("/dev/full", "w") as full:
        result = subprocess.run([*ARCHCALC, *line.split()], stdout=subprocess.PIPE, stderr=full, text=True)
    assert result.returncode == code
    assert bool(result.stdout) == (code != 2 and "-o" not in line)


@pytest.mark.parametrize(("line", "code"), CODES)
def test_closed_streams(here, line, code):
    """`archcalc … >&- 2>&-`: a result that was to be printed is lost, and the exit code says so."""
    printed = code == 0 and "-o" not in line
    shell = f"{' '.join(ARCHCALC)} {line}"
    result = subprocess.run(["sh", "-c", f"{shell} >&-"], capture_output=True, text=True)
    assert result.returncode == (2 if printed else code)
    assert "Traceback" not in result.stderr
    assert ("Bad file descriptor" in result.stderr) == printed
    assert subprocess.run(["sh", "-c", f"{shell} >&- 2>&-"]).returncode == result.returncode
    assert subprocess.run(["sh", "-c", f"{shell} 2>&-"], capture_output=True).returncode == code
    if "-o" in line:
        assert Path("out.txt").read_text().startswith("lenet5")


@pytest.mark.parametrize("end", ["| head -c 1", "> /dev/full"])
def test_the_end_of_python_says_nothing_more(here, end):
    result = subprocess.run(["sh", "-c", f"{' '.join(ARCHCALC)} table resnet152 {end}"], capture_output=True, text=True)
    expected = "" if "|" in end else "error[A202]: No space left on device: standard output\n"
    assert result.stderr == expected


@pytest.mark.parametrize("output", ["/dev/stdout", ">(cat)"])
def test_a_file_that_is_a_pipe(here, output):
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    line = f"{' '.join(ARCHCALC)} table lenet5 -o {output} | cat"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert result.stdout.startswith("lenet5")
    assert result.stderr.startswith("wrote /dev/")


def test_an_encoding_without_the_tables_lines(here):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run([*ARCHCALC, "table", "alexnet"], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert "alexnet - AlexNet, one tower - input 3x227x227 - batch 1 - float32\n" in result.stdout
    assert "\n--------" in result.stdout
    assert "K*K" in result.stdout
