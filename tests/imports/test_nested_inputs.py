"""Inputs that are dictionaries and lists of tensors."""

from __future__ import annotations

import torch
from torch import nn

import archcalc
from archcalc.imports.inputs import GivenInput
from archcalc.imports.opening import follow


class Batch(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.word = nn.Linear(6, 4), nn.Embedding(9, 4)

    def forward(self, batch, features):
        return self.image(batch["image"]) + self.word(batch["ids"]).mean(1) + features[0] * features[1]


def test_a_dictionary_and_a_list_by_names_and_as_tensors():
    shapes = {"batch.image": (6,), "batch.ids": (3,), "features.0": (4,), "features.1": (4,)}
    named = follow(Batch(), tuple(GivenInput(*one) for one in shapes.items()), {})
    batch = {"image": torch.zeros(1, 6), "ids": torch.zeros(1, 3, dtype=torch.int64)}
    traced = archcalc.trace(Batch(), batch, [torch.zeros(1, 4), torch.zeros(1, 4)])
    for network in (named, traced):
        assert list(network.inputs.values()) == [(6,), (3,), (4,), (4,)]
        assert (network.analyze().totals.macs, network.analyze().totals.params) == (24, 64)
