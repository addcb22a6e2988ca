"""Tied weights: one tensor in layers of different operators."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.network import WeightRef
from tests.language.mistakes import mistakes

GPT2 = """
input: [1024]
params: {vocab: 50257, width: 768, heads: 12, depth: 12}
blocks:
  block:
    layers:
      - add:
          - - {layer_norm, name: ln_1}
            - {multi_head_attention, heads: heads, name: attn}
          - []
      - add:
          - - {layer_norm, name: ln_2}
            - {linear: 4 * width, name: c_fc}
            - {gelu, approximate: tanh}
            - {linear: width, name: c_proj}
          - []
layers:
  - {embedding: width, entries: vocab, name: wte}
  - {position_embedding, name: wpe}
  - {block, repeat: depth, name: h}
  - {layer_norm, name: ln_f}
  - {linear: vocab, bias: false, name: lm_head, weight: wte}
"""
EMBEDDED = "input: [5]\nlayers:\n  - {embedding: 4, entries: 9, name: wte}\n"


def test_gpt2_has_its_published_parameters():
    """124,439,808: `sum(p.numel() for p in GPT2LMHeadModel(GPT2Config()).parameters())` of transformers 5.17."""
    analysis = archcalc.loads(GPT2).analyze()
    assert analysis.totals.params == 124_439_808
    assert analysis["lm_head"].params == 0
    assert analysis["lm_head"].macs == 1024 * 768 * 50257


def test_a_tied_weight_is_counted_at_its_owner_and_the_others_are_the_layers_own():
    network = archcalc.loads(EMBEDDED + "  - {linear: 9, name: head, weight: wte}\n")
    assert network["head"].ties == {"weight": WeightRef("wte", "weight")}
    assert [row.params for row in network.analyze().rows] == [36, 9]
    assert network.analyze().to_dict()["layers"][1]["ties"] == {"weight": "wte.weight"}


def test_the_owner_is_the_first_that_has_the_weight():
    network = archcalc.loads("""
        input: [5]
        layers:
          - {embedding: 4, entries: 9, name: wte}
          - {linear: 9, name: a, weight: wte}
          - {linear: 4, name: b, weight: .wte, when: false}
          - {linear: 4, name: c}
          - {linear: 9, name: d, weight: a}
          - {linear: 4, name: e}
          - {share: d, from: c, name: s}
          - {linear: 9, name: f, weight: s, from: e}
          - {add, from: [s, f]}
    """)
    assert network["d"].ties["weight"] == network["f"].ties["weight"] == WeightRef("wte", "weight")
    assert (network["s"].shares, dict(network["s"].ties)) == ("d", {})


def test_a_trained_tensor_is_a_weight_of_that_shape():
    network = archcalc.loads("input: [5, 4]\nlayers: [{layer_scale: -1, name: s}, {rms_norm, weight: s, name: n}]\n")
    assert network["n"].ties == {"weight": WeightRef("s", "")}
    module = archcalc.build(network)
    assert module.n.weight is module.s


def test_several_weights_of_one_layer_are_tied():
    network = archcalc.loads("""
        input: [6, 8]
        layers:
          - {linear: 8, name: out}
          - {multi_head_attention: 4, name: a}
          - {multi_head_attention: 2, name: b, in_proj_weight: a, out_proj.weight: out}
    """)
    assert network["b"].ties == {
        "in_proj_weight": WeightRef("a", "in_proj_weight"),
        "out_proj.weight": WeightRef("out", "weight"),
    }
    assert network.analyze()["b"].params == 3 * 8 + 8


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{linear: 9, weigt: wte}", "linear has no argument 'weigt'\nhelp: did you mean 'weight'?"),
        ("{linear: 9, weight: wtf}", "no earlier step has this name\nhelp: did you mean 'wte'?"),
        ("{linear: 8, weight: wte}", "weight is 8×4, and 'wte' has no weight of that shape: weight 9×4"),
        ("{batch_norm, affine: false, weight: wte}", "this batch_norm has no weight weight: its weights are none"),
        ("{linear: 4, weight: g}", "'g' has 2 layers with weights\nhelp: name one layer with weights"),
        ("{linear: 4, weight: l}", "'l' is a loop\nhelp: name one layer with weights"),
        ("{linear: 4, weight: r}", "'r' has 0 layers with weights"),
        ("{linear: 4, weight: s.one}", "'s.one' is auxiliary"),
        ("{linear: 4, weight: [wte]}", "expected a name"),
    ],
)
def test_what_does_not_fit_is_said(step, message):
    before = (
        "  - g: [{linear: 4}, {linear: 4}]\n  - {linear: 4, name: l, repeat: 2}\n  - {relu, name: r}\n"
        "  - {side: [{linear: 4, name: one}], name: s}\n"
    )
    assert message in mistakes(EMBEDDED + before + f"  - {step}\n")[0].message


def test_an_argument_may_have_the_name_of_an_operator():
    assert archcalc.loads("input: [3, 4, 4]\nlayers: [{upsample, scale: 2}]\n")["upsample1"].output_shape == (3, 8, 8)
    text = "input: [3, 4, 4]\nparams: {up: upsample}\nlayers: [{use: up, scale: 2, name: a},"
    text += " {use: b, scale: 3, name: b}, {b: 4, dropout: 0.2, name: c}]\n"
    text += "blocks: {b: {params: {width: 5, scale: 2, dropout: 0.1}, layers: [{conv: scale, kernel: 1}]}}\n"
    assert [layer.output_shape[0] for layer in archcalc.loads(text)] == [3, 3, 2]
