"""The site's own pages, made when `mkdocs build --strict` runs: a start page, and one for each bundled network.

The pages of networks have facts, a drawing, the table and the source; each notebook is a page too. Nothing is fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

import archcalc
from archcalc.analysis import Counting, analyze
from archcalc.ops.vocabulary import shape_text
from archcalc.render.catalogue import CatalogueEntry, catalogue
from archcalc.render.table import TableOptions, table_document
from archcalc.render.writers import write_document

FOLDER = "networks"
OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+(?:archcalc|specs|tests)/[^)]*\)")
"""A link to a file of the repository that is not part of the site."""
NOTEBOOKS = Path(__file__).resolve().parent / "notebooks"
NOTEBOOK_LINK = re.compile(r"\]\(((?!\./)[^)]*)\.ipynb\)")
README = Path(__file__).resolve().parents[1] / "README.md"
ORDER = ("All pages", "Tutorial", "How to", "Notebooks", "Networks", "Reference", "Explanation", "Verified")
"""The sections of the navigation; pages of development follow."""
LAZILY = "loading=lazy style='max-height: 60em'"
"""Attributes of a drawing: it is fetched when it is seen, and fits a screen or two."""
MOST_ROWS = 60
"""Layers of a table; those of a larger network are joined into groups."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and drawings of the networks, and their list."""
    listed = [
        "# Networks\n\nAfter this page you know which networks are bundled. "
        "Each has a page with its facts, a drawing and its table.\n"
    ]
    for (family, year), entries in groupby(_entries(), lambda one: (one.family, one.year)):
        listed.append(f"## {family.replace('_', ' ')} ({year})\n\n| network | input | parameters | MACs |")
        listed.append("|:---|---:|---:|---:|")
        for entry in entries:
            files.append(File.generated(config, f"{FOLDER}/{entry.name}.md", content=_page(entry)))
            drawn = archcalc.draw(entry.name).svg
            files.append(File.generated(config, f"{FOLDER}/{entry.name}.svg", content=drawn))
            title = entry.title or entry.name
            listed.append(
                f"| [{title}]({entry.name}.md) | {shape_text(tuple(entry.input))} | {entry.params:,} | {entry.macs:,} |"
            )
        listed.append("")
    files.append(File.generated(config, f"{FOLDER}/index.md", content="\n".join(listed)))
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        for name, content in _notebook(notebook):
            files.append(File.generated(config, f"{NOTEBOOKS.name}/{name}", content=content))
    return files


def on_nav(nav: Any, config: Any, files: Any) -> Any:
    """Put the sections in the order in which a reader needs them."""

    def place(item: Any) -> int:
        title = item.title or ("All pages" if item.is_page and item.is_homepage else "")
        return ORDER.index(title) if title in ORDER else len(ORDER)

    nav.items.sort(key=place)
    return nav


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Begin the start page with README.md, and leave a link out of the site as its text."""
    if page.file.src_uri == "README.md":
        markdown = f"{_introduction()}\n{markdown.replace('# All pages', '## All pages', 1)}"
    markdown = NOTEBOOK_LINK.sub(r"](\1.md)", markdown)
    return OUTSIDE.sub(r"\1", markdown)


def _introduction() -> str:
    """Return README.md up to its list of pages, with links as they are from docs/."""
    text = README.read_text("utf-8").partition("## Where next")[0]
    text = re.sub(r'href="docs/([^"]*)\.md"', r'href="\1/"', text)
    return re.sub(r'(\]\(|src=")docs/', r"\1", text)


@cache
def _entries() -> list[CatalogueEntry]:
    return catalogue()


def _page(entry: CatalogueEntry) -> str:
    """Return the page of a network: facts, source, drawing and table."""
    analysis = analyze(archcalc.load(entry.name), Counting())
    depth = None if len(analysis.network) <= MOST_ROWS else 1
    table = write_document(table_document(analysis, TableOptions(depth=depth)), "text")
    assert isinstance(table, str)
    field = "×".join(map(str, entry.receptive_field))
    facts = {
        "input": shape_text(tuple(entry.input)),
        "parameters": f"{entry.params:,}",
        "multiply-adds": f"{entry.macs:,}",
        "depth": f"{entry.depth} weight layers on the longest path",
        "receptive field": f"{field} positions, of the last layer with spatial dimensions" if field else "",
        "year": str(entry.year or ""),
        "source": entry.source,
        "equals": f"`{entry.reference}`" if entry.reference else "",
        "spec": f"`specs/{entry.family}.yaml`",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items() if value)
    name = entry.name
    return (
        f"# {entry.title or name}\n\nAfter this page you know what {name} costs, layer by layer.\n\n"
        f"| fact | value |\n|:---|:---|\n{rows}\n\n"
        f"{entry.notes}\n\n"
        f"## Drawing\n\n[![{name}, drawn by archcalc]({name}.svg){{: {LAZILY} }}]({name}.svg)\n\n"
        f"`archcalc draw {name} -o {name}.svg`\n\n"
        f"## Table\n\n```text\n{table}```\n\n`archcalc table {name}{f' --depth {depth}' if depth else ''}`\n\n"
        f"[All networks](index.md)\n"
    )


def _notebook(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the page of a notebook and its pictures: names and contents."""
    parts = []
    for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            shown = output.get("data", {"text/plain": output.get("text", "")})
            if "image/svg+xml" in shown:
                name = f"{path.stem}-{number}.svg"
                yield name, "".join(shown["image/svg+xml"])
                parts.append(f"![A drawing]({name})")
            else:
                parts.append(f"```text\n{''.join(shown['text/plain'])}\n```")
    yield f"{path.stem}.md", "\n\n".join([*parts, f"As a notebook: [{path.name}](./{path.name})"])
