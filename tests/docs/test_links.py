"""Every link in README.md and docs/ leads somewhere, and every page is found from README.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.test_docs import DOCS, PAGES, ROOT, name_of

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")
GLOSSARY = DOCS / "reference" / "glossary.md"
MOST_LINES_OF_README = 110


@cache
def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub makes of a page's headings: lower case, no punctuation, equal ones numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        base = name = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading).lower()).replace(" ", "-")
        count = 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return frozenset(found)


def links(page: Path) -> list[tuple[Path, str]]:
    """The files of this repository that a page links to, each with the anchor or an empty string."""
    found = []
    for markdown, html in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        link = markdown or html
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            found.append(((page.parent / path).resolve() if path else page, anchor))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    broken = [
        f"{target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page != GLOSSARY], ids=name_of)
def test_every_page_links_to_the_glossary(page: Path):
    assert GLOSSARY in [target for target, _ in links(page)]


def test_every_page_is_found_from_readme():
    found = {PAGES[0]}
    queue = [PAGES[0]]
    while queue:
        for target, _ in links(queue.pop()):
            if target.suffix == ".md" and target not in found:
                found.add(target)
                queue.append(target)
    assert [name_of(page) for page in PAGES if page not in found] == []


def test_readme_is_short_and_begins_with_the_two_commands_of_the_gate():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES_OF_README
    use, develop = re.findall(r"^```sh\n(.*)\n```$", text, re.MULTILINE)[:2]
    assert use.endswith(".venv/bin/archcalc table alexnet")
    assert develop.endswith(" && .venv/bin/pytest -n auto")
