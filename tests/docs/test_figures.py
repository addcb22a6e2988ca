"""The figures of docs/how-to/figures.md are what the commands beside them write."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.docs.test_docs import DOCS, check_page

PAGE = DOCS / "how-to" / "figures.md"
IMAGES = DOCS / "images" / "figures"
COMMANDS = re.findall(r"^\$ archcalc (.* -o (\S+\.svg))$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("command", "name"), COMMANDS, ids=[name for _, name in COMMANDS])
def test_a_figure_is_current(command: str, name: str, cli, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    assert cli(*shlex.split(command)).code == 0
    check_page(IMAGES / name, (tmp_path / name).read_text(encoding="utf-8"), request)


def test_every_figure_is_shown():
    shown = set(re.findall(r"images/figures/(\S+\.svg)\)", PAGE.read_text(encoding="utf-8")))
    assert shown == {name for _, name in COMMANDS} == {file.name for file in IMAGES.iterdir()}
