"""Expressions: exact, closed, bounded."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.language.expression import parse_expression
from archcalc.language.values import ExpressionError, ShapeValue

VALUES = {
    "width": 64,
    "i": 0,
    "depths": [3, 4, 6, 3],
    "input": ShapeValue((3, 224, 112)),
    "yes": True,
    "block": "basic",
}


def evaluate(text, **values):
    return parse_expression(text).evaluate({**VALUES, **values})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4 * width", 256),
        ("2 if i == 0 else 1", 2),
        ("0.35 * 100", 35),
        ("1 / 3 + 2 / 3", 1),
        ("ceil(1.1 * 10)", 11),  # in binary floats 1.1 * 10 is more than 11
        ("7 // 2 * 2 + 7 % 2", 7),
        ("2 ** 10", 1024),
        ("2 ** -1", Fraction(1, 2)),
        ("-width", -64),
        ("yes and not i != 0", True),
        ("1 < 2 <= 2", True),
        ("block == 'basic'", True),
        ("width in [32, 64]", True),
        ("depths[-1] + sum(depths[:2])", 10),
        ("len(depths) + max(depths) - min(3, 1)", 9),
        ("sum(range(5))", 10),
        ("round(2.5)", 2),
        ("floor(-0.5)", -1),
        ("log2(64) + sqrt(49) + abs(-1)", 14),
        ("input.channels * input.height // input.width", 6),
        ("input[0] + len(input)", 6),
        ("[1] * 2 + [width]", [1, 1, 64]),
        ("true", True),
        ("null", None),
    ],
)
def test_values(text, value):
    result = evaluate(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widht", "unknown name 'widht'\nhelp: did you mean 'width"),
        ("input.heigth", "did you mean 'height"),
        ("ceiling(3)", "unknown function 'ceiling'\nhelp: did you mean 'ceil"),
        ("width.real", "is not a shape"),
        ("depths[9]", "has 4 values, got the index 9"),
        ("1 / 0", "division by zero"),
        ("9 ** 9 ** 9", "limit of digits"),
        ("10 ** 99 * 10 ** 99", "limit of digits"),
        ("1e999", "out of range"),
        ("range(10 ** 9)", "at most 1000 values"),
        ("[0] * 10 ** 9", "at most 1000 values"),
        ("__import__('os')", "unknown function"),
        ("(lambda: 1)()", "unknown function"),
        ("[x for x in depths]", "not allowed"),
        ("width if", "invalid expression"),
        ("'a' * 99", "cannot be computed"),
        ("", "missing value"),
        ("1 +" * 400 + "1", "at most 1000 characters"),
        ("(" * 300, "invalid expression"),
        ("-" * 100 + "1", "nested too deep: at most 100 operations"),
        ("+".join(["1"] * 102), "nested too deep"),
        ("min()", "cannot be computed"),
        ("i = 3", "invalid expression"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(")):
        evaluate(text)


def test_as_deep_as_it_may_be():
    assert evaluate("-" * 99 + "1") == -1
    assert evaluate("+".join(["1"] * 100)) == 100


def test_the_names_that_an_expression_asks_for():
    text = "a * max(b, 2) if input.channels > c else [a, true, 'd'][e]"
    assert parse_expression(text).names == ("input", "c", "a", "b", "e")


def exact(value):
    return Fraction(value) if not isinstance(value, bool) else value


numbers = st.integers(-50, 50).map(str) | st.decimals(-9, 9, places=2).map(str)
sums = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=8,
)


@given(sums)
def test_arithmetic_is_that_of_fractions(text):
    """The oracle is Python's own arithmetic on fractions."""
    import re

    oracle = re.sub(r"\d+(\.\d+)?", lambda number: f"Fraction('{number.group()}')", text)
    try:
        expected = eval(oracle, {"Fraction": Fraction})
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="division by zero"):
            evaluate(text)
        return
    assert evaluate(text) == expected


@given(st.text(max_size=60))
def test_no_text_escapes(text):
    """Any text is a value or an ExpressionError, and nothing else."""
    with contextlib.suppress(ExpressionError):
        evaluate(text)


@given(st.integers(8, 4000), st.sampled_from([4, 8, 16]))
def test_round_to_is_mobilenets_rule(value, divisor):
    """torchvision's own function is the oracle."""
    from torchvision.models._utils import _make_divisible

    assert evaluate(f"round_to({value} * 0.75, {divisor})") == _make_divisible(value * 0.75, divisor)


@pytest.mark.parametrize(
    ("text", "fix"),
    [("params = 3", "compare with =="), ("lambda", "'lambda' is a word of Python; choose another name")],
)
def test_what_is_no_expression_in_our_language_gets_a_fix(text, fix):
    with pytest.raises(ExpressionError, match=f"invalid syntax\nhelp: {fix}"):
        parse_expression(text)
