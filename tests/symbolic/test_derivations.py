"""Derivations: the operator's own rule over traced numbers, written as the lectures write it."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest

import archcalc
from archcalc.analysis import Counting
from archcalc.network import Layer, Network
from archcalc.ops import registry
from archcalc.render.mathematics import line_text
from archcalc.symbolic.derivations import explain
from archcalc.symbolic.terms import NumberTerm

CASES = [(kind, example) for kind, operator in registry().items() for example in operator.examples]


def lines(network: str, layer: str, quantity: str) -> list[str]:
    (found,) = explain(archcalc.load(network), layer, [quantity])
    return [line_text(line) for line in found.lines]


# The worked derivations of lecture deck 001 (AlexNet), as its slides have them; its slips are mended: conv4's flop is
# 150 M, not 145 M, and fc6 is 9216·4096 + 4096 = 37,752,832 (the slide types 9216·6409, and 37,725,832).
LECTURE = [
    ("conv1", "output", "W' = (W − K + 2P)/S + 1 = (227 − 11 + 2·2)/4 + 1 = 220/4 + 1 = 56"),
    ("conv1", "memory", "memory = 802,816/1,024 = 784 KiB"),
    ("conv1", "params", "params = C'·C·K² + C' = 64·3·11² + 64 = 23,232 + 64 = 23,296"),
    ("conv1", "flops", "FLOPs = C'·H'·W'·C·K² = 64·56·56·3·11² = 72,855,552"),
    ("pool1", "output", "W' = ⌊(W − K)/S + 1⌋ = ⌊(56 − 3)/2 + 1⌋ = ⌊53/2 + 1⌋ = ⌊27.5⌋ = 27"),
    ("pool1", "memory", "memory = 186,624/1,024 = 182.25 KiB"),
    ("pool1", "params", "params = 0"),
    ("pool1", "flops", "FLOPs = C'·H'·W'·K² = 64·27·27·3² = 419,904"),
    ("conv4", "flops", "FLOPs = C'·H'·W'·C·K² = 256·13·13·384·3² = 149,520,384"),
    ("fc6", "params", "params = C'·C + C' = 4,096·9,216 + 4,096 = 37,748,736 + 4,096 = 37,752,832"),
    ("fc6", "flops", "FLOPs = C'·C = 4,096·9,216 = 37,748,736"),
    ("pool1", "rf", "R' = R + J·(K − 1) = 11 + 4·(3 − 1) = 11 + 4·2 = 19"),
]


@pytest.mark.parametrize(("layer", "quantity", "derivation"), LECTURE)
def test_the_lectures_derivations(layer, quantity, derivation):
    assert derivation in lines("alexnet", layer, quantity)


def result(explanation, symbol):
    (line,) = [line for line in explanation.lines if line.symbol == symbol and line.unit != "KiB"]
    assert isinstance(line.terms[-1], NumberTerm)
    return line.terms[-1].value


@pytest.mark.parametrize(("kind", "example"), CASES, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(CASES)])
def test_every_operator_explains_itself(kind, example):
    """The last step of every derivation is the table's number, for every operator that is registered."""
    op = registry()[kind](example.inputs, **example.arguments)
    sources = tuple(f"input{at}" for at in range(len(example.inputs)))
    layer = Layer("it", op, sources)
    network = Network("net", dict(zip(sources, example.inputs, strict=True)), (layer,), ("it",))
    costs = network.analyze(convention="full").rows[0]
    found = {
        one.quantity: one
        for one in explain(network, "it", ["output", "memory", "params", "macs", "flops"], Counting(convention="full"))
    }
    sizes = {line.symbol: line.terms[-1].value for line in found["output"].lines}
    assert sorted(sizes.values()) == sorted(op.output)
    assert result(found["memory"], "memory") == costs.memory
    assert result(found["params"], "params") == costs.params
    assert result(found["macs"], "MACs") == costs.macs
    assert result(found["flops"], "FLOPs") == costs.flops


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "googlenet", "mobilenet_v2", "densenet121"])
def test_receptive_fields_are_the_tables(name):
    network = archcalc.load(name)
    analysis = network.analyze()
    for row in analysis.rows[::7]:
        (found,) = explain(network, row.name, ["rf"])
        worked = [line for line in found.lines if line.symbol == "R'" and line.terms]
        if worked:
            assert worked[0].terms[-1].value == row.receptive_field.size[-1]
        else:
            assert row.receptive_field.is_global


