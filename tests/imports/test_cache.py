"""The cache of imported networks: bounded, valid or absent, and it never runs anything."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

import archcalc
from archcalc.imports import cache
from archcalc.imports.cache import Cache, cache_folder

KEY = {"name": "one"}


@pytest.fixture
def network():
    return archcalc.load("lenet5")


def entry(folder: Path) -> Path:
    (found,) = (folder / "networks").iterdir()
    return found


def test_a_network_is_found_again(tmp_path, network):
    kept = Cache(tmp_path)
    assert kept.find(KEY) is None
    kept.keep(KEY, network)
    assert kept.find(KEY).analyze().to_dict() == network.analyze().to_dict()
    assert kept.find({"name": "other"}) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"files": {}}', b'{"files": [], "network": {}}', b"[" * 10**5],
)
def test_a_damaged_entry_counts_as_absent(content, tmp_path, network):
    kept = Cache(tmp_path)
    kept.keep(KEY, network)
    entry(tmp_path).write_bytes(content)
    assert kept.find(KEY) is None
    kept.keep(KEY, network)
    assert kept.find(KEY) is not None


def test_a_changed_file_makes_an_entry_absent(tmp_path, network):
    source = tmp_path / "blocks.py"
    source.write_text("a = 1\n")
    kept = Cache(tmp_path / "cache")
    kept.keep(KEY, network, [source])
    assert kept.find(KEY) is not None
    source.write_text("a = 2\n")
    assert kept.find(KEY) is None
    source.unlink()
    assert kept.find(KEY) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_among_the_files_is_not_waited_for(tmp_path, network):
    kept = Cache(tmp_path / "cache")
    kept.keep(KEY, network)
    os.mkfifo(tmp_path / "pipe")
    path = entry(tmp_path / "cache")
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "files": {str(tmp_path / "pipe"): "0"}}))
    assert kept.find(KEY) is None


def test_another_version_of_a_package_is_another_entry(tmp_path, network, monkeypatch):
    kept = Cache(tmp_path)
    kept.keep(KEY, network)
    monkeypatch.setattr(metadata, "version", lambda name: "99")
    assert kept.find(KEY) is None


def test_the_oldest_entries_go(tmp_path, network, monkeypatch):
    kept = Cache(tmp_path)
    kept.keep({"name": 0}, network)
    size = entry(tmp_path).stat().st_size
    monkeypatch.setattr(cache, "MOST_BYTES", 3 * size)
    for number in range(1, 5):
        kept.keep({"name": number}, network)
        for at, path in enumerate(sorted((tmp_path / "networks").iterdir(), key=lambda path: path.stat().st_mtime_ns)):
            os.utime(path, (10**9 + at, 10**9 + at))
    assert [number for number in range(5) if kept.find({"name": number})] == [2, 3, 4]


def test_a_network_that_is_too_large_is_not_kept(tmp_path, network, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST_ENTRY", 100)
    Cache(tmp_path).keep(KEY, network)
    assert not (tmp_path / "networks").exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, network):
    (tmp_path / "file").write_text("")
    kept = Cache(tmp_path / "file" / "inside")
    kept.keep(KEY, network)
    assert kept.find(KEY) is None


def test_without_a_folder_nothing_is_kept(network):
    kept = Cache(None)
    kept.keep(KEY, network)
    assert kept.find(KEY) is None


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "~/.cache/archcalc"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/archcalc"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "~/.cache/archcalc"),
        ("darwin", {}, "~/Library/Caches/archcalc"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/archcalc/Cache"),
        ("linux", {"ARCHCALC_CACHE": "/elsewhere"}, "/elsewhere"),
        ("linux", {"ARCHCALC_CACHE": "off"}, None),
    ],
)
def test_where_it_is(platform, variables, expected, monkeypatch):
    for name in ("ARCHCALC_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == (None if expected is None else Path(expected).expanduser())
