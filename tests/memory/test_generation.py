"""Generation: the cache of keys and values, and the work and bytes of a token, by published sizes and by hand."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.analysis import Counting
from archcalc.analysis.precision import parse_precision
from archcalc.errors import UserError
from archcalc.memory.generation import generation


def generated(name: str, context: int, counting: Counting):
    return generation(lambda tokens: archcalc.load(name, input=(tokens,)), context, counting)


def test_llama_3_8b_keeps_a_gibibyte_for_8192_tokens():
    """2 · 32 layers · 8 heads · 128 numbers · 8,192 tokens · 2 B; 8.03 B parameters (Grattafiori et al., 2024)."""
    found = generated("llama3_8b", 8192, Counting(1, "bfloat16"))
    assert found.cache == 2**30
    assert found.analysis.totals.params == 8_030_261_248
    matrices = 8_030_261_248 - 128_256 * 4096 - 65 * 4096
    assert found.token.macs == matrices + 2 * 32 * 4096 * 8193
    assert found.token.weights_read == 2 * (matrices + 65 * 4096 + 4096)  # one row of the table


def test_the_cache_grows_with_sequences_and_has_its_own_type():
    """gpt2: 2 · 12 layers · 768 numbers for each token."""
    found = generated("gpt2", 1000, Counting(16, "float16", precision=parse_precision("cache=int8", "float16")))
    assert found.cache == 2 * 12 * 768 * 1000 * 16
    assert found.token.cache_written == 2 * 12 * 768 * 16
    assert found.weights == 2 * 124_439_808


def test_a_table_and_the_experts_that_are_not_active_are_not_read():
    text = (
        "input: {tokens: 5}\nlayers:\n  - {embedding: 8, entries: 100}\n"
        "  - {multi_head_attention: 2, causal: true}\n"
        "  - {mixture_of_experts: 4, active: 1, features: 16}\n"
    )

    def network(tokens):
        return archcalc.loads(text.replace("5", str(tokens), 1))

    found = generation(network, 4, Counting())
    attention, router, expert = 4 * (4 * 8 * 8 + 4 * 8), 4 * 4 * 8, 4 * 3 * 8 * 16
    assert found.token.weights_read == 4 * 8 + attention + router + expert
    assert found.prompt.weights_read == 4 * 4 * 8 + attention + 4 * (4 * 8 + 4 * 3 * 8 * 16)


def test_a_network_without_causal_attention_generates_nothing():
    with pytest.raises(UserError, match="no attention that is causal"):
        generated("bert_base", 8, Counting())
