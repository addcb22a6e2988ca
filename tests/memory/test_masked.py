"""Masked numbers: PyTorch keeps a mask of bytes, and copies the input in order."""

from __future__ import annotations

import pytest

import archcalc
from tests.fuzz.properties import check_memory


@pytest.mark.parametrize(
    "steps",
    [
        "{scale: 2, from: x, name: a}, {masked, from: [a, mask]}",
        "{scale: 2, from: x}, {permute: [1, 2, 0], name: a}, {masked, from: [a, mask], value: 0}",
        "{scale: 2, from: row, name: a}, {scale: 3, from: mask, name: b}, {masked, from: [a, b]}",
        "{masked, from: [x, mask]}, {masked, from: [mask, x]}",
    ],
)
@pytest.mark.parametrize("after", ["softmax", "{transpose: [0, 1]}, relu", "{mul: [[], []]}"])
def test_memory(steps, after):
    inputs = "inputs: {x: [5, 5, 5], mask: [1, 5, 5], row: [1, 1, 5]}"
    check_memory(archcalc.loads(f"{inputs}\nlayers: [{steps}, {after}]"))
