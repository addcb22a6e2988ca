"""A block that is made again is what expanding it again gives."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.language.draft import GraphBuilder
from archcalc.language.expand import Expansion
from archcalc.language.library import bundled_networks, open_spec
from archcalc.network import Network

NETWORKS = [pytest.param(path, variant, id=variant or path.stem) for path, variant in bundled_networks()]
SPECS = {path: open_spec(path) for path, _ in bundled_networks()}

TWICE = """
name: twice
input: [8, 16, 16]
blocks:
  unit:
    params: {width: 8}
    layers:
      - {conv: width, kernel: 3, padding: 1, name: first}
      - {share: first, name: second}
      - aux: [relu]
      - side: [global_avg_pool, flatten, {linear: 10}]
        name: head
      - add: [[{conv: width, kernel: 1}], [{from: first, identity: }]]
  pair:
    inputs: [left, right]
    layers:
      - add: [[{from: left, relu: }], [{from: right, sigmoid: }]]
layers:
  - {unit: 8, repeat: 3, name: u}
  - {unit: 8, train: true, name: t}
  - {pair: , from: [t, u.2.first], name: p0}
  - {pair: , from: [u.1, u.2.second], name: p1}
  - {pair: , from: [p1, p1], name: p2}
  - {pair: , from: [p0, p2], name: p3}
  - {share: u.2, name: again}
"""


def facts(network: Network) -> object:
    """All that there is to know of a network's layers and groups, in order."""
    layers = [
        (
            one.name,
            repr(one.op),
            one.op.inputs,
            one.output_shape,
            one.inputs,
            one.shares,
            one.side,
            one.train,
            one.place,
        )
        for one in network.layers
    ]
    return layers, list(network.groups.items()), network.outputs, network.side_outputs


def step_by_step(patch: pytest.MonkeyPatch) -> None:
    """Expand every block anew."""
    patch.setattr(Expansion, "likeness", lambda *_: None)


@pytest.mark.parametrize(("path", "variant"), NETWORKS)
def test_bundled_networks_are_the_same_step_by_step(path, variant, monkeypatch):
    repeated = SPECS[path].network(variant)
    step_by_step(monkeypatch)
    assert facts(repeated) == facts(SPECS[path].network(variant))


def test_shares_sides_and_names_inside_a_repeated_block(monkeypatch):
    made = []
    repeat = GraphBuilder.repeat
    monkeypatch.setattr(GraphBuilder, "repeat", lambda self, *args: made.append(args[1]) or repeat(self, *args))
    repeated = archcalc.loads(TWICE)
    assert made == ["u.1", "u.2", "p1", "p3", "again"], "blocks of equal inputs and parameters are not expanded again"
    assert repeated["u.2.second"].shares == "u.2.first"
    step_by_step(monkeypatch)
    assert facts(repeated) == facts(archcalc.loads(TWICE))


@pytest.mark.parametrize(("name", "value"), [("steps", 40), ("layers", 30), ("work", 25)])
def test_limits_count_what_is_made_again(name, value, monkeypatch):
    monkeypatch.setenv(f"ARCHCALC_MAX_{name.upper()}", str(value))
    text = TWICE.replace("repeat: 3", "repeat: 9")
    with pytest.raises(archcalc.SpecError) as repeated:
        archcalc.loads(text)
    step_by_step(monkeypatch)
    with pytest.raises(archcalc.SpecError) as plain:
        archcalc.loads(text)
    assert str(repeated.value) == str(plain.value)
