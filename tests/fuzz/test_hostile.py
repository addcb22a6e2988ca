"""Broken specs are networks or mistakes said in words, quickly and in little memory; and those made by hand.

`python -m tests.fuzz --hostile 200000` runs more of them. Others made by hand stand in `tests/spec`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archcalc
from archcalc import SpecError
from archcalc.language.library import open_spec
from tests.fuzz.hostile import Watch, broken


def test_broken_specs():
    """In a process of its own, which has used no memory before."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--hostile", "300"], capture_output=True, text=True, cwd=os.getcwd()
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "300 inputs" in run.stdout


def test_the_watch_sees_faults(monkeypatch):
    def complaint(fault):
        monkeypatch.setattr("tests.fuzz.hostile.take", fault)
        return Watch().complaint(b"")

    def hang(raw):
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.hostile.MOST_SECONDS", 0.02)
    assert complaint(hang) == "it hangs"
    assert complaint(lambda raw: 1 // 0).startswith("ZeroDivisionError")
    assert "steer a terminal" in complaint(lambda raw: (_ for _ in ()).throw(Control()))


class Control(SpecError):
    def __init__(self) -> None:
        super().__init__("x")

    def __str__(self) -> str:
        return "\x1b[31m"


def test_the_same_seed_gives_the_same_inputs():
    assert list(broken(20, 7)) == list(broken(20, 7)) != list(broken(20, 8))


@pytest.mark.parametrize("name", ["x" * 10_000, "a\\0b", "a\\u202Eb", "a\\e[31mb", "a\\x9b31mb"])
def test_names_that_are_no_names(name):
    text = f'input: [4]\nlayers: [{{relu, name: "{name}"}}]\n'
    with pytest.raises(SpecError, match="characters") as caught:
        archcalc.loads(text)
    assert str(caught.value).replace("\n", "").isprintable()


def test_a_name_of_a_megabyte(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(f"input: [4]\nlayers: [{{relu, name: {'x' * 999_000}}}]\n")
    with pytest.raises(SpecError, match="a name has at most 200 characters, got 999,000") as caught:
        open_spec(path).network()
    assert len(str(caught.value)) < 1000


def test_numbers_beyond_64_bits_are_exact():
    huge = 2**70 + 1
    network = archcalc.loads(f"input: [{huge}, 3]\nlayers: [{{conv: 2**65 + 1, kernel: 1, bias: false}}]\n")
    assert network.analyze().totals.params == huge * (2**65 + 1)
    assert network.analyze().totals.macs == 3 * huge * (2**65 + 1)


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999", "nan", "infinity", "10**400", "2**0.5**-999"])
def test_what_is_no_finite_number_is_refused(number):
    with pytest.raises(SpecError):
        archcalc.loads(f"input: [4]\nlayers: [{{scale: {number}}}]\n")
    with pytest.raises(SpecError):
        archcalc.loads(f"input: [{number}, 4]\nlayers: [relu]\n")


@pytest.mark.parametrize("target", ["../secret.yaml", "/etc/passwd.yaml", "link.yaml", "below/../../secret.yaml"])
def test_extends_reaches_nothing_outside_its_folder(target, tmp_path):
    (tmp_path / "secret.yaml").write_text("name: secret\ninput: [4]\nlayers: [relu]\n")
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "net.yaml").write_text(f"extends: {target}\n")
    with pytest.raises(SpecError, match="only specs in the same folder or below"):
        open_spec(folder / "net.yaml")


def test_a_symlink_to_itself_is_said(tmp_path):
    (tmp_path / "net.yaml").symlink_to(tmp_path / "net.yaml")
    with pytest.raises(SpecError, match="cannot be read"):
        open_spec(tmp_path / "net.yaml")


def test_a_file_of_a_gigabyte_is_not_read(tmp_path):
    with open(tmp_path / "net.yaml", "wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(SpecError, match="1,073,741,824 bytes: the limit of bytes"):
        open_spec(tmp_path / "net.yaml")


def test_what_is_no_file_of_its_own_does_not_hang():
    for device in ("/dev/zero", "/dev/stdin"):
        with pytest.raises(SpecError, match="expected a regular file"):
            open_spec(Path(device))
