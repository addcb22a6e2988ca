"""Nothing is printed as `?`: every character that archcalc writes has a stand-in for encodings that lack it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import archcalc
from archcalc.cli import Commands
from archcalc.cli._characters import spelled
from tests.cli.test_streams import PRINTING, here, words  # noqa: F401

ROOT = Path(archcalc.__file__).resolve().parent
SPECS = ROOT.parent / "specs"


def written() -> set[str]:
    """Every character beyond ASCII in archcalc's own texts: its code and the bundled specs.

    Two files name characters that students write, and write none.
    """
    read = {"spelling.py", "printed.py"}
    files = [
        *(file for file in ROOT.rglob("*.py") if file.name not in read),
        *ROOT.rglob("*.yaml"),
        *SPECS.rglob("*.yaml"),
    ]
    return {one for file in files for one in file.read_text(encoding="utf-8") if not one.isascii()}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "koi8-r", "utf-8"])
def test_every_character_that_is_written_has_a_stand_in(encoding):
    for character in sorted(written()):
        found = spelled(character, encoding)
        found.encode(encoding)
        assert found, character
        assert "?" not in found, character
        assert "\\u" not in found, character


@pytest.mark.parametrize(
    ("text", "encoding", "right"),
    [
        ("5 − 2 ─ W′ 3×3", "ascii", "5 - 2 - W' 3x3"),
        ("5 − 2 ─ W′ 3×3", "cp1252", "5 - 2 - W' 3×3"),
        ("alexnet · input · 9C²·H", "ascii", "alexnet - input - 9C^2*H"),
        ("⌊(W − K)/S⌋ + 1", "cp1252", "floor((W - K)/S) + 1"),
        ("10¹⁰ + C² + 10⁻⁶", "cp1252", "10^10 + C² + 10^-6"),
        ("Dollár, 神経, 😀", "ascii", "Dollar, \\u795e\\u7d4c, \\U0001f600"),
        ("5 − 2", "utf-8", "5 − 2"),
        ("5 − 2", None, "5 − 2"),
    ],
)
def test_spelled(text, encoding, right):
    assert spelled(text, encoding) == right


def printed(cli, encoding: str, *arguments: str) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    assert cli(*arguments, stdout=stream).code in (0, 1)
    return raw.getvalue().decode("ascii" if encoding == "ascii" else encoding)


TEXTS = sorted(set(PRINTING) - {"draw", "export", "lint", "plot", "report", "verify"})


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("name", TEXTS)
def test_what_a_command_prints(here, cli, name, encoding):  # noqa: F811
    arguments = [*words(PRINTING, name), *(["--seed", "1"] if name == "quiz" else [])]
    found, whole = printed(cli, encoding, *arguments), cli(*arguments).out
    assert found.count("?") == whole.count("?")
    assert not re.search(r"\\u[0-9a-f]{4}", found.replace(r"\\u", ""))
    assert len(found.splitlines()) == len(whole.splitlines())


@pytest.mark.parametrize("name", Commands().list_commands(None))
def test_help(cli, name):
    found, whole = printed(cli, "ascii", name, "--help"), cli(name, "--help").out
    assert found.count("?") == whole.count("?")
    assert "\\u" not in found


def test_remarks(cli, capfd):
    import os
    import subprocess
    import sys

    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "archcalc", "table", "lenet5", "--input", "1,2,2"]
    result = subprocess.run(command, capture_output=True, env=environment)
    assert result.returncode == 2
    assert b"?" not in result.stderr.replace(b"did you mean", b"")
    result.stderr.decode("ascii")
