"""The memory of recurrent layers: PyTorch's steps on a tape, and what oneDNN's kernel keeps, against PyTorch."""

import pytest

import archcalc
from tests.memory.comparing import compare

LAYERS = [
    "lstm: 6",
    "lstm: 70, bidirectional: true",
    "lstm: 6, layers: 3, bias: false",
    "lstm: 6, layers: 2, bidirectional: true, last: true",
    "lstm: 6, layers: 2, projection: 3",
    "lstm: 6, bidirectional: true, projection: 3, bias: false, last: true",
    "gru: 16",
    "gru: 5, layers: 2, bidirectional: true",
    "gru: 5, last: true, bias: false",
    "rnn: 6, layers: 2",
    "rnn: 3, bidirectional: true, last: true",
]
BEFORE = ["", "{linear: 8}, ", "{permute: [1, 0]}, {linear: 5}, ", "{permute: [1, 0]}, "]
"""Nothing needs the input's gradient; something does; the steps lie one after another; they are not a matrix."""


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_byte_of_a_layer(layer, before):
    for batch in (1, 3):
        compare(f"input: [6, 8]\nlayers: [{before}{{{layer}}}, relu]", batch)


@pytest.mark.parametrize("layer", ["gru: 5, layers: 2", "lstm: 6, projection: 3", "rnn: 4, bidirectional: true"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 40])
def test_long_sequences_are_extended_from_short_ones(layer, steps):
    compare(f"input: [{steps}, 8]\nlayers: [{{linear: 8}}, {{{layer}}}, {{linear: 3}}]", 2)


@pytest.mark.parametrize("layer", ["lstm: 6", "gru: 5, bidirectional: true"])
def test_frozen_layers(layer):
    """With gradients enabled, oneDNN's kernel takes its workspace even if nothing needs a gradient."""
    compare(f"input: [6, 8]\nlayers: [{{{layer}, trainable: false}}, {{linear: 3}}]", 2)
    compare(f"input: [6, 8]\nlayers: [{{linear: 8}}, {{{layer}, trainable: false}}, {{linear: 3}}]", 2)


@pytest.mark.parametrize("layer", ["rnn: 2, layers: 3", "gru: 3", "lstm: 3, layers: 2", "lstm: 3, projection: 2"])
def test_frozen_layers_of_one_step_free_their_first_states(layer):
    """Before the last states of each direction are joined, the module has returned."""
    layer = f"{{{layer}, last: true, bidirectional: true, trainable: false}}"
    for before in ("", "{linear: 2}, "):
        compare(f"input: [1, 2]\nlayers: [{before}{layer}, {{linear: 3}}]", 2)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("layer", ["lstm: 6, layers: 2", "gru: 5"])
def test_types_that_the_kernel_does_not_have(layer, dtype):
    compare(f"input: [6, 8]\nlayers: [{{{layer}}}]", 2, dtype)


@pytest.mark.parametrize("name", ["lstm_classifier", "gru_tagger", "seq2seq"])
def test_bundled_networks(name):
    compare(archcalc.load(name), 2)
