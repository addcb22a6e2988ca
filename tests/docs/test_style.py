"""What a script can check of the style guide in docs/contributing.md, on the pages that are written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_docs import DOCS, MADE, PAGES, name_of
from tests.docs.test_links import prose

MOST_WORDS = 25
WRITTEN = [page for page in PAGES if page.name not in MADE and page != DOCS / "explanation" / "lectures.md"]
RETIRED = re.compile(
    r"\b(noughts?|stands?|apart|but for|on its way|comes to be|held against|mend(s|ed)?|beside that|be it|of ours"
    r"|prove[dns]?|proofs?|proving|ways? of counting|centres?|colours?|neighbours?|simply|of course)\b"
)
RULES = ("Retired words:", "No jokes")
"""The rules that name such words."""


def sentences(page: Path) -> list[str]:
    """The sentences of a page: of its paragraphs, list items and table cells. Code and a link count as their text."""
    text = re.sub(r"<!--.*?-->|<[^>]+>", "", prose(page))
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "CODE", text))
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-|#]|\d+\.) ?)", text):
        for cell in block.split("|"):
            found += re.split(r"(?<=[.!?])[*)\"]*\s+", " ".join(cell.split()))
    return [one for one in found if one]


def words(sentence: str) -> list[str]:
    return [word for word in sentence.split() if re.search(r"\w", word)]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_sentences_are_short(page: Path):
    assert [one for one in sentences(page) if len(words(one)) > MOST_WORDS] == []


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_retired_words_are_not_used(page: Path):
    assert [one for one in sentences(page) if RETIRED.search(one) and not one.startswith(RULES)] == []


def test_a_long_sentence_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"Short. {'word ' * 26}end.\n\n- {'item ' * 20}\n- {'item ' * 20}\n", encoding="utf-8")
    assert [len(words(one)) for one in sentences(page)] == [1, 27, 20, 20]
