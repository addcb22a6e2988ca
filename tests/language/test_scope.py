"""Where names belong, and which step a name means."""

from __future__ import annotations

import pytest

import archcalc
from archcalc import SpecError

SHADOWED = """
input: [4, 8, 8]
layers:
  - {conv: 4, kernel: 1, name: first}
  - group:
      - {conv: 6, kernel: 1, name: first}
      - {conv: 4, kernel: 1, name: second}
      - {add, from: [second, %s], name: sum}
"""


def test_a_name_means_the_nearest_step_and_after_a_dot_the_networks_own():
    assert archcalc.loads(SHADOWED % ".first")["group.sum"].inputs == ("group.second", "first")
    assert archcalc.loads(SHADOWED % ".group.second")["group.sum"].inputs == ("group.second", "group.second")
    with pytest.raises(SpecError, match="got 4×8×8 and 6×8×8"):
        archcalc.loads(SHADOWED % "first")
    with pytest.raises(SpecError, match="the step 'second' comes after this one, or is inside another"):
        archcalc.loads(SHADOWED % ".second")


def test_after_a_dot_a_block_sees_its_own_steps_only():
    text = (
        "blocks: {b: {layers: [{relu, name: a}, {g: [{relu, name: a}, {add, from: [.a, a, .input], name: sum}]}]}}\n"
        "input: [4]\nlayers: [{relu, name: a}, {b, name: block}]\n"
    )
    assert archcalc.loads(text)["block.g.sum"].inputs == ("block.a", "block.g.a", "a")


@pytest.mark.parametrize(
    "text",
    [
        "input: [4]\nlayers: [{relu, name: a.b}]\n",
        "input: [4]\nlayers: [{relu, name: \"a{'.'}b\"}]\n",
        "input: [4]\nlayers: [{a.b: [relu]}]\n",
        "inputs: {a.b: [4]}\nlayers: [relu]\n",
    ],
)
def test_a_name_has_no_dot(text):
    with pytest.raises(SpecError, match="a name cannot have a dot"):
        archcalc.loads(text)


def test_side_steps_by_their_paths():
    text = "input: [4]\nlayers: [{linear: 4, name: a}, {side: [relu], name: s}, {g: [{side: [tanh]}, relu]}]\n"
    network = archcalc.loads(text)
    assert network.sides == {"s": "s.relu1", "g.side1": "g.side1.tanh1"}
    assert network.side_outputs == ("s.relu1", "g.side1.tanh1")


def test_a_loop_whose_first_turn_is_left_out_has_its_name_all_the_same():
    network = archcalc.loads(
        "input: [4]\nlayers: [{relu, name: l, repeat: 3, when: i != 0}, {add, from: [l.0, l.1]}]\n"
    )
    assert [layer.name for layer in network.layers] == ["l.0", "l.1", "add1"]
    with pytest.raises(SpecError, match="duplicate name 'l'"):
        archcalc.loads("input: [4]\nlayers: [{relu, name: l, repeat: 2}, {relu, name: l, repeat: 3, when: i != 0}]\n")


def test_a_name_may_ask_for_the_input_of_its_own_step():
    text = """
        input: [3, 8, 8]
        layers:
          - {conv: 6, kernel: 1, name: "from_{input.channels}"}
          - {side: [{linear: 4, name: "from_{input.channels}"}], name: "side_of_{input.channels}"}
          - {conv: 2, kernel: 1, name: "from_{input.channels}_again", from: from_3}
    """
    names = [layer.name for layer in archcalc.loads(text)]
    assert names == ["from_3", "side_of_6.from_6", "from_6_again"]


def test_shares_and_side_outputs_in_a_repeated_block_belong_to_their_own_turn():
    network = archcalc.loads("""
        input: [8, 16, 16]
        blocks:
          unit:
            params: {width: 8}
            layers:
              - {conv: width, kernel: 3, padding: 1, name: first}
              - {share: first, name: second}
              - {side: [global_avg_pool, flatten, {linear: 10}], name: head}
        layers:
          - {unit: 8, repeat: 3, name: u}
          - {share: u.2, name: again}
    """)
    assert {layer.name: layer.shares for layer in network if layer.op.kind == "conv"} == {
        "u.0.first": None,
        "u.0.second": "u.0.first",
        "u.1.first": None,
        "u.1.second": "u.1.first",
        "u.2.first": None,
        "u.2.second": "u.2.first",
        "again.first": "u.2.first",
        "again.second": "u.2.first",
    }
    assert list(network.sides) == ["u.0.head", "u.1.head", "u.2.head", "again.head"]
