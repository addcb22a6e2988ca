"""Rows of all samples on one axis, in any order: `[L·B, …]` is not `[B·L, …]`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import archcalc
from tests.imports.test_torch_cases import built, module
from tests.imports.test_torch_export import equal, kinds

F = nn.functional
SEQUENCES = torch.randn(2, 6, 8, dtype=torch.float64)


def two_views(self: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Both halves of a sample through one layer, as Siamese networks do."""
    rows = self.layer(torch.cat([x[:, :3], x[:, 3:]]))
    first, second = rows.chunk(2)
    return first * second, rows[x.shape[0] :]


def three_views(self: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    size = x.shape[0]
    two, one = self.layer(torch.cat([torch.cat([x[:, :2], x[:, 2:4]]), x[:, 4:]])).split([2 * size, size])
    return two.view(2, size, 2, 5).sum(0), one


def rows_of_steps(self: nn.Module, x: Tensor) -> Tensor:
    steps = x.transpose(0, 1)
    rows = self.layer(steps.reshape(-1, 8))
    return rows.view(6, -1, 5).transpose(0, 1)


def copies(self: nn.Module, x: Tensor) -> Tensor:
    return self.layer(torch.cat([x, x, x]).view(3, -1, 6, 8)).mean(0)


@pytest.mark.parametrize("function", [two_views, three_views, rows_of_steps, copies])
def test_rows_of_a_sample_are_those_of_its_own(function):
    made = module(function, layer=nn.Linear(8, 5))
    network = equal(made, 6, 8)
    assert not {"generic", "opaque"} & set(kinds(network))
    built(network, made, SEQUENCES)


def test_two_orders_of_rows_do_not_go_together():
    """The sum pairs rows of one sample with rows of another, which no operator does."""
    made = module(lambda self, x: x.reshape(-1, 8) + x.transpose(0, 1).reshape(-1, 8))
    network = archcalc.trace(made, SEQUENCES)
    assert network.layers[-1].op.exactness == "generic"


def test_a_layer_that_no_operator_says_takes_rows_in_their_order():
    made = module(lambda self, x: torch.cumsum(torch.cat([x, 2 * x]), -1).chunk(2)[1])
    network = equal(made, 6, 8)
    assert kinds(network) == ["scale", "stack", "generic", "select"]
    built(network, made, SEQUENCES)


@pytest.mark.parametrize("masked", [False, True])
def test_causal_attention(masked):
    """With the mask alone it is spelled out, for PyTorch's module takes any mask."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(6, dtype=x.dtype)
        return self.a(x, x, x, attn_mask=mask, need_weights=False, is_causal=not masked)[0]

    made = module(forward, a=attention)
    network = equal(made, 6, 8)
    assert "generic" not in kinds(network)
    assert masked or (kinds(network) == ["multi_head_attention"] and network.layers[0].op.causal)
    built(network, made, SEQUENCES)


def test_a_transformer_with_a_mask_is_exported_whole():
    """PyTorch looks at the numbers of the mask, only to compute faster if it is causal."""

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.t(x, x[:, 1:], tgt_mask=torch.full((5, 5), float("-inf"), dtype=x.dtype).triu(1))

    made = module(forward, t=nn.Transformer(8, 2, 1, 1, 16, batch_first=True))
    network = archcalc.trace(made, SEQUENCES.float())
    assert all(layer.op.exactness == "exact" for layer in network)
    built(network, made, SEQUENCES)
    assert nn.modules.transformer._detect_is_causal_mask(torch.full((2, 2), float("-inf")).triu(1)) is True


@pytest.mark.parametrize("sizes", [(8,), (6, 8), (3, 2, 8)])
def test_linear_layers_whose_weights_are_computed(sizes):
    made = module(lambda self, x: self.layer(x), layer=nn.utils.parametrizations.weight_norm(nn.Linear(8, 5)))
    network = equal(made, *sizes)
    assert "generic" not in kinds(network)
    assert "matmul" in kinds(network)
    built(network, made, torch.randn(2, *sizes, dtype=torch.float64))
