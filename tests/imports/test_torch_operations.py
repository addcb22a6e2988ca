"""Calls of PyTorch that were generic, and are operators; or that are not, and why."""

from __future__ import annotations

import pytest
import torch

import archcalc
from tests.imports.test_torch_cases import IMAGES, again, built, module


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x: x.var(dim=(1, 3), unbiased=False, keepdim=True), {"over": (0, 2), "correction": 0}),
        (lambda self, x: torch.var(x, dim=-1), {"over": (2,), "correction": 1}),
        (lambda self, x: x.std(dim=2, correction=2), {"over": (1,), "correction": 2}),
    ],
)
def test_how_far_numbers_are_from_their_mean(function, expected):
    """EvoNorm takes the variance of groups (Liu et al., 2020)."""
    made = module(function)
    network = archcalc.trace(made, IMAGES.float())
    (layer,) = network
    assert layer.op.kind in ("variance", "std")
    assert {name: getattr(layer.op, name) for name in expected} == expected
    built(again(network), made, IMAGES)
