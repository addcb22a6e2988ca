"""Modules that make too many calls are refused in time, with the line that makes them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import archcalc
from archcalc.errors import UserError
from archcalc.imports import watching


class Each(nn.Module):
    """Takes the samples of its batch as a function does."""

    def __init__(self, take):
        super().__init__()
        self.layer = nn.Linear(8, 4)
        self.take = take

    def forward(self, x):
        return self.take(self.layer, x)


ONE_BY_ONE = {
    "iterated": lambda layer, x: torch.stack([layer(one) for one in x]),
    "indexed": lambda layer, x: torch.stack([layer(x[at]) for at in range(len(x))]),
    "sliced": lambda layer, x: torch.cat([layer(x[at : at + 1]) for at in range(len(x))]),
    "split": lambda layer, x: torch.cat([layer(one) for one in x.split(1)]),
}


@pytest.mark.parametrize("take", ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_samples_that_are_taken_one_by_one(take):
    with pytest.raises(
        UserError, match=r"Each cannot be imported: it takes the samples of a batch one by one, in line"
    ):
        archcalc.trace(Each(take), torch.zeros(2, 8))


def test_a_loop_without_end(monkeypatch):
    monkeypatch.setattr(watching, "MOST_CALLS", 50)

    def endless(layer, x):
        while True:
            x = x + 1

    with pytest.raises(UserError, match=r"51 calls are not all that it makes, in line \d+ of test_watching.py\nhelp: "):
        archcalc.trace(Each(endless), torch.zeros(2, 8))


def test_a_few_samples_may_be_taken():
    network = archcalc.trace(Each(lambda layer, x: layer(x) + layer(x)[0]), torch.zeros(2, 8))
    assert network.analyze().totals.macs == 64


def test_the_parts_of_a_sample_may_be_taken_one_by_one():
    network = archcalc.trace(Each(lambda layer, x: sum(layer(one) for one in x.unbind(1))), torch.zeros(2, 100, 8))
    assert network.analyze().totals.macs == 100 * 32
