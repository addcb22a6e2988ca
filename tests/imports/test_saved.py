"""A network as JSON is read back equal; anything else is refused, never run."""

from __future__ import annotations

import copy
import json

import pytest

import archcalc
from archcalc.imports.saved import NotSaved, network_data, network_of
from archcalc.network import About, Layer, Network, WeightRef
from archcalc.ops import registry


def again(network: Network) -> Network:
    return network_of(json.loads(json.dumps(network_data(network))))


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet", "vit_b_16", "gpt2", "detr_resnet50"])
def test_bundled_networks_are_read_back_equal(name):
    network = archcalc.load(name)
    read = again(network)
    assert read.analyze().to_dict() == network.analyze().to_dict()
    assert (read.groups, read.renames, read.sides, read.about) == (
        network.groups,
        network.renames,
        network.sides,
        network.about,
    )
    for mine, found in zip(network, read, strict=True):
        assert (mine.inputs, mine.shares, mine.ties, mine.side) == (found.inputs, found.shares, found.ties, found.side)


@pytest.mark.parametrize("kind", sorted(registry()))
def test_every_operator_at_its_examples(kind):
    for inputs, arguments in registry()[kind].examples:
        shapes = {f"in{at}": shape for at, shape in enumerate(inputs)}
        op = registry()[kind](inputs, **arguments)
        network = Network("one", shapes, (Layer("layer", op, tuple(shapes)),), ("layer",), uncalled={"aux": 5})
        read = again(network)
        found = read["layer"].op
        assert {name: getattr(found, name) for name in op.arguments} == {
            name: getattr(op, name) for name in op.arguments
        }
        assert (found.output, found.work(), read.uncalled) == (op.output, op.work(), {"aux": 5})


def data() -> dict:
    return json.loads(json.dumps(network_data(archcalc.load("lenet5"))))


def changes():
    """Each gives a copy of the data that is wrong somewhere."""
    for path, value in [
        (("format",), 99),
        (("name",), 5),
        (("inputs",), {"input": [-1, 32, 32]}),
        (("inputs",), {"input": "abc"}),
        (("inputs",), {}),
        (("operators", 0, 0), "no_such_kind"),
        (("operators", 0, 0), ["conv"]),
        (("operators", 0, 1), [[3, 10**30, "x"]]),
        (("operators", 0, 2), {"channels": -5, "kernel": 3}),
        (("operators", 0, 2), {"__class__": 5}),
        (("operators", 0, 2), [1]),
        (("layers", 0, "op"), 10**6),
        (("layers", 0, "op"), -1),
        (("layers", 0, "inputs"), ["later"]),
        (("layers", 0, "name"), None),
        (("layers", 1, "name"), "conv1"),
        (("layers", 0, "shares"), "nothing"),
        (("layers", 0, "ties"), {"weight": ["nothing", "weight"]}),
        (("layers", 0, "ties"), {"weight": ["a", "b", "c"]}),
        (("layers",), {"a": 1}),
        (("outputs",), ["nothing"]),
        (("about",), []),
        (("about",), {"title": "", "year": 1, "evil": "x"}),
        (("uncalled",), {"a": -1}),
        (("renames",), {"a": 3}),
    ]:
        changed = data()
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        yield pytest.param(changed, id=".".join(map(str, path)) + f"={value!r:.30}")


@pytest.mark.parametrize("changed", changes())
def test_what_is_not_a_network_is_refused(changed):
    with pytest.raises(NotSaved):
        network_of(changed)


@pytest.mark.parametrize("value", [None, [], {}, 3, "text", {"format": 1}])
def test_other_json_is_refused(value):
    with pytest.raises(NotSaved):
        network_of(value)


def test_every_missing_key_is_refused():
    for key in data():
        changed = copy.deepcopy(data())
        del changed[key]
        with pytest.raises(NotSaved):
            network_of(changed)


def test_ties_and_descriptions_are_kept():
    text = "input: [8]\nlayers: [{linear: 8, name: a}, {linear: 8, name: b}]"
    network = archcalc.loads(text)
    network["b"].ties = {"weight": WeightRef("a", "weight")}
    read = again(Network("n", network.inputs, network.layers, network.outputs, about=About("T", "S", 2020)))
    assert read["b"].ties == {"weight": WeightRef("a", "weight")}
    assert read.about == About("T", "S", 2020)
