"""The probability that training computes a layer of a branch that may be dropped."""

import pytest

import archcalc
from archcalc.analysis.survival import survivals

NESTED = """
name: nested
input: [4, 8, 8]
layers:
  - {conv: 4, kernel: 1, name: stem}
  - add:
      - []
      - - {conv: 4, kernel: 1, name: outer}
        - add:
            - []
            - - {conv: 4, kernel: 1, name: inner}
              - {stochastic_depth: 0.5, name: drop1}
        - {stochastic_depth: 0.25, name: drop2}
"""


def test_only_what_the_dropped_branch_alone_uses_is_spared():
    network = archcalc.loads(NESTED)
    chances = survivals(network)
    assert "stem" not in chances, "the shortcut uses it too"
    assert chances["outer"] == 0.75
    assert chances["inner"] == 0.75 * 0.5, "a branch in a branch"
    each = 4 * 4 * 8 * 8
    assert network.analyze().expected_training_macs == pytest.approx(each * (1 + 0.75 + 0.375))


def test_nothing_is_expected_where_nothing_is_dropped():
    analysis = archcalc.load("resnet18").analyze()
    assert analysis.expected_training_macs is None
    assert "expected_training_macs" not in analysis.to_dict()
