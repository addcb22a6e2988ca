"""The line on a terminal that says what a command does, and for how long."""

from __future__ import annotations

import io
import sys
import time

import pytest

from archcalc.cli import _streams, _waiting, cli


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch) -> Terminal:
    """Make standard error a terminal. In a fixture it would be pytest's again when the test begins."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(_waiting, "FIRST", 0.01)
    return stream


def wait_for(stream: io.StringIO, text: str) -> None:
    for _ in range(2000):
        if text in stream.getvalue():
            return
        time.sleep(0.02)
    raise AssertionError(f"{text!r} is not in {stream.getvalue()!r}")


def screen(written: str) -> list[str]:
    """The lines of a terminal after it got a text, in which a carriage return begins the line again."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_what_takes_long_says_so(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with _waiting.waiting("reading timm:resnet50d"):
        wait_for(terminal, "reading timm:resnet50d … 0 s")
    assert screen(terminal.getvalue()) == [""]


def test_a_step_inside_is_said_instead(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with _waiting.waiting("plot a b"):
        wait_for(terminal, "plot a b …")
        with _waiting.waiting("reading a"):
            wait_for(terminal, "reading a …")
    assert screen(terminal.getvalue()) == [""]


def test_messages_have_a_line_of_their_own(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with _waiting.waiting("table alexnet"):
        wait_for(terminal, "table alexnet …")
        _streams.remark("a message")
    assert screen(terminal.getvalue()) == ["a message", ""]


def test_a_progress_bar_takes_its_place(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with _waiting.waiting("verify alexnet"), _streams.progress(2, "verifying") as bar:
        bar.update(1)
        time.sleep(0.1)
    assert "verify alexnet" not in terminal.getvalue()


def test_what_is_quick_says_nothing(monkeypatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(_waiting, "FIRST", 60)
    with _waiting.waiting("reading"):
        pass
    assert terminal.getvalue() == ""


class Said:
    """The line of a command, which is not shown but kept."""

    labels: list[str] = []
    is_paused = False

    def __init__(self, label: str, stream: object) -> None:
        self.labels.append(label)
        self.label = label

    def clear(self) -> None:
        pass

    end = clear


@pytest.mark.parametrize("words", [("plot", "lenet5", "vgg11"), ("report", "lenet5"), ("lint", "lenet5")])
def test_every_command_has_one(words, tmp_path, monkeypatch):
    on_terminal(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_waiting, "_Line", Said)
    monkeypatch.setattr(Said, "labels", [])
    command = cli.get_command(None, words[0])
    command.invoke(command.make_context(words[0], list(words[1:])))
    assert Said.labels == ["lint" if words[0] == "lint" else " ".join(words)]
