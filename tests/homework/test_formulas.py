"""Formulas as students write them; SymPy is the judge of what is equal."""

from __future__ import annotations

import time

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.homework.answers.formulas import StudentFormula, read_formula
from archcalc.homework.answers.numbers import Unreadable
from archcalc.symbolic.polynomials import Polynomial, Symbol, floor_quotient
from archcalc.symbolic.traced import Guard

SYMBOLS = {name: Symbol(name) for name in ("C", "H", "W", "w", "width")}


def read(text):
    return read_formula(text, SYMBOLS).polynomial


def equal(one, other):
    return read_formula(one, SYMBOLS).equals(read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("25*C^2", "25C²"),
        ("36HWC²", "36·H·W·C·C"),
        ("36HWC**2", "4*9*C^2 W H"),
        ("9C(C+1)", "9C^2 + 9C"),
        ("2(H-1)/2 + 1", "H"),
        ("C/4*C/4*9 + C^2/2", "17/16 C^2"),
        ("0.5C", "C/2"),
        ("(C^2-1)/(C-1)", "C + 1"),
        ("1/(C+1) + 1/(C-1)", "2C/(C^2-1)"),
        ("floor((H-3)/2) + 1", "⌊(H-1)/2⌋"),
        ("ceil(H/2)", "⌊(H+1)/2⌋"),
        ("-C+2C", "C"),
        ("3widthw", "3*width*w"),
        ("floor((H - w + 2)/W) + 1", "floor((H - w + 2 + W)/W)"),
        ("floor((H - w)/W) + 1", "ceil((H - w + 1)/W)"),  # for whole numbers
        ("floor(floor(H/W)/W)", "floor(H/W^2)"),
        ("ceil(ceil(H/2)/2)", "ceil(H/4)"),
        ("C * ceil(H/32) * ceil(W/32)", "C * floor((H + 31)/32) * (floor((W - 1)/32) + 1)"),
        ("H - 2floor(H/2)", "(H - 2floor(H/2))^2"),  # 0 or 1
        ("floor(H/2) + floor((H+1)/2)", "H"),
        ("C + 1/(C+1) + floor(H/997)", "floor(H/997) + (C^2+C+1)/(C+1)"),
    ],
)
def test_equal(one, other):
    assert equal(one, other) is True
    assert equal(other, one) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("25C^2", "25C"),
        ("18C²", "9C²"),
        ("⌊H/2⌋", "H/2"),
        ("(C^2-1)/(C-1)", "C + 2"),
        ("HW", "wH"),
        ("ceil(H/2)", "⌊H/2⌋"),
        ("floor((H - w)/W) + 1", "ceil((H - w)/W)"),
        ("floor(H/4)", "floor(H/4 + 1/3)"),  # equal but for every fourth H
    ],
)
def test_not_equal(one, other):
    assert equal(one, other) is False
    assert equal(other, one) is False


# Each is 9C² for many numbers. The first five were graded right when points were drawn from 1,000 to 999,999.
ALMOST = [
    "9C^2 + floor(999/C)",
    "9C^2 + C^3*floor(999/C)",
    "9C^2 * ceil(C/10^7)",
    "C^2 * floor(9 + 1000/C^2)",
    "9C^2 + floor(999/H)",
    "9C^2 + floor(1/C)",
    "9C^2 + floor(C/999999)*floor(999999/C)",
    "9C^2 + floor(C/(10^12 * 10^12 * 10^6))",
    "9C^2 + floor(C/9999999999999999999)",
    "9C^2 + floor(1/(1 + (C - 12345)^2))",
    "9C^2 + floor(1/(1 + (C - 123*45*67)^2))",
    "9C^2 + floor(H/W)*floor(W/H)/1000",
    "9C^2 + floor(2C*H/(C*H + W))*floor(1/W)",
    "9C^2 + (C-1)(C-2)(C-3)(C-4)(C-5)",
    "9C^2 + floor(7/(C + H + W))",
    "9C^2 * floor((C + H)/(C + H + 1)) + 9C^2 * floor(1/H)",
    "9floor(C/2)*ceil(C/2) + 9C floor(C/2)*0 + floor(9/4 * C^2)*3",
]


