"""The names of the axes of whole networks, from the input's declaration on."""

from __future__ import annotations

import re

import pytest

import archcalc
from archcalc.analysis.rows import choose_rows
from archcalc.language.family import SpecFamily
from archcalc.language.library import find
from archcalc.quantities.compare import compare
from archcalc.quantities.table import COLUMNS
from archcalc.render.folding import network_spec
from archcalc.render.mathematics import line_text
from archcalc.render.table import LECTURE_TABLE, TableOptions, table_document
from archcalc.render.writers import write_document
from archcalc.symbolic.derivations import explain
from archcalc.symbolic.formulas import formulas

MAP = ("channels", "height", "width")
LAST = ("height", "width", "channels")
SEQUENCE = ("tokens", "features")
VECTOR = ("features",)

TRANSFORMER = """
name: t
input: {tokens: 128}
layers:
  - {embedding: 64, entries: 1000, name: embed}
  - add:
      - []
      - - layer_norm
        - {multi_head_attention: 4, name: attention}
  - add:
      - []
      - - layer_norm
        - {linear: 256, name: up}
        - gelu
        - {linear: 64, name: down}
  - {mean: 0, name: pooled}
  - {linear: 2, name: head}
"""
SPEECH = """
name: s
input: [1, 16000]
layers: [{conv: 64, kernel: 80, stride: 16, name: conv}, {max_pool: 4, name: pool}, global_avg_pool, flatten]
"""
MIXER = """
name: m
input: [3, 224, 224]
layers:
  - {conv: 512, kernel: 16, stride: 16, name: stem}
  - {flatten, start: 1, name: tokens}
  - {transpose: [0, 1], name: turned}
  - add:
      - []
      - - {transpose: [0, 1], name: mix}
        - {linear: 256, name: up}
        - {linear: 196, name: down}
        - {transpose: [0, 1], name: back}
  - {linear: 2048, name: wide}
  - {mean: 0, name: pooled}
"""
LSTM = """
name: l
input: [200, 40]
layers: [{lstm: 64, bidirectional: true, name: first}, {gru: 32, last: true, name: second}, {linear: 2, name: head}]
"""
HEADS = """
name: h
input: {tokens: 7, features: 12}
layers:
  - {reshape: {tokens: -1, heads: 3, features: 4}, name: split}
  - {permute: [1, 0, 2], name: q}
  - {permute: [1, 2, 0], from: split, name: k}
  - {matmul, from: [q, k], name: scores}
  - {matmul, from: [scores, q], name: mixed}
  - {permute: [1, 0, 2]}
  - {flatten, start: 1, name: joined}
"""


def names(network, *layers):
    network = archcalc.loads(network) if "\n" in network else archcalc.load(network)
    return [network.axes[layer] for layer in layers]


def shown(network, view=LECTURE_TABLE):
    return str(write_document(table_document(network.analyze(), view), "text"))


def test_every_layer_of_resnet50():
    network = archcalc.load("resnet50")
    assert {network.axes[layer.name] for layer in network.layers[:-2]} == {MAP}
    assert [network.axes[layer.name] for layer in network.layers[-2:]] == [VECTOR, VECTOR]


def test_every_layer_of_swin_t():
    network = archcalc.load("swin_t")
    found = {layer.name: network.axes[layer.name] for layer in network}
    outside = {"features.0.0": MAP, "permute1": MAP, "avgpool": MAP, "flatten1": VECTOR, "head": VECTOR}
    assert {name: axes for name, axes in found.items() if axes != LAST} == outside


def test_every_layer_of_vit_b_16():
    network = archcalc.load("vit_b_16")
    found = {layer.name: network.axes[layer.name] for layer in network}
    outside = {"conv_proj": MAP, "reshape1": ("features", "tokens"), "flatten1": VECTOR, "heads.head": VECTOR}
    assert {name: axes for name, axes in found.items() if axes != SEQUENCE} == outside


def test_a_transformer_over_tokens():
    network = archcalc.loads(TRANSFORMER)
    assert network.axes["input"] == ("tokens",)
    assert {network.axes[layer.name] for layer in network.layers[:-2]} == {SEQUENCE}
    assert names(TRANSFORMER, "pooled", "head") == [VECTOR, VECTOR]


