"""A network written as a spec again: read, it is the same network."""

from __future__ import annotations

import pytest
import yaml

import archcalc
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.render.folding import folded_spec, network_spec
from tests.bundled import spec_at, variants
from tests.fuzz.likeness import likeness

NETWORKS = variants()


def again(network):
    return archcalc.loads(network_spec(network))


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_every_bundled_network_is_the_same_again(path, variant):
    network = spec_at(path).network(variant)
    written = again(network)
    assert likeness(written) == likeness(network)
    assert written.analyze(convention="full").totals == network.analyze(convention="full").totals


@pytest.mark.parametrize("kind", registry())
def test_every_operator_at_its_examples(kind):
    for one in registry()[kind].examples:
        op = registry()[kind](one.inputs, **one.arguments)
        names = tuple(f"x{number}" for number in range(len(op.inputs)))
        network = Network("one", dict(zip(names, op.inputs, strict=True)), (Layer("it", op, names),), ("it",))
        assert likeness(again(network)) == likeness(network)


def test_it_reads_as_people_write():
    text = """
name: small
input: [3, 8, 8]
layers:
  - stem:
      - {conv: 8, kernel: 3, padding: 1}
      - {batch_norm, name: bn}
      - relu
  - {max_pool: 2, name: pool}
  - {add, from: [pool, pool], name: sum}
"""
    assert network_spec(archcalc.loads(text)) == text.lstrip()


# Each was hard to say once.
HARD = {
    "a name that a group between has too": (
        "input: [4, 8]\nlayers: [{conv: 4, kernel: 1, name: a}, {g: [{relu, name: a}, {add, from: [.a, a]}]}]\n"
    ),
    "a group called like an operator": (
        "input: [4]\nlayers: [{linear: 4, name: add, repeat: 2}, {name: name, layers: [relu]}]\n"
    ),
    "a group in a group of its name": (
        "input: [4]\nlayers: [{a: [relu, {a: [relu, {add, from: [relu1, .a.relu1]}]}]}]\n"
    ),
    "an automatic name that is taken": "input: [4]\nlayers: [{tanh, name: relu1}, relu, {relu, name: relu4}, relu]\n",
    "sides inside sides": (
        "input: [4]\nlayers: [{side: [{linear: 3}, {side: [tanh]}, {side: [], name: none}], name: s}, relu]\n"
    ),
    "a side that ends before its end": (
        "input: [4]\nlayers:\n"
        "  - {side: [{relu, name: a}, {layers: [], from: input}], name: s}\n  - {add, from: [s.a, input]}\n"
    ),
    "training only": "input: [4]\nlayers: [{linear: 4, train: true}, {g: [relu, {linear: 4}], train: true}, relu]\n",
    "shares of shares": (
        "input: [4]\nlayers: [{linear: 4, name: a}, {g: [{share: a}, {share: a, name: c}]}, {share: g.c, name: d}]\n"
    ),
    "tied weights": (
        "input: [4]\nlayers: [{linear: 4, name: a}, {g: [{linear: 4, weight: a}, {share: linear1, name: c}]},"
        " {linear: 4, bias: false, weight: g.c, name: d}]\n"
    ),
    "a group in parts, in one in parts": (
        "input: [4]\nlayers: [{g: [{a: [relu, relu]}, tanh, {a: [relu, {side: [tanh], name: s}]}, relu]},"
        " {linear: 4, name: b}, {g: [{a: [{add, from: [relu1, relu3]}]}]}, relu]\n"
    ),
    "several inputs and outputs, one of them an input": (
        "inputs: {x: [4], y z: [4]}\noutputs: [y z, s, t]\n"
        "layers: [{add, from: [x, y z], name: s}, {relu, from: y z, name: t}]\n"
    ),
    "an input that is the output": "input: [4]\nlayers: [{side: [relu]}]\n",
    "names that are no words": (
        'input: [4]\nlayers: [{relu, name: "a b"}, '
        '{tanh, name: "{\'{\'}x}, y: \\"#"}, {"ü✓": [relu]}, {"null": [relu]},'
        ' {relu, name: "\U0001f600"}, {add, from: ["a b", null.relu1, "\U0001f600"]}]\n'
    ),
    "numbers that are no decimals": (
        "input: [8, 4, 4]\nlayers: [{scale: 1/3}, {scale: -0.0625}, {scale: sqrt(2)}, {scale: 10**30}, {scale: 1e-25},"
        " {leaky_relu: 1/7}, {upsample: [1.5, 2]}, {adaptive_avg_pool: [null, 3]}, {slice, stop: null, start: -2}]\n"
    ),
    "padding that keeps the size": "input: [4, 9, 8]\nlayers: [{conv: 5, kernel: [4, 3], padding: same}]\n",
    "texts": (
        'name: "a: b"\ntitle: "tab\\tand \\x1b[31m and: # all"\nsource: "- dash"\nyear: 1998\nreference: "x:y"\n'
        f'notes: "{"word-with-hyphens " * 20}"\ninput: [4]\nlayers: [relu]\n'
    ),
}


