"""Models of torchvision and timm are counted as PyTorch counts them; `tests/imports/survey.py` takes all of them."""

from __future__ import annotations

import pytest

from tests.imports.survey import SAMPLE, Row, page, row_of, survey

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = (*SAMPLE[:4], "timm:convit_tiny", "timm:visformer_tiny")


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
    equal = Row("timm:a", "3×8×8", 10, 0, 10, 5, 5, 2, spec_lines=7, output="2e-16")
    auxiliary = Row("timm:b", "3×8×8", 10, 4, 14, 5, 5, 2, spec="other layers", output="0.001")
    other = Row("timm:c", "3×8×8", 10, 0, 12, 5, 7, 2, ("cumsum",))
    text = page([equal, auxiliary, other, Row("timm:d", error="not done")])
    assert "| multiply-adds equal to the unit | 2 of 4 |" in text
    assert "| parameters equal, with those of modules that are not called | 2 of 4 |" in text
    assert "| an operator for every layer | 2 of 4 |" in text
    assert "| the written spec, read again, is equal | 1 of 2 |" in text
    assert "| output of the module built again, within 1e-10 in float64 | 1 of 2 |" in text
    assert "| timm:a | 3×8×8 | 10 | 5 | 2 | 7 |  | equal |" in text
    assert "| timm:c | 3×8×8 | 10 | 5 | 2 | – | 1 cumsum | params -2; MACs -2 |" in text
    assert "4 parameters not called; its spec, read again: other layers |" in text
    assert "| timm:d |  |  |  |  |  |  | not done |" in text


def test_a_line_of_the_page_is_its_row_again():
    equal = Row("timm:a", "3×8×8", 1000, 0, 1000, 5000, 5000, 2, ("var", "var", "index"), spec_lines=7)
    auxiliary = Row("timm:b", "3×8×8 and 3×8×8", 10, 4, 14, 5, 5, 2)
    other = Row("timm:c", "3×8×8", 10, 0, 12, 5, 7, 2)
    assert [row_of(line) for line in page([equal, auxiliary, other]).splitlines() if line.startswith("| timm")] == [
        equal,
        auxiliary,
        None,
    ]
