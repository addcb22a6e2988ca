"""Names of well-known checkpoints of transformers: their class, and how their configuration differs from its defaults.

The configurations are here because a name alone would have to be looked up on the internet. The class is that of
`AutoModel`, which has no head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_ROBERTA = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
_BART_BASE = {
    "d_model": 768,
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 6),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 12),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 3072),
}
_T5_BASE = {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_decoder_layers": 12, "num_heads": 12}
_ALBERT_BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}

MODEL_IDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "bert-base-uncased": ("BertModel", {}),
    "bert-base-cased": ("BertModel", {"vocab_size": 28996}),
    "bert-large-uncased": ("BertModel", _LARGE),
    "bert-large-cased": ("BertModel", {"vocab_size": 28996, **_LARGE}),
    "distilbert-base-uncased": ("DistilBertModel", {}),
    "roberta-base": ("RobertaModel", _ROBERTA),
    "roberta-large": ("RobertaModel", {**_ROBERTA, **_LARGE}),
    "xlm-roberta-base": ("XLMRobertaModel", {**_ROBERTA, "vocab_size": 250002}),
    "albert-base-v2": ("AlbertModel", _ALBERT_BASE),
    "gpt2": ("GPT2Model", {}),
    "gpt2-medium": ("GPT2Model", {"n_embd": 1024, "n_layer": 24, "n_head": 16}),
    "gpt2-large": ("GPT2Model", {"n_embd": 1280, "n_layer": 36, "n_head": 20}),
    "gpt2-xl": ("GPT2Model", {"n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "distilgpt2": ("GPT2Model", {"n_layer": 6}),
    "t5-small": ("T5Model", {}),
    "t5-base": ("T5Model", _T5_BASE),
    "facebook/bart-base": ("BartModel", _BART_BASE),
    "facebook/bart-large": ("BartModel", {}),
    "google/vit-base-patch16-224": ("ViTModel", {}),
    "google/vit-large-patch16-224": ("ViTModel", _LARGE),
    "openai/clip-vit-base-patch32": ("CLIPModel", {}),
    "openai/whisper-tiny": ("WhisperModel", {}),
    "facebook/wav2vec2-base": ("Wav2Vec2Model", {}),
    "meta-llama/Llama-2-7b-hf": ("LlamaModel", {}),
    "mistralai/Mistral-7B-v0.1": ("MistralModel", {}),
}
"""The name of a checkpoint to a class, and to the keywords of its configuration."""


def known_ids() -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """Return the names with and without their owner: `facebook/bart-base` is `bart-base` too."""
    short = {name.rpartition("/")[2]: found for name, found in MODEL_IDS.items()}
    owners = {"google-bert": "bert", "openai-community": "gpt2", "FacebookAI": "roberta", "google-t5": "t5"}
    owned = {
        f"{owner}/{name}": found
        for owner, part in owners.items()
        for name, found in MODEL_IDS.items()
        if part in name and "/" not in name
    }
    return {**owned, **short, **MODEL_IDS}
