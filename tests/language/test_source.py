"""Files that are no specs are told apart."""

from __future__ import annotations

import os

import pytest

from archcalc import SpecError
from archcalc.language.library import open_spec
from tests.language.mistakes import mistakes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n \n", "is empty"),
        (b"\x7fELF\0\0\0", "got a binary file"),
        (b"\xff\xfea\0", "got UTF-16"),
        (b"name: caf\xe9\n", "is not UTF-8: byte 9 in line 1"),
        (b"x" * 1_000_001, "limit of bytes"),
    ],
)
def test_contents(content, message, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        open_spec(path)


def test_what_is_no_file(tmp_path):
    with pytest.raises(SpecError, match=r"^error: expected a file, got a directory"):
        open_spec(tmp_path)
    with pytest.raises(SpecError, match="there is no file"):
        open_spec(tmp_path / "missing.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(SpecError, match="expected a regular file"):
        open_spec(tmp_path / "pipe.yaml")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("\ufeffname: t\ninput: [3, 8, 8]\nlayers: [relu]\n", encoding="utf-8")
    assert open_spec(path).network().name == "t"


def test_specs_that_extend_each_other_in_a_circle(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(SpecError, match="form a circle"):
        open_spec(tmp_path / "a.yaml")


def test_half_a_surrogate_pair_has_a_place():
    (only,) = mistakes("name: t\ninput: [3]\nlayers: [\ud800relu]")
    assert (only.message, only.place.line, only.place.column) == ("invalid YAML: surrogates not allowed", 2, 9)


def test_a_file_that_is_not_there_is_compared_by_its_name_without_the_suffix(cli, tmp_path):
    (tmp_path / "one.yaml").write_text("input: [3]\nlayers: [relu]\n", encoding="utf-8")
    assert "did you mean 'one.yaml'" in cli("table", str(tmp_path / "onne.yaml")).err
    assert "did you mean" not in cli("table", str(tmp_path / "none_such.yaml")).err