@pytest.mark.parametrize("text", ALMOST)
def test_what_is_right_for_many_numbers_only_is_never_right(text):
    assert equal(text, "9C^2") is False


@pytest.mark.parametrize(
    "text", ["9C^2 + floor(1/(C + H))", "9C^2 * floor(1 + 1/(C+1))", "9C^2 + floor(H/(W + 999999H))"]
)
def test_what_is_neither_proved_nor_refuted_is_undecided(text):
    """Each is 9C², which no rule of algebra that is known here shows."""
    assert equal(text, "9C^2") is None


def test_a_quotient_is_exact_where_the_network_needs_it_to_be():
    """A layer with C/4 channels exists only where 4 divides C: there ⌊C/4⌋ is C/4, and nowhere else."""
    quarter = Polynomial.of(SYMBOLS["C"]) * read("1/4")
    floor = floor_quotient(Polynomial.of(SYMBOLS["C"]), read("4"))
    guard = Guard(quarter - floor, "==", Polynomial({}))
    assert StudentFormula(quarter, (guard,)).equals(floor) is True
    assert StudentFormula(quarter).equals(floor) is False
    assert StudentFormula(quarter + read("1"), (guard,)).equals(floor) is False
    assert StudentFormula(read("floor(3C/4)"), (guard,)).equals(read("C - C/4")) is True


leaves = st.sampled_from(["C", "H", "W", "2", "3", "0.5"])
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"),
        st.tuples(inner, st.integers(0, 2)).map(lambda parts: f"({parts[0]})**{parts[1]}"),
    ),
    max_leaves=4,
)


@settings(max_examples=60)
@given(expressions, expressions)
def test_as_sympy_decides(one, other):
    """Over quotients of polynomials, against SymPy's own simplification."""
    try:
        found = equal(one, other)
    except Unreadable:  # it divides by 0 on the way, or is too large: then SymPy is not asked either
        return
    judge = {str(name): name for name in sympy.symbols("C H W", positive=True)}
    mine = [sympy.nsimplify(sympy.sympify(text, locals=judge), rational=True) for text in (one, other)]
    assert found == (sympy.cancel(sympy.together(mine[0] - mine[1])) == 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("X", "unknown symbol 'X'; the symbols are"),
        ("__import__('os')", "unknown symbol '__import__'"),
        ("C.__class__", "unexpected"),
        ("C**H", "a power is an integer"),
        ("C^99", "a power is an integer"),
        ("9^12^12", "unexpected|power"),
        ("(C+H+W+w+1)^12", "too many terms"),
        ("((((C^12)^12)^12)^12)^12*9", "too many terms"),
        ("(" * 40 + "C" + ")" * 40, "too many brackets"),
        ("C+" * 200 + "C", "too long"),
        ("9" * 50, "too many digits"),
        ("((2^12)^12)^12", "too many digits"),
        ("C/0", "divides by 0"),
        ("C/(C-C)", "divides by 0"),
        ("C+", "ends too early"),
        ("(C", "is missing"),
        ("C)", "unexpected"),
        ("lambda: C", "unknown symbol 'lambda'"),
        ("C; H", "unexpected"),
        ("⌊C", "is missing"),
    ],
)
def test_what_is_no_formula(text, why):
    with pytest.raises(Unreadable, match=why):
        read(text)


def test_nothing_takes_long():
    """A comparison of the largest formulas that are read is bounded by their size."""
    start = time.process_time()
    hostile = "1/(C+1)+1/(H+2)+1/(W+3)+1/(w+4)+1/(C+H)+1/(C+W)+1/(H+W)"
    product = f"({hostile})*({hostile})"
    equal(product, product + "+1/(C+99)")
    assert time.process_time() - start < 60  # it takes well below a second; SymPy's cancel would need minutes
