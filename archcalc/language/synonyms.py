"""Words of other frameworks for arguments. Operators know their own synonyms."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from archcalc.ops import registry
from archcalc.words import did_you_mean, help_line, is_slip, quote

ARGUMENTS = {
    "channels": "filters out_channels num_filters num_output features_out nout width",
    "features": "units out_features num_output num_units output_dim embedding_dim hidden",
    "kernel": "kernel_size ksize filter_size window pool_size size k",
    "stride": "strides s",
    "padding": "pad pads p",
    "dilation": "dilation_rate atrous rate dilations",
    "groups": "num_groups group cardinality",
    "bias": "use_bias has_bias",
    "eps": "epsilon",
    "p": "rate prob probability drop_rate ratio",
    "heads": "num_heads nhead",
    "entries": "num_embeddings vocab_size input_dim vocabulary",
    "scale": "scale_factor factor",
    "size": "output_size target_size",
    "axis": "dim",
    "slope": "negative_slope alpha",
    "ceil_mode": "ceil",
}
"""Argument to its names in other frameworks."""


ELSEWHERE = {
    "write trainable: false for weights that are not trained": "requires_grad frozen freeze",
    "write it as a step of its own after this one, such as - relu": "activation act act_layer act_func activation_fn "
    "nonlinearity",
    "write it as a step of its own after this one: - batch_norm": "norm norm_layer batchnorm bn normalizer_fn "
    "normalization",
    "leave it out: the input's shape is known": "in_channels in_features input_channels input_shape input_size in_dim "
    "num_features",
    "leave it out: a spec has no values of weights": "initializer kernel_initializer bias_initializer weights_init "
    "init kernel_regularizer",
}
"""What to do about arguments of other frameworks that no operator has: help to words."""


NAMING_KEYS = "op operator type class class_name layer layer_type module target _target_"
"""Keys whose value is the operator in configurations of other frameworks: `{type: Conv2d, filters: 8}`."""


def operators_called(word: str) -> list[str]:
    """Return the operator of that name, or those that other frameworks call so."""
    if _plain(word) in registry():
        return [_plain(word)]
    return [kind for kind, operator in sorted(registry().items()) if _plain(word) in operator.synonyms.split()]


def key_hint(key: str, value: str) -> str:
    """Return a help line for an operator that is the value of a key such as `op`; empty for another key."""
    called = " or ".join(operators_called(value)) or "the name of the operator"
    return help_line(f"write {called} in place of {key}: {value[:60]}") if _plain(key) in NAMING_KEYS.split() else ""


def operator_hint(word: str, possible: Iterable[str]) -> str:
    """Return a help line with the operators that other frameworks call so, or with the nearest word."""
    called = operators_called(word)
    return help_line(f"did you mean {' or '.join(map(quote, called))}?") if called else did_you_mean(word, possible)


def argument_hint(word: str, possible: Collection[str]) -> str:
    """Return a help line with the argument that other frameworks call so, or with the nearest word."""
    called = [own for own, theirs in ARGUMENTS.items() if _plain(word) in theirs.split() and own in possible]
    for advice, words in ELSEWHERE.items():
        if _plain(word) in words.split() and word not in possible:
            return help_line(advice)
    return help_line(f"did you mean {' or '.join(map(quote, called))}?") if called else did_you_mean(word, possible)


def means(word: str, own: str) -> bool:
    """Return True if a word is that of another framework for an argument or an operator, or a slip of it."""
    operator = registry().get(own)
    names = f"{ARGUMENTS.get(own, '')} {operator.synonyms if operator is not None else ''}".split()
    return _plain(word) in names or is_slip(word, own)


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")