def test_tokens_that_are_mixed_stay_tokens():
    turned = ("features", "tokens")
    assert names(MIXER, "stem", "tokens", "turned", "mix", "up", "down") == [MAP, turned, SEQUENCE, *[turned] * 3]
    assert names(MIXER, "back", "add1", "wide", "pooled") == [SEQUENCE, SEQUENCE, SEQUENCE, VECTOR]


def test_one_dimension_has_a_length():
    length = ("channels", "length")
    assert names(SPEECH, "input", "conv", "pool", "flatten1") == [length, length, length, VECTOR]


def test_a_list_that_a_recurrent_layer_takes_is_a_sequence():
    assert names(LSTM, "input", "first", "second", "head") == [SEQUENCE, SEQUENCE, VECTOR, VECTOR]


def test_attention_written_out():
    heads = ("heads", "tokens", "features")
    assert names(HEADS, "q", "scores", "mixed", "joined") == [heads, ("heads", "tokens", "tokens"), heads, SEQUENCE]


@pytest.mark.parametrize(
    ("given", "axes"),
    [
        ("{channels: 3, height: 8, width: 6}", MAP),
        ("[3, 8, 6]", MAP),
        ("{height: 8, width: 6, channels: 3}", LAST),
        ("[3, 4, 8, 6]", ("channels", "depth", "height", "width")),
        ("[3, 8]", ("channels", "length")),
        ("{tokens: 8, features: 3}", SEQUENCE),
        ("[8]", VECTOR),
    ],
)
def test_the_input_says_what_its_axes_are(given, axes):
    network = archcalc.loads(f"input: {given}\nlayers: [relu]")
    assert network.axes == {"input": axes, "relu1": axes}


def test_sizes_of_named_axes_are_left_open_and_set(spec_file):
    path = spec_file("name: n\ninput: {tokens: N, features: 4 * width}\nparams: {width: 2}\nlayers: [{linear: 3}]\n")
    assert archcalc.load(path, N=5).inputs == {"input": (5, 8)}
    assert archcalc.load(path, input=(9, 12)).axes["linear1"] == SEQUENCE
    with pytest.raises(archcalc.SpecError, match="N needs a value"):
        archcalc.load(path)


def test_an_unknown_axis_is_an_error_at_its_place():
    with pytest.raises(archcalc.SpecError, match=r"spec.yaml:1:9: error: unknown axis 'chanels'(.|\n)*'channels'"):
        archcalc.loads("input: {chanels: 3}\nlayers: [relu]")


def test_what_nothing_names_is_named_by_the_layer_that_takes_it():
    text = """
inputs: {image: [3, 32, 32], words: [7]}
layers:
  - {parameter: [10, 64], name: query, from: image}
  - {conv: 64, kernel: 4, stride: 4, from: image}
  - {flatten, start: 1}
  - {transpose: [0, 1], name: memory}
  - {multi_head_attention: 4, from: [query, memory, memory], name: attended}
  - {embedding: 64, entries: 9, from: words, name: embedded}
  - {concat, from: [attended, embedded]}
"""
    assert names(text, "query", "attended", "words", "concat1") == [SEQUENCE, SEQUENCE, ("tokens",), SEQUENCE]


def test_a_grid_says_where_a_map_is_read():
    network = archcalc.loads("inputs: {x: [4, 5, 6], g: [3, 2, 2]}\nlayers: [{grid_sample, from: [x, g]}, relu]")
    assert network.axes["relu1"] == MAP
    assert symbols(network, "relu1", "rf") == ["R': every position sees the whole input"]


def test_a_dimension_that_is_left_beside_one_that_is_gone_says_so():
    """The rows of a map are left, and each takes all of its columns: the table says "all"."""
    network = archcalc.loads("input: [8, 16, 16]\nlayers: [{variance: -1}]")
    every = "R': along one dimension; along another every position sees the whole input"
    assert symbols(network, "variance1", "rf")[-1] == every
    assert network.analyze()["variance1"].receptive_field.is_global


# -- what shows them


def columns(table):
    """Return the headings of a table, each in one line: those that begin with input or output."""
    lines = table.splitlines()[1:4]
    width = max(map(len, lines))
    padded = [line.ljust(width) for line in lines if "─" not in line]
    starts = [match.start() for match in re.finditer(r"(?:in|out)put", padded[-2])]
    return {f"{padded[-2][at : at + 6].strip()} {padded[-1][at : at + 6].strip()}" for at in starts}


