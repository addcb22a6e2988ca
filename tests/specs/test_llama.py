"""LLaMA against transformers, with fewer and smaller layers, and against the figures of its papers."""

import pytest
import torch

import archcalc
from archcalc.runtime.reference import reference_module


@pytest.mark.parametrize("kv_heads", [8, 2])
def test_outputs(kv_heads):
    """With as many heads of keys as of queries, and with groups of four queries (TinyLlama has groups of eight)."""
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    reference = reference_module(
        "transformers:LlamaForCausalLM(hidden_size=64, intermediate_size=96, num_hidden_layers=2, vocab_size=50, "
        f"num_attention_heads=8, num_key_value_heads={kv_heads})"
    )
    settings = {"depth": 2, "width": 64, "heads": 8, "kv_heads": kv_heads, "features": 96, "vocab": 50}
    module = archcalc.build(archcalc.load("llama_7b", input=(12,), **settings)).eval()
    module.load_state_dict(reference.state_dict())
    tokens = torch.randint(50, (3, 12))
    with torch.no_grad():
        torch.testing.assert_close(module(tokens), reference.eval()(tokens).logits)


def test_parameters():
    """Touvron et al., table 2: 6.7 B; Zhang et al., title: 1.1 B."""
    totals = [archcalc.load(name).analyze().totals for name in ("llama_7b", "tinyllama_1_1b")]
    assert [round(total.params / 1e9, 1) for total in totals] == [6.7, 1.1]
