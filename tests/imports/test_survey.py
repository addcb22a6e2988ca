"""Models of torchvision and timm are counted as PyTorch counts them; `tests/imports/survey.py` takes all of them."""

from __future__ import annotations

import pytest

from tests.imports.survey import SAMPLE, Row, page, survey

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = SAMPLE[:4] + SAMPLE[8::4]


@pytest.mark.parametrize("reference", SMALL)
def test_parameters_and_multiply_adds(reference):
    row = survey(reference)
    assert row.is_equal, row.verdict()


@pytest.mark.slow
@pytest.mark.parametrize("reference", sorted({*SAMPLE} - {*SMALL}))
def test_more_models(reference):
    row = survey(reference)
    assert row.is_equal, row.verdict()


def test_the_page_says_what_differs():
    equal = Row("timm:a", "3×8×8", 10, 0, 10, 5, 5, 2)
    auxiliary = Row("timm:b", "3×8×8", 10, 4, 14, 5, 5, 2)
    other = Row("timm:c", "3×8×8", 10, 0, 12, 5, 7, 2, ("cumsum",))
    text = page([equal, auxiliary, other])
    assert "2 of 3 are equal in both to the unit; 2 have an operator for every layer." in text
    assert "| timm:c | 3×8×8 | 10 | 5 | 2 | 1 cumsum | params -2; MACs -2 |" in text
    assert "4 parameters not called" in text
