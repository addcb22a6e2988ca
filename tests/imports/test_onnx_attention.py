"""Attention that an ONNX file spells out in many nodes is one layer, as in the module that it was written from."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.imports.onnx_attention import with_attention
from archcalc.network import Layer
from archcalc.ops import registry

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
attention = nn.functional.scaled_dot_product_attention


class Attention(nn.Module):
    """Four heads, and as many queries as keys."""

    def __init__(self, call):
        super().__init__()
        self.qkv, self.proj, self.call = nn.Linear(32, 96), nn.Linear(32, 32), call

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 4, d // 4).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(self.call(q, k, v).transpose(1, 2).reshape(b, n, d))


MASK = torch.linspace(-1, 1, 100).reshape(1, 1, 10, 10)
CALLS = {
    "plain": lambda q, k, v: attention(q, k, v),
    "scale": lambda q, k, v: attention(q, k, v, scale=0.7),
    "mask": lambda q, k, v: attention(q, k, v, attn_mask=MASK),
    "by hand": lambda q, k, v: (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1) @ v,
}


def imported(module, path, dynamo, *inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), inputs, str(path), dynamo=dynamo, **({"verbose": False} if dynamo else {}))
    return archcalc.load(path)


@pytest.mark.parametrize("dynamo", [True, False])
@pytest.mark.parametrize("name", CALLS)
def test_one_layer_for_the_nodes_of_attention(name, dynamo, tmp_path):
    module, x = Attention(CALLS[name]), torch.zeros(1, 10, 32)
    network = imported(module, tmp_path / "a.onnx", dynamo, x)
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        module(x)
    assert network.analyze().totals.macs == counter.get_total_flops() // 2
    found = [layer for layer in network if layer.op.kind in ("scaled_dot_product_attention", "matmul", "softmax")]
    (layer,) = found
    assert layer.name == "scaled_dot_product_attention1"
    assert [tuple(shape) for shape in layer.op.inputs[:3]] == [(4, 10, 8)] * 3
    assert len(layer.inputs) == 3 + (name == "mask")
    assert layer.op.scale == (pytest.approx(0.7) if name == "scale" else None)
    assert all(layer.op.exactness == "exact" for layer in network)


def test_multi_head_attention_and_a_model_of_transformers(tmp_path):
    module = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    network = imported(module, tmp_path / "t.onnx", True, torch.zeros(1, 10, 32))
    assert [layer.op.kind for layer in network].count("scaled_dot_product_attention") == 1
    assert network["self_attn.scaled_dot_product_attention1"].output_shape == (4, 10, 8)


def layers(*, axis=2, order=(0, 2, 1), first_product=None):
    """The layers of attention by hand: two inputs, each (4, 10, 8)."""
    kinds = registry()
    heads, scores = (4, 10, 8), (4, 10, 10)
    turned = kinds["permute"]([heads], order=order)
    return [
        Layer("q", kinds["relu"]([heads]), ("input",)),
        Layer("k", kinds["relu"]([heads]), ("input",)),
        Layer("turned", turned, ("k",)),
        Layer("scores", kinds["matmul"]([heads, (4, 8, 10)]), ("q", "turned")),
        Layer("scaled", kinds["scale"]([scores], factor=0.5), ("scores",)),
        Layer("softmax", kinds["softmax"]([scores], axis=axis), ("scaled",)),
        Layer("out", kinds["matmul"]([scores, heads]), ("softmax", "k")),
    ]


def test_what_is_no_attention_stays():
    found, names = with_attention(layers(), ["out"])
    assert [layer.name for layer in found] == ["q", "k", "scaled_dot_product_attention1"]
    assert found[-1].inputs == ("q", "k", "k")
    assert names == {"out": "scaled_dot_product_attention1"}
    assert len(with_attention(layers(axis=1), ["out"])[0]) == 7
    for kept in ("scores", "scaled", "softmax"):  # which the network gives too
        assert len(with_attention(layers(), ["out", kept])[0]) == 7
    every = layers()
    every.append(Layer("more", registry()["relu"]([(4, 10, 10)]), ("softmax",)))
    assert len(with_attention(every, ["out", "more"])[0]) == 8


@pytest.mark.parametrize("dynamo", [True, False])
def test_scores_that_are_hidden(dynamo, tmp_path):
    """`masked_fill` is written as `Where` with a number, which was generic."""
    module = Attention(lambda q, k, v: (q @ k.transpose(-1, -2)).masked_fill(MASK < 0, -torch.inf).softmax(-1) @ v)
    network = imported(module, tmp_path / "a.onnx", dynamo, torch.zeros(1, 10, 32))
    (layer,) = (layer for layer in network if layer.op.kind == "masked")
    assert layer.op.value == "-inf"
    assert {one.op.exactness for one in network} == {"exact"}
