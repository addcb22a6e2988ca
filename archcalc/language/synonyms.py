"""Words of other frameworks for arguments. Operators know their own synonyms."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from archcalc.ops import registry
from archcalc.words import did_you_mean, help_line, quote

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


WITHOUT = dict.fromkeys(
    ("trainable", "requires_grad", "frozen", "freeze"),
    "every weight counts as trained (train: true marks a step that exists only in training)",
)
"""Words of other frameworks without an equivalent, and why."""


def operator_hint(word: str, possible: Iterable[str]) -> str:
    """Return a help line with the operators that other frameworks call so, or with the nearest word."""
    called = [kind for kind, operator in sorted(registry().items()) if _plain(word) in operator.synonyms.split()]
    return help_line(f"did you mean {' or '.join(map(quote, called))}?") if called else did_you_mean(word, possible)


def argument_hint(word: str, possible: Collection[str]) -> str:
    """Return a help line with the argument that other frameworks call so, or with the nearest word."""
    if _plain(word) in WITHOUT:
        return help_line(f"remove it: {WITHOUT[_plain(word)]}")
    called = [own for own, theirs in ARGUMENTS.items() if _plain(word) in theirs.split() and own in possible]
    return help_line(f"did you mean {' or '.join(map(quote, called))}?") if called else did_you_mean(word, possible)


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")