GOLD = Path(__file__).parents[1] / "data" / "gold"
TABLES = json.loads((GOLD / "networks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", TABLES)
def test_derivations_end_with_the_lectures_numbers(file):
    """Every row of the lectures' tables, recomputed (tests/data/README.md): parameters, operations, memory, size."""
    network = archcalc.load(TABLES[file]["network"], **TABLES[file].get("settings", {}))
    with open(GOLD / f"{file}.csv", newline="", encoding="utf-8") as stream:
        expected = [gold for gold in csv.DictReader(stream) if gold["macs"]]
    for name, gold in zip(TABLES[file]["layers"].split(), expected, strict=True):
        found = {one.quantity: one for one in explain(network, name, ["output", "memory", "params", "flops"])}
        assert result(found["params"], "params") == int(gold["weights_only" if "resnet" in file else "params"])
        assert result(found["flops"], "FLOPs") == int(gold["macs"])
        assert result(found["memory"], "memory") == Fraction(gold["memory_kb"]) * 1024
        if gold.get("out_hw"):
            assert result(found["output"], "W'") == int(gold["out_hw"])


# Worked derivations of GoogLeNet's stem (deck 001) and LeNet's costs (decks 000 and 002, whose cells, printed ten times
# too large, are mended: 117,600 and 240,000 operations, 48,000 weights).
WORKED = [
    (
        "googlenet",
        "conv1",
        "output",
        "W' = ⌊(W − K + 2P)/S + 1⌋ = ⌊(224 − 7 + 2·3)/2 + 1⌋ = ⌊223/2 + 1⌋ = ⌊112.5⌋ = 112",
    ),
    ("googlenet", "conv1", "flops", "FLOPs = C'·H'·W'·C·K² = 64·112·112·3·7² = 118,013,952"),
    ("googlenet", "maxpool1", "flops", "FLOPs = C'·H'·W'·K² = 64·56·56·3² = 1,806,336"),
    ("googlenet", "conv2", "flops", "FLOPs = C'·H'·W'·C·K² = 64·56·56·64·1² = 12,845,056"),
    ("googlenet", "conv3", "flops", "FLOPs = C'·H'·W'·C·K² = 192·56·56·64·3² = 346,816,512"),
    ("googlenet", "fc", "memory", "memory = 4,000/1,024 = 3.90625 KiB"),
    ("lenet5_relu", "conv1", "flops", "FLOPs = C'·H'·W'·C·K² = 6·28·28·1·5² = 117,600"),
    ("lenet5_relu", "conv2", "flops", "FLOPs = C'·H'·W'·C·K² = 16·10·10·6·5² = 240,000"),
    ("lenet5_relu", "fc1", "flops", "FLOPs = C'·C = 120·400 = 48,000"),
    ("lenet5_relu", "fc2", "flops", "FLOPs = C'·C = 84·120 = 10,080"),
]


@pytest.mark.parametrize(("network", "layer", "quantity", "derivation"), WORKED)
def test_more_of_the_lectures_derivations(network, layer, quantity, derivation):
    assert derivation in lines(network, layer, quantity)


def test_a_batch_is_a_factor():
    (found,) = explain(archcalc.load("alexnet"), "fc6", ["flops"], Counting(batch=32))
    assert line_text(found.lines[0]) == "FLOPs = N·C'·C = 32·4,096·9,216 = 1,207,959,552"


def test_dilation_and_groups(spec_file):
    text = "name: n\ninput: [8, 20, 20]\nlayers:\n  - {conv: 12, kernel: 3, dilation: 2, groups: 4, name: c}\n"
    network = archcalc.load(str(spec_file(text)))
    (shape, params) = explain(network, "c", ["output", "params"])
    assert "W' = W − d·(K − 1) = 20 − 2·(3 − 1) = 20 − 2·2 = 16" in map(line_text, shape.lines)
    assert "weight = C'·(C/G)·K² = 12·(8/4)·3² = 216" in map(line_text, params.lines)


def test_an_unknown_quantity_or_layer_is_refused():
    network = archcalc.load("alexnet")
    with pytest.raises(ValueError, match="unknown quantity 'color'"):
        explain(network, "conv1", ["color"])
    with pytest.raises(KeyError, match="did you mean 'conv1'"):
        explain(network, "conf1")
