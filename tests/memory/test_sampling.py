"""Several maps of a sample, each read at the points of its own grid: PyTorch copies those that are not samples."""

from __future__ import annotations

import pytest

import archcalc
from tests.fuzz.properties import check_memory

INPUTS = "inputs: {x: [6, 3, 4, 5], grid: [6, 7, 3, 2], y: [3, 6, 4, 5], other: [7, 6, 3, 2]}"
OF_MAP = "{scale: 3, from: y}, {transpose: [0, 1], name: map}"
OF_GRID = "{scale: 3, from: other}, {transpose: [0, 1], name: points}"


@pytest.mark.parametrize(
    ("steps", "taken"),
    [
        ("{scale: 3, from: x, name: map}, {scale: 3, from: grid, name: points}", "map, points"),
        (f"{OF_MAP}, {OF_GRID}", "map, points"),
        (OF_MAP, "map, grid"),
        (OF_GRID, "x, points"),
    ],
)
@pytest.mark.parametrize("after", ["{scale: 2}", "{transpose: [0, 1]}, relu"])
def test_maps_that_lie_otherwise_are_copied(steps, taken, after):
    check_memory(archcalc.loads(f"{INPUTS}\nlayers: [{steps}, {{grid_sample, from: [{taken}]}}, {after}]"))
