"""Calls of PyTorch that were generic, and are operators; or that are not, and why."""

from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

import archcalc
from tests.imports.test_torch_cases import IMAGES, again, built, module
from tests.imports.test_torch_export import equal, kinds

F = nn.functional


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


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_maps_of_a_sample_are_each_read_at_points_of_its_own(mode):
    """RAFT looks up correlations so, a map for each position (Teed and Deng, 2020)."""

    def run(self, x):
        maps, grid = x.reshape(-1, 1, 8, 8), x.tanh().reshape(-1, 4, 8, 2)
        return F.grid_sample(maps, grid, mode=mode, align_corners=True).reshape(x.shape[0], 6, -1)

    network = archcalc.trace(module(run), IMAGES.float())
    assert "generic" not in kinds(network)
    assert network["grid_sample1"].op.inputs == ((6, 1, 8, 8), (6, 4, 8, 2))
    built(again(network), module(run), IMAGES)


def test_a_scale_without_a_shift():
    """PoolFormerV2 normalizes so."""
    network = equal(nn.GroupNorm(2, 6, bias=False), 6, 8, 8)
    assert kinds(network) == ["group_norm"]
    again(network)


def test_the_type_of_a_tensor_is_not_the_tensor():
    """Differential attention takes trained numbers as of the queries' type (Ye et al., 2024): a traceback."""
    made = module(lambda self, x: (self.factor.sum() + 0.2).type_as(x) * x, factor=nn.Parameter(torch.randn(3)))
    network = equal(made, 4)
    assert kinds(network) == ["computed", "mul"]


def test_rows_of_the_input_may_be_viewed_as_one_axis():
    """PyTorch refused to view samples that are one in memory, and the module was opaque."""
    assert kinds(equal(module(lambda self, x: self.fc(x.view(-1, 8)).view(-1, 6, 5), fc=nn.Linear(8, 5)), 6, 8)) == [
        "linear"
    ]


def mixture(family: str, **options) -> nn.Module:
    """The mixture of experts of one layer of a model of transformers, with weights that are not small."""
    config = getattr(transformers, f"{family}Config")(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        vocab_size=9,
        **{"num_attention_heads": 2, "num_key_value_heads": 1, **options},
    )
    torch.manual_seed(0)
    made = getattr(transformers, f"{family}Model")(config).eval().layers[0].mlp
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.3)
    return made


EXPERTS = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 12}


@pytest.mark.parametrize(
    ("family", "options", "normalized"),
    [
        ("Mixtral", {"num_local_experts": 6}, True),
        ("Qwen3Moe", {**EXPERTS, "norm_topk_prob": True}, True),
        ("Qwen3Moe", EXPERTS, False),
        ("Qwen2Moe", {**EXPERTS, "shared_expert_intermediate_size": 20}, False),
    ],
)
def test_a_mixture_of_experts_is_one_layer(family, options, normalized):
    """Each was 13 generic layers: sorting, counting and looking up tokens."""
    made, x = mixture(family, **options), torch.randn(3, 8, 16)
    network = archcalc.trace(made, x)
    assert kinds(network).count("mixture_of_experts") == 1
    assert "generic" not in kinds(network)
    layer = next(layer for layer in network if layer.op.kind == "mixture_of_experts")
    assert layer.op.normalized is normalized
    assert network.analyze().totals.params == sum(one.numel() for one in made.parameters())
    again(network)
    ours = archcalc.build(network)
    ours.load_state_dict({name: made.state_dict()[network.reference_name(name)] for name in ours.state_dict()})
    torch.testing.assert_close(ours(x), made(x))  # PyTorch multiplies groups in float32 only


def test_another_mixture_is_not_that_layer():
    """DeepSeek's router adds a bias to what it compares (Liu et al., 2024), and has a sigmoid."""
    made = mixture(
        "DeepseekV3", first_k_dense_replace=0, n_routed_experts=8, n_group=2, topk_group=1, n_shared_experts=1
    )
    network = archcalc.trace(made, torch.randn(3, 8, 16))
    assert "mixture_of_experts" not in kinds(network)
    assert "generic" in kinds(network)


def test_tables_of_shared_numbers_stand_where_they_are_computed():
    """They came between the layers that take them, so that blocks were in parts and no loop was found."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.angles = nn.Parameter(torch.randn(3, 8))
            self.blocks = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

        def forward(self, x):
            tables = self.angles.sin().unbind(0)
            for block, table in zip(self.blocks, tables, strict=True):
                x = block(x) * table
            return x

    network = equal(Net(), 5, 8)
    assert kinds(network) == ["computed"] * 3 + ["linear", "mul"] * 3
    again(network)


@pytest.mark.parametrize("dim", [1, 2, -1])
def test_copies_along_an_axis(dim):
    """Grouped queries share keys so (Ainslie et al., 2023)."""
    made = module(lambda self, x: x.repeat_interleave(3, dim=dim) * 2)
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network) == ["reshape", "expand", "reshape", "scale"]
    built(again(network), made, IMAGES)


def test_copies_of_one_are_no_copies_of_parts():
    made = module(lambda self, x: x.mean(1, keepdim=True).repeat_interleave(3, dim=1))
    assert kinds(archcalc.trace(made, IMAGES.float())) == ["mean", "expand"]


class Causal(nn.Module):
    """Attention as it is often written by hand: a mask that is stored, and `masked_fill`."""

    def __init__(self, value):
        super().__init__()
        self.qkv, self.value = nn.Linear(8, 24), value
        self.register_buffer("seen", torch.ones(6, 6).tril()[None])

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = (q @ k.transpose(-2, -1)).masked_fill(self.seen == 0, self.value)
        return scores.softmax(-1) @ v


@pytest.mark.parametrize("value", [-torch.inf, -1e9])
def test_scores_that_are_hidden(value):
    """It was generic, whatever the mask."""
    network = equal(Causal(value), 6, 8)
    assert "masked" in kinds(network)
    assert "generic" not in kinds(network)
    again(network)


def test_a_mask_that_is_computed():
    made = module(lambda self, x: x.masked_fill(x.sigmoid() > 0.6, 2))
    network = archcalc.trace(made, IMAGES.float())
    assert kinds(network)[-1] == "masked"
    again(network)
    built(network, made, IMAGES)


def test_a_product_that_is_written_in_place():
    """It had no multiply-adds here, and has none for PyTorch's counter."""
    made = module(
        lambda self, x: self.linear(x).addmm_(x, self.table),
        linear=nn.Linear(8, 8),
        table=nn.Parameter(torch.ones(8, 8)),
    )
    network = archcalc.trace(made, torch.zeros(1, 8))
    assert network.analyze().totals.macs == 2 * 8 * 8


def test_moving_elements_of_all_samples_is_no_arithmetic():
    """The samples themselves are turned around, which no operator says."""
    (layer,) = archcalc.trace(module(lambda self, x: x.flip(0)), IMAGES.float())
    assert layer.op.kind == "generic"
    assert not any(layer.op.work().values())
