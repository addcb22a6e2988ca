"""Tensors that depend on stored ones alone: where their layers are, and how many."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import archcalc
from archcalc.imports.layer_names import names_of
from archcalc.render.folding import folded_spec
from tests.imports.test_torch_cases import again, built
from tests.imports.test_torch_export import equal


class Rotary(nn.Module):
    """Waves at each position, the sines before the cosines."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bands", torch.rand(6, 8))

    def forward(self) -> Tensor:
        return torch.cat([self.bands.sin(), self.bands.cos()], -1)


class Turned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor, waves: Tensor) -> Tensor:
        sines, cosines = waves.chunk(2, -1)
        return self.linear(x) * cosines + x * sines


class Model(nn.Module):
    """Blocks that share a table, which a module beside them computes once."""

    def __init__(self) -> None:
        super().__init__()
        self.rope, self.blocks = Rotary(), nn.ModuleList(Turned() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        waves = self.rope()
        for block in self.blocks:
            x = block(x, waves)
        return x


X = torch.randn(2, 6, 8, dtype=torch.float64)


def test_equal_views_of_a_table_are_one_layer():
    made = Model()
    network = equal(made, 6, 8)
    assert [layer.name for layer in network if layer.op.kind == "computed"] == ["rope.bands", "rope.bands_2"]
    assert network.layers[0].name == "rope.bands"
    built(network, made, X)


def test_blocks_with_a_table_of_another_module_are_one_block():
    text = folded_spec(again(equal(Model(), 6, 8)))
    assert "inputs: [input, other, third]" in text
    assert text.count("{linear: 8") == 1


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        return self.linear(x) * row


class Sliced(nn.Module):
    """Each block takes its part of a stored table, which nothing computes."""

    def __init__(self) -> None:
        super().__init__()
        self.rope, self.blocks = Rotary(), nn.ModuleList(Scaled() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for at, block in enumerate(self.blocks):
            x = block(x, self.rope.bands[at : at + 1])
        return x


def test_parts_of_a_stored_table_come_before_the_blocks_and_are_not_one():
    made = Sliced()
    network = equal(made, 6, 8)
    tables = ["rope.bands", "rope.bands_2", "rope.bands_3", "rope.bands_4"]
    assert [layer.name for layer in network][:5] == [*tables, "blocks.0.linear"]
    built(network, made, X)


class Written(Model):
    """Two tables of zeros that are written to: they are not one."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = torch.zeros(6, 8, dtype=x.dtype), torch.zeros(6, 8, dtype=x.dtype)
        first[0] = 1
        second[1] = 2
        return self.blocks[0].linear(x) * first + x * second


def test_tables_that_are_computed_apart_are_two():
    made = Written()
    network = archcalc.trace(made, X.float())
    built(network, made, X)
    assert [layer.op.kind for layer in network].count("computed") == 2


def test_names_of_tensors_are_as_short_as_they_can_be():
    """The number of a block is not in them, so blocks have the same names."""
    stored = ["blocks.3.mlp.2.weight", "blocks.3.mlp.0.weight", "blocks.3.mlp.0.bias"]
    assert [*names_of(stored, "blocks.3.computed").values()] == ["mlp_2_weight", "mlp_0_weight", "mlp_0_bias"]
    assert names_of(stored[:1], "blocks.3.mlp.2") == {stored[0]: "weight"}
