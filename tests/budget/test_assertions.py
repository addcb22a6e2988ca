"""Assertions: whatever is written, there is an outcome or a mistake with a place."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.budget.assertions import check_budget, read_assertions
from archcalc.budget.document import budgets_document, budgets_junit
from archcalc.errors import SpecError
from archcalc.render.writers import write_document

SIDES = (
    *("params", "rf", "rf_stride", "input", "output", "layer", "kind", "param", "aligned", "3 * GiB", "null", "true"),
    *("layer['conv1']", "kind['conv'].macs", "param['classes']", "output.channels", "input.shape", "output.size"),
    *("1", "2.5", "1e9", "'x'", "[1000]", "[]", "[1, 2][0]", "params / 0", "params ** rf", "max(input.shape)"),
    *("log2(params)", "sqrt(0 - rf)", "sum(output)", "len(layer)", "macs // weights", "layer['conv1'].kernel % 2"),
)
JOINTS = ("<", "<=", "==", "!=", ">", ">=", "in", "not in", "and", "or", "+", "-", "*")


@pytest.fixture(scope="module")
def analysis():
    return archcalc.load("lenet5").analyze()


def outcome(analysis, text):
    """What becomes of an assertion, None where it is mistaken; in every format."""
    mistake = ""
    try:
        budget = check_budget("lenet5", analysis, read_assertions([text]))
    except SpecError as error:
        mistake = str(error)
    if mistake:
        assert mistake.startswith("assertion:1:")
        assert "^" in mistake
        return None
    document = budgets_document([budget])
    json.loads(write_document(document, "json"), parse_constant=lambda constant: pytest.fail(constant))
    ElementTree.fromstring(budgets_junit([budget]))
    for name in ("text", "markdown", "csv", "html", "latex"):
        assert write_document(document, name).endswith("\n")
    return budget.outcomes[0]


@settings(max_examples=300)
@given(
    sides=st.lists(st.sampled_from(SIDES), min_size=4, max_size=4),
    joints=st.lists(st.sampled_from(JOINTS), max_size=3),
)
def test_any_sides(analysis, sides, joints):
    outcome(
        analysis, " ".join([sides[0], *(f"{joint} {side}" for joint, side in zip(joints, sides[1:], strict=False))])
    )


@settings(max_examples=200)
@given(text=st.text(max_size=40))
def test_any_text(analysis, text):
    outcome(analysis, text)


@given(limit=st.integers(-(10**9), 10**9), flip=st.booleans(), strict=st.booleans())
def test_the_margin_says_whether_it_holds(analysis, limit, flip, strict):
    """Not below 0, or above it where the comparison is strict."""
    sign = "<" if strict else "<="
    text = f"{limit} {sign.replace('<', '>')} params" if flip else f"params {sign} {limit}"
    found = outcome(analysis, text)
    assert found.margin == limit - 61_706  # torch's own count of LeNet-5
    assert found.passed == (found.margin > 0 if strict else found.margin >= 0)
    assert found.actual == {"params": 61_706}