@pytest.mark.parametrize("what", HARD)
def test_what_is_hard_to_say(what):
    network = archcalc.loads(HARD[what])
    assert likeness(again(network)) == likeness(network)


def test_it_is_plain_yaml():
    """As any reader of YAML has it: the steps, in a list."""
    tree = yaml.safe_load(network_spec(archcalc.load("lenet5")))
    assert tree["input"] == [1, 32, 32]
    assert [next(iter(step)) if isinstance(step, dict) else step for step in tree["layers"]][:2] == ["conv", "tanh"]


def test_what_no_spec_can_say_is_refused():
    relu = registry()["relu"]([(4,)])
    pairs = (("g.a", "input"), ("b", "g.a"), ("g.c", "b"))
    layers = tuple(Layer(name, relu, (before,), side=name[0] == "g") for name, before in pairs)
    with pytest.raises(ValueError, match="the layers of the side g are not next to each other"):
        network_spec(Network("n", {"input": (4,)}, layers, ("b",), {"g": "g.c"}))
    conv = registry()["conv"]
    layers = (
        Layer("a", conv([(4, 8, 8)], channels=4, kernel=3, padding=1), ("input",)),
        Layer("b", conv([(4, 8, 8)], channels=4, kernel=3, padding=2, dilation=2), ("a",)),
    )
    layers[1].shares = "a"
    with pytest.raises(ValueError, match="b has the weights of a, but other arguments"):
        network_spec(Network("n", {"input": (4, 8, 8)}, layers, ("b",)))


def test_shares_under_other_arguments_that_follow_from_the_input():
    text = (
        "input: [4, 8, 8]\nblocks: {b: {params: {p: input.height // 4}, layers: [{conv: 4, kernel: 3, padding: p}]}}\n"
        "layers: [{b, name: first}, {max_pool: 2}, {share: first, name: again}]\n"
    )
    network = archcalc.loads(text)
    assert [layer.op.padding[0][0] for layer in network.layers if layer.op.kind == "conv"] == [2, 1]
    for written in (network_spec(network), folded_spec(network)):
        assert 'padding: "2 if input[1] == 8 else 1"' in written
        assert likeness(archcalc.loads(written)) == likeness(network)


def test_names_of_the_reference_are_kept():
    network = archcalc.loads("input: [4]\nrename: {g.*: 'x.*.y', l: other}\n"
                             "layers: [{g: [{linear: 4, name: a}]}, {linear: 2, name: l}]\n")  # fmt: skip
    for written in (network_spec(network), folded_spec(network)):
        assert archcalc.loads(written).renames == network.renames == {"g.*": "x.*.y", "l": "other"}


def test_lists_and_floats_are_as_short_as_people_write_them():
    conv, drop = registry()["conv"], registry()["dropout"]
    layers = (
        Layer("a", conv([(4, 8, 8)], channels=4, kernel=(3, 3), padding=[[1, 1], [1, 1]], stride=(1, 2)), ("input",)),
        Layer("b", drop([(4, 8, 4)], p=0.2), ("a",)),
    )
    text = network_spec(Network("n", {"input": (4, 8, 8)}, layers, ("b",)))
    assert "{conv: 4, kernel: 3, stride: [1, 2], padding: 1, name: a}" in text
    assert "{dropout: 0.2, name: b}" in text
    assert archcalc.loads(text)["b"].op.p == 0.2