def test_a_column_of_channels_holds_channels():
    cells = {row[0]: row for row in map(str.split, shown(archcalc.load("resnet50")).splitlines()) if row}
    assert cells["conv1"][1:3] == ["3", "224"]
    assert columns(shown(archcalc.load("resnet50"))) == {"input C", "input H/W", "output C", "output H/W"}
    assert columns(shown(archcalc.loads(SPEECH))) == {"input C", "input L", "output C", "output L"}
    assert columns(shown(archcalc.loads(LSTM))) == {"input C", "input L", "input d", "output C", "output L", "output d"}


def read(network, *keys):
    rows = choose_rows(network.analyze().rows, fold=True, depth=2)
    return {row.name: [COLUMNS[key].of_row(row) for key in keys] for row in rows}


def test_swin_is_96_channels_on_56_by_56():
    rows = read(archcalc.load("swin_t"), "output_c", "output_hw", "output_l", "output_d")
    assert rows["features.1"] == [96, (56, 56), None, None]
    assert rows["features.7"] == [768, (7, 7), None, None]


def test_a_vit_has_197_tokens_and_no_channels():
    rows = read(archcalc.load("vit_b_16"), "output_c", "output_hw", "output_l", "output_d")
    assert rows["conv_proj"] == [768, (14, 14), None, None]
    assert rows["encoder.layers"] == [None, None, 197, 768]
    assert rows["heads.head"] == [1000, None, None, None]


def test_heads_and_scores_have_columns():
    rows = read(archcalc.loads(HEADS), "output_c", "output_heads", "output_l", "output_d")
    assert rows["q"] == [None, 3, 7, 4]
    assert rows["scores"] == [None, 3, (7, 7), None]


def test_json_names_the_axes():
    data = archcalc.loads(TRANSFORMER).analyze().to_dict()
    assert data["input_axes"] == ["tokens"]
    assert data["layers"][0]["axes"] == ["tokens", "features"]
    assert all(len(layer["axes"]) == len(layer["output_shape"]) for layer in data["layers"])
    unknown = archcalc.loads("input: [7]\nlayers: [{stack: [[], []]}, flatten]").analyze().to_dict()
    assert unknown["layers"][0]["axes"] == [None, "features"]


def symbols(network, layer, quantity):
    (found,) = explain(network, layer, [quantity])

    return [line_text(line) for line in found.lines]


def test_explanations_say_tokens_features_and_heads():
    network = archcalc.loads(TRANSFORMER)
    assert symbols(network, "up", "macs") == ["MACs = L'·d'·d = 128·256·64 = 2,097,152"]
    assert symbols(network, "up", "output") == ["L' = L = 128", "d' = 256"]
    assert symbols(network, "attention", "macs")[0].startswith("MACs = 2L²·(d/h)·h + 4L·d² = ")
    swin = archcalc.load("swin_t")
    assert symbols(swin, "features.1.0.mlp.0", "macs")[0].startswith("MACs = C'·H'·W'·C = ")


def test_a_comparison_has_rows_of_positions():

    found = compare([archcalc.load("vit_b_16").analyze(), archcalc.load("swin_t").analyze()])
    places = [place for place, _ in found.places]
    assert {"56×56", "28×28", "14×14", "7×7", "197 tokens", "196 tokens", "head"} <= set(places)
    assert not any("768" in place or "3072" in place for place in places)


def test_closed_forms_take_the_letters_of_the_input(spec_file):

    spec, _ = find(str(spec_file("name: n\ninput: {tokens: 7, features: 12}\nlayers: [{multi_head_attention: 3}]\n")))
    family = SpecFamily(spec, None, {}, None, {"L": "L", "d": "6*n"})
    form = formulas(family, ["params"])
    assert form.evaluate("params", L=7, n=2) == 4 * 12 * 12 + 4 * 12
    with pytest.raises(archcalc.SpecError, match="no parameter or size 'C'"):
        SpecFamily(spec, None, {}, None, {"C": "c"})


def test_a_layout_with_channels_last_moves_channels_only():

    view = TableOptions(columns=("name", "output"), channels_last=True, depth=1)
    text = shown(archcalc.load("vit_b_16"), view)
    assert "14×14×768" in text
    assert "768×196" in text
    assert "197×768" in text


def test_a_written_spec_keeps_the_names():

    network = archcalc.loads(HEADS)
    again = archcalc.loads(network_spec(network))
    assert again.axes == network.axes
    assert "input: {tokens: 7, features: 12}" in network_spec(network)
