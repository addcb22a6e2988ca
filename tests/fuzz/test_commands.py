"""A short run of the fuzzer of command lines; `python -m tests.fuzz --commands N` makes more."""

from __future__ import annotations

import pytest

from tests.fuzz.commands import complaint, lines, prepare


@pytest.mark.parametrize("seed", range(4))
def test_a_mistake_on_the_command_line_is_told_in_words(tmp_path, monkeypatch, seed):
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in lines(30, seed):
        assert complaint(words) is None, words


def test_a_fault_is_found(monkeypatch):
    """An exception that is no user's mistake ends with a traceback, and the fuzzer sees it."""

    def fail(*_, **__):
        raise KeyError("gone")

    monkeypatch.setattr("archcalc.language.library.find", fail)
    assert "KeyError: 'gone'" in complaint(["table", "lenet5"])
