"""Formulas as students write them; SymPy is the judge of what is equal."""

from __future__ import annotations

import time

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.analysis.algebra import Polynomial, Symbol, floor_quotient
from archcalc.analysis.traced import Guard
from archcalc.homework.formulas import Formula, read_formula
from archcalc.homework.numbers import Unreadable

SYMBOLS = {name: Symbol(name) for name in ("C", "H", "W", "w", "width")}


def read(text):
    return read_formula(text, SYMBOLS)


def equal(one, other):
    return Formula(read(one)).equals(read(other))


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
    ],
)
def test_equal(one, other):
    assert equal(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("25C^2", "25C"),
        ("18C²", "9C²"),
        ("⌊H/2⌋", "H/2"),
        ("(C^2-1)/(C-1)", "C + 2"),
        ("HW", "wH"),
        ("ceil(H/2)", "⌊H/2⌋"),
    ],
)
def test_not_equal(one, other):
    assert not equal(one, other)


def test_a_quotient_is_exact_where_the_network_needs_it_to_be():
    """A layer with C/4 channels exists only where 4 divides C: there ⌊C/4⌋ is C/4, and nowhere else."""
    quarter = Polynomial.of(SYMBOLS["C"]) * read("1/4")
    floor = floor_quotient(Polynomial.of(SYMBOLS["C"]), read("4"))
    guard = Guard(quarter - floor, "==", Polynomial({}))
    assert Formula(quarter, (guard,)).equals(floor)
    assert not Formula(quarter).equals(floor)
    assert not Formula(quarter + read("1"), (guard,)).equals(floor)


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
        ("", "missing"),
        ("X", "there is no 'X' here; known are"),
        ("__import__('os')", "there is no '__import__'"),
        ("C.__class__", "has no meaning"),
        ("C**H", "a power is a whole number"),
        ("C^99", "a power is a whole number"),
        ("9^12^12", "not expected|power"),
        ("(C+H+W+w+1)^12", "too large"),
        ("((((C^12)^12)^12)^12)^12*9", "too large"),
        ("(" * 40 + "C" + ")" * 40, "too many brackets"),
        ("C+" * 200 + "C", "too long"),
        ("9" * 50, "too many digits"),
        ("((2^12)^12)^12", "too large"),
        ("C/0", "divides by 0"),
        ("C/(C-C)", "divides by 0"),
        ("C+", "ends too early"),
        ("(C", "is missing"),
        ("C)", "not expected"),
        ("lambda: C", "there is no 'lambda'"),
        ("C; H", "has no meaning"),
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
