"""Numbers as students write them."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.homework.answers.numbers import AnswerTolerance, DecimalStyle, Unreadable, read_number, style_of

DIGITS = AnswerTolerance()


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("72,855,552", 72855552, ""),
        ("72 855 552", 72855552, ""),
        ("72.855.552", 72855552, ""),
        ("72'855'552", 72855552, ""),
        ("72_855_552", 72855552, ""),
        ("1,234.5", Fraction("1234.5"), ""),
        ("1.234,5", Fraction("1234.5"), ""),
        ("72,9", Fraction("72.9"), ""),
        ("0,296", Fraction("0.296"), ""),
        ("37752,832", Fraction("37752.832"), ""),
        ("0.77 MB", Fraction("0.77"), "MB"),
        ("23K", 23, "K"),
        ("6.4e7", 64000000, ""),
        ("6.4E+07", 64000000, ""),
        ("6.4 × 10^7", 64000000, ""),
        ("6,4·10⁷", 64000000, ""),
        ("≈ 73 M", 73, "M"),
        ("−5", -5, ""),
        (".5", Fraction("0.5"), ""),
        ("1,23,4", None, None),
        ("1.2.3", None, None),
        ("=1+1", None, None),
        ("@SUM(A1)", None, None),
        ("1e999", None, None),
        ("9" * 61, None, None),
        ("٣", None, None),
        ("nan", None, None),
        ("", None, None),
    ],
)
def test_read(text, value, unit):
    if value is None:
        with pytest.raises(Unreadable):
            read_number(text)
        return
    number, rest = read_number(text)
    assert (number.value, rest) == (value, unit)


def test_a_mark_before_three_digits_is_read_by_the_rest_of_the_sheet():
    """`23,296` is 23296 in English and 23.296 in German; where nothing tells, it is not guessed."""
    assert style_of(["23,296", "72.9", "784"], suspicious=False) is DecimalStyle.POINT
    assert style_of(["23,296", "72,9"], suspicious=False) is DecimalStyle.COMMA
    assert style_of(["23,296", "1.234.567"], suspicious=False) is DecimalStyle.COMMA
    assert style_of(["23,296", "1,234,567"], suspicious=True) is DecimalStyle.POINT
    assert style_of(["23,296"], suspicious=False) is DecimalStyle.POINT
    assert style_of(["23,296"], suspicious=True) is DecimalStyle.OPEN
    assert style_of(["23,296", "64, 56"], suspicious=False) is DecimalStyle.POINT
    assert style_of(["23,296", "72,9", "72.8"], suspicious=False) is DecimalStyle.OPEN
    assert read_number("23,296", DecimalStyle.COMMA)[0].value == Fraction("23.296")
    assert read_number("23.296", DecimalStyle.COMMA)[0].value == 23296
    assert read_number("23,296", DecimalStyle.POINT)[0].value == 23296
    with pytest.raises(Unreadable, match=r"may mean 23296 or 23\.296"):
        read_number("23,296", DecimalStyle.OPEN)


@given(st.integers(1, 10**12), st.integers(-6, 9), st.sampled_from([ROUND_HALF_UP, ROUND_HALF_DOWN]))
def test_right_if_the_truth_rounds_to_the_digits_written(truth, place, way):
    """Python's decimal module rounds; one more or less in the last digit is wrong."""
    kept = int((Decimal(truth) / Decimal(10) ** place).quantize(Decimal(1), way))

    def written(digits):
        number, _ = read_number(f"{digits}e{place}" if place > 0 else f"{Decimal(digits).scaleb(place):f}")
        return number

    assert DIGITS.accepts(written(kept), truth) or kept == 0
    for other in (kept + 1, kept - 1):
        is_tie = abs(2 * other * Fraction(10) ** place - 2 * truth) == Fraction(10) ** place
        assert DIGITS.accepts(written(other), truth) is (is_tie and other != 0)


@given(st.integers(1, 10**15))
def test_written_in_any_way_it_is_the_same_number(truth):
    english, german, swiss = f"{truth:,}", f"{truth:,}".replace(",", "."), f"{truth:,}".replace(",", "'")
    assert read_number(english, DecimalStyle.POINT)[0].value == truth
    assert read_number(german, DecimalStyle.COMMA)[0].value == truth
    assert read_number(swiss)[0].value == read_number(str(truth))[0].value == truth


def test_a_zero_says_nothing_in_large_units():
    zero, _ = read_number("0")
    assert DIGITS.accepts(zero.in_units_of(10**6), 419_904, coarsest=10**6)  # as the lectures print pool1
    assert not DIGITS.accepts(zero.in_units_of(10**12), 419_904, coarsest=10**6)
    assert DIGITS.accepts(zero.in_units_of(10**12), 0)


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ("digits", ["72.9", "73", "72.856"], ["72.8", "72", "72.8555"]),
        ("cut", ["72.9", "72.8", "73", "72", "72.8555"], ["72.7", "71"]),
        ("exact", ["72.855552"], ["72.9", "73", "72.855553"]),
        ("1%", ["72.2", "73.5", "73"], ["72", "74"]),
    ],
)
def test_tolerances(rule, right, wrong):
    tolerance = AnswerTolerance.parse(rule)
    accepted = [
        text for text in right + wrong if tolerance.accepts(read_number(text)[0].in_units_of(10**6), 72_855_552)
    ]
    assert accepted == right


@pytest.mark.parametrize("text", ["", "5", "-1%", "1e3%", "loose", "9999%", "%"])
def test_no_tolerance(text):
    with pytest.raises(ValueError, match="--tolerance takes"):
        AnswerTolerance.parse(text)
