"""The rules of lint: each has an example that breaks it, and one that does not."""

from __future__ import annotations

import pytest

from archcalc.language.lint import fixed, lint_document
from archcalc.language.rules import RULES
from archcalc.language.source import SpecDocument


def codes(text: str) -> set[str]:
    return {found.code for found in lint_document(SpecDocument(text, "spec.yaml"))}


@pytest.mark.parametrize("code", RULES)
def test_the_example_of_a_rule_breaks_it_and_the_better_one_does_not(code):
    rule = RULES[code]
    found = [one for one in lint_document(SpecDocument(rule.example, "spec.yaml")) if one.code == code]
    assert found
    assert all(one.is_warning == rule.is_warning for one in found)
    assert codes(rule.better) == set()


@pytest.mark.parametrize("code", ["A002", "A104", "A105"])
def test_the_correction_of_an_example_is_the_better_one(code):
    rule = RULES[code]
    assert fixed(SpecDocument(rule.example, "spec.yaml")) == (rule.better, 1)
    assert fixed(SpecDocument(rule.example, "spec.yaml"), {"A999"}) == (rule.example, 0)


def test_every_correction_is_made_even_if_it_shows_another():
    text = "input: [32, 32, 3]\nlayers: [{cov: 8, kernel: 3}, {conv: 8, kernal: 1, bias: true}, batch_norm]\n"
    after, count = fixed(SpecDocument(text, "spec.yaml"))
    assert (
        after == "input: [3, 32, 32]\nlayers: [{conv: 8, kernel: 3}, {conv: 8, kernel: 1, bias: false}, batch_norm]\n"
    )
    assert count == 4
    assert codes(after) == set()


def test_a_bias_that_another_turn_needs_is_kept():
    text = """
input: [8, 32, 32]
blocks:
  unit: {params: {last: required}, layers: [{conv: 8, kernel: 1, name: c}, {batch_norm, when: not last}]}
layers: [{unit, last: false}, {unit, last: true}]
"""
    assert codes(text) == {"A105"}
    assert fixed(SpecDocument(text, "spec.yaml")) == (text, 0)


def test_windows_of_the_output_leave_nothing_of_the_input_unread():
    assert codes("input: [36, 42]\nlayers: [{fold, size: [6, 7], kernel: 3, padding: 1}]\n") == set()
    assert codes("input: [4, 7, 7]\nlayers: [{conv_transpose: 2, kernel: 2, stride: 3}]\n") == set()


def test_a_shortcut_may_skip_positions():
    branches = "[{conv: 8, kernel: 3, stride: 2, padding: 1}], [{conv: 8, kernel: 1, stride: 2}]"
    text = f"input: [8, 8, 8]\nlayers: [{{add: [{branches}]}}]\n"
    assert codes(text) == set()


def test_padding_at_the_end_need_not_be_read():
    """torchvision's ResNet: 112 + 2 − 3 is odd, and what is left is padding."""
    assert codes("input: [3, 112, 112]\nlayers: [{max_pool: 3, stride: 2, padding: 1}]\n") == set()
