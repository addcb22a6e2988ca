"""Closed forms and sweeps over the sizes of several inputs, checked against the module at other sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import archcalc
from archcalc.errors import SpecError
from archcalc.imports.inputs import GivenInput
from archcalc.imports.opening import follow
from archcalc.imports.resizing import imported_family


class Captioned(nn.Module):
    """An image and its tokens, in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.words, self.out = nn.Conv2d(3, 8, 3), nn.Embedding(50, 8), nn.Linear(16, 4)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        image = self.image(batch["image"]).mean((-2, -1))
        return self.out(torch.cat([image, self.words(batch["tokens"]).mean(1)], -1))


class Cross(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        return self.first(target) @ self.second(source).transpose(1, 2)


def family(module, lets, **shapes):
    given = tuple(GivenInput(name.replace("__", "."), shape) for name, shape in shapes.items())
    return imported_family(follow(module, given, {}), lets, lambda other: follow(module, other, {}), given)


def macs(module, *inputs):
    return archcalc.trace(module, *inputs).analyze().totals.macs


@pytest.mark.parametrize(
    ("lets", "numbers", "sizes"),
    [
        ({"L": "n"}, {"n": 7}, (7, 7)),
        ({"source_L": "n"}, {"n": 7}, (7, 12)),
        ({"L": "n", "target_L": "2*n"}, {"n": 7}, (7, 14)),
        ({"source_L": "s", "target_L": "t"}, {"s": 5, "t": 9}, (5, 9)),
    ],
)
def test_sizes_of_two_inputs(lets, numbers, sizes):
    """`L` is the size of both, which are equal; `source_L` that of one."""
    module = Cross()
    network = family(module, lets, source=(12, 16), target=(12, 16)).network(numbers)
    assert [shape[0] for shape in network.inputs.values()] == [*sizes]
    assert network.analyze().totals.macs == macs(module, *(torch.zeros(1, size, 16) for size in sizes))


def test_a_size_of_the_first_input_alone():
    network = family(Cross(), {"L": "n"}, source=(10, 16), target=(12, 16)).network({"n": 3})
    assert network.inputs == {"source": (3, 16), "target": (12, 16)}


def test_inputs_in_a_dictionary_are_imported_again_by_their_names():
    open_sizes = family(Captioned(), {"H": "h", "L": "n"}, batch__image=(3, 20, 20), batch__tokens=(6,))
    network = open_sizes.network({"h": 30, "n": 9})
    assert network.inputs == {"batch_image": (3, 30, 30), "batch_tokens": (9,)}
    example = {"image": torch.zeros(1, 3, 30, 30), "tokens": torch.zeros(1, 9, dtype=torch.long)}
    assert network.analyze().totals.macs == macs(Captioned(), example)


def test_an_unknown_size_is_told():
    with pytest.raises(SpecError, match="size 'X'\nhelp: use one of: L, d, source_L, source_d, target_L, target_d"):
        family(Cross(), {"X": "n"}, source=(10, 16), target=(12, 16))
