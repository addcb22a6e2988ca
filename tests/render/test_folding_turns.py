"""Names that grow with the turns of a loop: the inputs of dense blocks, and of what collects them."""

from __future__ import annotations

import pytest

import archcalc
from archcalc.render.folding import folded_spec
from archcalc.render.folding.turns import common_sources, in_a_row
from archcalc.render.folding.unify import Unlike
from tests.fuzz.likeness import likeness


def dense(turns: int) -> str:
    """A dense block as densenet121 of torchvision has it: each layer takes all before it (Huang et al., 2017)."""
    layers = []
    for turn in range(1, turns + 1):
        before = ", ".join(f"layer{one}" for one in range(1, turn))
        layers += [f"  - layer{turn}:", f"      - {{concat, from: [stem{before and ', '}{before}]}}"]
        layers += ["      - batch_norm", "      - relu", "      - {conv: 4, kernel: 3, padding: 1}"]
    every = ", ".join(f"layer{one}" for one in range(1, turns + 1))
    return "\n".join(
        [
            "input: [3, 8, 8]",
            "layers:",
            "  - {conv: 4, kernel: 1, name: stem}",
            *layers,
            f"  - {{concat, from: [stem, {every}]}}",
        ]
    )


def test_a_dense_block_is_a_loop():
    network = archcalc.loads(dense(9))
    text = folded_spec(network)
    assert likeness(archcalc.loads(text)) == likeness(network)
    assert (
        text.partition("layers:\n")[2]
        == """\
  - {conv: 4, kernel: 1, name: stem}
  - layer1:
      - concat
      - batch_norm
      - relu
      - {conv: 4, kernel: 3, padding: 1}
  - repeat: 8
    name: layer{i + 2}
    layers:
      - {concat, from: [stem, "layer{range(1, i + 2)}"]}
      - batch_norm
      - relu
      - {conv: 4, kernel: 3, padding: 1}
  - {concat, from: [stem, "layer{range(1, 10)}"]}
"""
    )


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("a1", "a2"), ("a2", "a3", "a4"), ("a3", "a4", "a5", "a6")], ("a{range(i + 1, 2 * i + 3)}",)),
        ([("x0", "a1.b"), ("x1", "a1.b", "a2.b")], ("x{i}", "a{range(1, i + 2)}.b")),
        ([("a1", "b"), ("a2", "b")], ("a{i + 1}", "b")),
    ],
)
def test_sources_of_turns(turns, expected):
    assert common_sources(turns, looped=False) == expected


@pytest.mark.parametrize(
    "turns",
    [
        [("a1",), ("a1", "a3")],
        [("a01",), ("a01", "a02")],
        [("a1.b1",), ("a1.b1", "a2.b2")],
        [("a1",), ("a1", "a2"), ("a1", "a2", "a3", "a4", "a5")],
        [("{a1}",), ("{a1}", "{a2}")],
    ],
)
def test_sources_that_do_not_follow_from_the_turn(turns):
    with pytest.raises(Unlike):
        common_sources(turns, looped=False)


def test_few_names_are_written_as_they_are():
    assert in_a_row(["a1", "a2", "a3", "b", "c2", "c3", "c4", "c5"]) == ["a1", "a2", "a3", "b", "c{range(2, 6)}"]
    assert in_a_row(["a4", "a3", "a2", "a1"]) == ["a4", "a3", "a2", "a1"]
