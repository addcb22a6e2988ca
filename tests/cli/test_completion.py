"""Shell completion, asked for as the shells ask for it: by environment variables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import click
import pytest
import yaml

import archcalc
from archcalc.cli import Commands
from archcalc.cli._choices import OneOf
from archcalc.cli._completion import COMPLETED
from tests import command_line

ARCHCALC = [sys.executable, "-c", "import sys; sys.argv[0] = 'archcalc'; from archcalc.cli import main; main()"]


def run(**variables: str) -> str:
    """What the command prints to a shell that asks it in these variables."""
    with patch.dict(os.environ, variables):
        result = command_line.run()
    assert (result.code, result.err) == (0, "")
    return result.out


def complete(shell: str, line: str) -> list[str]:
    """What a shell is offered for the last word of a line, without the kinds and explanations."""
    words = line.split(" ")
    if shell == "fish":
        out = run(_ARCHCALC_COMPLETE="fish_complete", COMP_WORDS=line, COMP_CWORD=words[-1])
        return [entry.partition(",")[2].partition("\t")[0] for entry in out.splitlines()]
    out = run(_ARCHCALC_COMPLETE=f"{shell}_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    lines = out.splitlines()
    return lines[1::3] if shell == "zsh" else [entry.partition(",")[2] for entry in lines if entry]


ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("archcalc expl", ["explain"]),
        ("archcalc table resnet1", ["resnet18", "resnet101", "resnet152", "resnet101_v1", "resnet152_v1"]),
        ("archcalc rf alexnet pool", ["pool1", "pool2", "pool5"]),
        ("archcalc explain lenet5 fc", [layer.name for layer in archcalc.load("lenet5") if layer.name[:2] == "fc"]),
        ("archcalc table alexnet --fo", ["--format"]),
        ("archcalc table alexnet --format la", ["latex"]),
        ("archcalc table alexnet --convention fv", ["fvcore"]),
        ("archcalc table alexnet --dtype bf", ["bfloat16"]),
    ],
)
def test_completes(shell, line, offered):
    found = complete(shell, line)
    assert set(offered) <= set(found)
    assert all(word.startswith(line.split(" ")[-1]) for word in found)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("archcalc memory alexnet --mode tr", ["training"]),
        ("archcalc memory alexnet --optimizer ada", ["adam", "adamw", "adafactor", "adagrad", "adam8bit"]),
        ("archcalc table alexnet --precision w", ["w8a8", "w4a16"]),
        ("archcalc table alexnet --columns name,par", ["name,params"]),
        ("archcalc table alexnet --columns name,n", []),
        ("archcalc explain alexnet conv1 --quantity r", ["rf"]),
        ("archcalc formula alexnet --of params,ma", ["params,macs"]),
        ("archcalc sweep resnet --over width=1,2 --pareto par", ["params"]),
        ("archcalc plot alexnet --metric mem", ["memory"]),
        ("archcalc quiz --topic conv,poo", ["conv,pooling"]),
        ("archcalc worksheet alexnet --ask output,par", ["output,params"]),
        ("archcalc check alexnet a.csv --tolerance dig", ["digits"]),
        ("archcalc operators max_p", ["max_pool"]),
        ("archcalc bench alexnet --device-profile h1", ["h100"]),
        ("archcalc budget zfnet_", ["zfnet_lecture"]),
        ("archcalc draw alexnet --heat r", ["rf"]),
        ("archcalc export alexnet --to on", ["onnx"]),
    ],
)
def test_words_of_a_list(line, offered):
    assert complete("bash", line) == offered


def test_every_option_has_a_completion_or_takes_what_nobody_can_list():
    """A new option that takes a text says here why nothing can be offered, or is completed."""
    free = {
        "settings": "NAME=VALUE",
        "last": "words",
        "first": "words",
        "hide": "words",
        "labels": "words",
        "page": "a size",
        "font": "a name",
        **dict.fromkeys(("select", "ignore", "explain"), "codes"),
        "given": "NAME=PERCENT",
        "inputs": "sizes",
        "lets": "NAME=EXPR",
        "over": "NAME=VALUES",
        "keep": "a condition",
        "per": "names that --over gives",
        "dask": "an address",
        "unit": "a position",
        "points": "A=N",
        "out_of": "a number",
        "budget": "a size",
        "room": "a size",
        "batch": "numbers",
        **dict.fromkeys(("freeze", "train", "on"), "a pattern"),
        "prune": "LAYER=N",
        "sparsity": "a share",
        **dict.fromkeys(("samples", "tokens", "epochs"), "a number"),
        "utilization": "a share",
        "caption": "a text",
        "label": "a word",
        "title": "a text",
        "seed": "a student's name",
        "maps": "HEADING=KEY",
    }
    commands = Commands()
    for name in commands.list_commands(None):
        for parameter in commands.get_command(None, name).params:
            plain = type(parameter.type) is click.types.StringParamType
            assert not plain or parameter.name in free, f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", [name for name, type_ in COMPLETED.items() if isinstance(type_, OneOf)])
def test_every_list_is_there(name):
    """The lists are named by their modules, which nothing else checks."""
    assert all(isinstance(word, str) and word for word in COMPLETED[name].words())
    assert list(COMPLETED[name].words())


def test_files_of_this_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("input: [3, 8, 8]\nlayers: [{conv: 4, kernel: 3, name: first}]\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnets").mkdir()
    assert complete("bash", "archcalc table resnet1")[:1] == ["resnet18"]
    assert "resnets/" in complete("bash", "archcalc table resn")
    assert complete("bash", "archcalc rf mine.yaml fi") == ["first"]


def test_a_spec_with_mistakes_offers_no_layers(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("layers: [cnv]\n")
    monkeypatch.chdir(tmp_path)
    assert complete("bash", "archcalc rf mine.yaml c") == []


def test_nothing_heavy_is_imported():
    code = (
        "import os, sys; os.environ.update(_ARCHCALC_COMPLETE='bash_complete', COMP_WORDS='archcalc rf alexnet po', "
        "COMP_CWORD='3'); sys.argv = ['archcalc']\n"
        "from archcalc.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*{'torch', 'numpy', 'sympy', 'networkx', 'graphviz', 'matplotlib'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[0] == "plain,pool1"
    assert out.splitlines()[-1] == ""


@pytest.fixture
def path(tmp_path) -> str:
    """A PATH with the command `archcalc`."""
    command = tmp_path / "archcalc"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{ARCHCALC[-1]}" "$@"\n')
    command.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


BASH = """
COMP_WORDS=(archcalc rf alexnet po); COMP_CWORD=3; _archcalc_completion archcalc
printf "%s\\n" "${COMPREPLY[@]}"
"""
FISH = """
complete --do-complete "archcalc rf alexnet po"
"""


@pytest.mark.parametrize(("shell", "lines"), [("bash", BASH), ("fish", FISH)])
def test_in_the_shell_itself(path, shell, lines):
    """The script that the shell reads once, and what that shell then offers for `archcalc rf alexnet po`."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    script = run(_ARCHCALC_COMPLETE=f"{shell}_source")
    environment = {**os.environ, "PATH": path}
    found = subprocess.run([shell, "-c", script + lines], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["pool1", "pool2", "pool5"]


def typed(path: str, folder: Path, *lines: str) -> str:
    """What a real, interactive bash shows in a folder where somebody types lines; `\\t` is Tab."""
    import pty
    import select

    script = run(_ARCHCALC_COMPLETE="bash_source")
    (folder / ".completion").write_text(script)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        environment = {**os.environ, "PATH": path, "PS1": "$ ", "TERM": "dumb", "INPUTRC": "/dev/null"}
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
    shown = b""

    def until(mark: bytes) -> None:
        nonlocal shown
        while mark not in shown:
            ready, _, _ = select.select([terminal], [], [], 60)
            assert ready, shown
            shown += os.read(terminal, 4096)

    try:
        os.write(terminal, b"bind 'set enable-bracketed-paste off'; source .completion; echo read''y\n")
        until(b"ready\r\n")
        for line in lines:
            shown = b""
            # Echo shows the line as it is completed, without running it.
            os.write(terminal, line.encode())
            until(line.rstrip("\t").split()[-1].encode())
            os.write(terminal, b"\x01echo \x05; echo do''ne\n")
            until(b"done\r\n")
        return shown.decode(errors="replace")
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(pid, 0)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("archcalc lint mi\t", "archcalc lint mine.yaml"),
        ("archcalc table min\t", "archcalc table mine.yaml"),
        ("archcalc table alexnet -o fo\t", "archcalc table alexnet -o folder/"),
        ("archcalc check alexnet folder/ans\t", "archcalc check alexnet folder/answers.csv"),
        ("archcalc budget alexnet --from folder/ans\t", "archcalc budget alexnet --from folder/answers.csv"),
        ("archcalc table alexnet --format mark\t", "archcalc table alexnet --format markdown"),
        ("archcalc table alexnet --columns name,outp\t_c", "archcalc table alexnet --columns name,output_c"),
    ],
)
def test_a_real_bash_completes(path, tmp_path, line, completed):
    (tmp_path / "mine.yaml").write_text("input: [3, 8, 8]\nlayers: [relu]\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "answers.csv").write_text("layer,params\n")
    assert completed in typed(path, tmp_path, line)


def test_the_pre_commit_hook_runs(tmp_path):
    """What `.pre-commit-hooks.yaml` says is run on files as pre-commit does: the entry, then the files."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, *words = hook["entry"].split()
    assert (program, hook["language"]) == ("archcalc", "python")
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("input: [3, 8, 8]\nlayers: [relu]\n")
    bad.write_text("input: [3, 8, 8]\nlayers: [rellu]\n")
    codes = [subprocess.run([*ARCHCALC, *words, str(path)], capture_output=True).returncode for path in (good, bad)]
    assert codes == [0, 1]
