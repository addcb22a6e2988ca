"""Sorting on disk gives what sorting in memory gives."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.sweep.selection import joined
from archcalc.sweep.sorting import sorted_parts

PARTS = st.lists(st.lists(st.integers(-3, 9), max_size=30), min_size=1, max_size=6)


def numbered(parts: list[list[int]]) -> list[dict]:
    """Columns of some measures, and of where each point stands among all."""
    starts = numpy.cumsum([0, *map(len, parts)])
    return [
        {"macs": numpy.array(part, numpy.int64), "place": numpy.arange(start, start + len(part))}
        for part, start in zip(parts, starts, strict=False)
    ]


@given(PARTS, st.sampled_from(["macs", "-macs"]), st.integers(1, 40))
def test_the_order_is_that_of_a_stable_sort(parts, measure, at_once):
    columns = numbered(parts)
    everything = joined(columns)
    sign = -1 if measure.startswith("-") else 1
    order = numpy.argsort(sign * everything["macs"], kind="stable")
    found = list(sorted_parts(iter(columns), measure, at_once))
    got = joined(found) if found else {"place": numpy.array([], int)}
    assert got["place"].tolist() == everything["place"][order].tolist()
    assert all(len(part["macs"]) <= max(at_once, len(parts)) for part in found), "no more is held at once"


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stream = sorted_parts(iter(numbered([[3, 1], [2, 1]])), "macs", 1)
    next(stream)
    assert list(Path(tmp_path).iterdir())
    stream.close()
    assert not list(Path(tmp_path).iterdir())


def test_numbers_beyond_64_bits_are_refused():
    with pytest.raises(ValueError, match="--limit"):
        list(sorted_parts([{"macs": numpy.array([2**70, 1], dtype=object)}], "macs"))
