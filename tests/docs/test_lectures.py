"""docs/explanation/lectures.md: archcalc's numbers for the lectures' claims, against the same recomputed by hand."""

from __future__ import annotations

import re

import pytest

from tests.docs import lectures
from tests.docs.test_docs import DOCS, check_page


def test_the_page_is_current(request):
    check_page(DOCS / "explanation" / "lectures.md", lectures.page(), request)


def test_the_numbers_are_those_recomputed_by_hand():
    """Every number that gold has was recomputed from first principles, and checked on torchvision's modules."""
    compared = {one.claim.id: one.equals_recomputed() for one in lectures.answers() if one.value is not None}
    departing = {one.claim.id for one in lectures.answers() if "departs" in one.query}
    assert {id for id, same in compared.items() if same is False} == departing
    assert sum(same is True for same in compared.values()) >= 454


def test_the_verdicts_are_those_found_by_hand():
    """`exact` and `rounds` are; an erratum differs, or could not be found by arithmetic."""
    found = {one.claim.id: one.verdict for one in lectures.answers() if one.value is not None}
    for one in lectures.answers():
        if one.value is None or one.verdict == "words" or "departs" in one.query:
            continue
        if one.claim.verdict in ("exact", "rounds"):
            assert found[one.claim.id] in ("exact", "rounds"), one.claim
        if one.claim.verdict == "erratum":
            assert found[one.claim.id] in ("differs", "cut"), one.claim
        if one.claim.verdict == "convention:truncated":
            assert found[one.claim.id] == "cut", one.claim


def test_se_networks_within_0_4_percent():
    """What the page says of the SENet table."""
    found = [one for one in lectures.answers() if one.claim.id.startswith("001-senet") and "departs" in one.query]
    assert len(found) == 10
    for one in found:
        printed = lectures.printed_number(one.claim.stated).value
        assert round(float(100 * abs(one.value - printed) / printed), 1) <= 0.4


def test_every_claim_is_answered():
    """With a number, or with a reason why there is none."""
    for one in lectures.answers():
        assert one.value is not None or one.query["none"]
    assert len(lectures.answers()) == 652


@pytest.mark.parametrize("query", lectures.queries()[1], ids=lambda query: query["claims"])
def test_every_query_has_a_claim(query):
    assert any(
        lectures.matching(claim)[0] is query for claim in lectures.claims() if re.fullmatch(query["claims"], claim.id)
    )
