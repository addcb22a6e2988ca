"""Units are the lectures', unless the numbers ask for others; halves round up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.units import BYTES, COUNTS, Unit, choose_unit, in_words


@pytest.mark.parametrize(
    ("values", "units", "preferred", "unit"),
    [
        ([23296, 307392, 663936, 37752832], COUNTS, 1, "k"),  # AlexNet's parameters, as the lecture writes them
        ([72855552, 419904, 223948800], COUNTS, 2, "M"),
        ([802816, 186624, 4000], BYTES, 1, "KiB"),
        ([117600, 4704, 240000], COUNTS, 2, "k"),  # LeNet: nothing reaches a million
        ([11 * 10**9, 12 * 10**9, 13 * 10**9], COUNTS, 2, "G"),
        ([0, 0], COUNTS, 1, "k"),
        ([5], COUNTS, 1, ""),
    ],
)
def test_choice(values, units, preferred, unit):
    assert choose_unit(values, units, preferred).symbol == unit


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (559872, Unit("KB", 1024), "547"),  # 546.75
        (259584, Unit("KB", 1024), "254"),  # 253.5: a half goes up
        (37752832, Unit("k", 1000), "37,753"),
        (156, Unit("k", 1000, 2), "0.16"),
        (0, Unit("M", 10**6), "0"),
    ],
)
def test_rounding(value, unit, text):
    assert unit.text(value) == text


@given(st.integers(0, 10**15), st.sampled_from([0, 1, 2]), st.sampled_from(COUNTS + BYTES))
def test_a_text_is_the_nearest_number(value, decimals, unit):
    shown = Unit(unit.symbol, unit.size, decimals).text(value)
    error = Fraction(shown.replace(",", "")) - Fraction(value, unit.size)
    assert -Fraction(1, 2 * 10**decimals) < error <= Fraction(1, 2 * 10**decimals)


def test_in_words():
    assert [in_words(value, COUNTS) for value in (300, 61706, 61100840, 4089184256)] == [
        "300",
        "61.7 k",
        "61.1 M",
        "4.09 G",
    ]
