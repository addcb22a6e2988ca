"""Markdown for a page or a comment."""

from __future__ import annotations

import re

from archcalc.render.document import Chart, Document, Equations, Formula, ItemList, Paragraph, Table
from archcalc.render.format import Format
from archcalc.words import printable

FORMAT = Format("markdown", (".md", ".markdown"), "tables for a page or a comment")
_ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\|*_`<>[]#"})


def write(document: Document) -> str:
    """Return the blocks one after the other, without charts."""
    return "\n".join(_block(block) for block in document.blocks if not isinstance(block, Chart))


def _block(block: Table | Paragraph | ItemList | Equations) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Paragraph):
        return f"{escape_markdown(block.text)}\n"
    if isinstance(block, Equations):
        return "\n".join(f"{_detail(formula)}\n" for formula in block.lines)
    lines = []
    for item in block.items:
        lines.append(f"- **{escape_markdown(item.title)}** {escape_markdown(item.text)}".rstrip())
        lines += [f"  - {_detail(line)}" for line in item.lines]
    return "\n".join(lines) + "\n"


def _detail(line: str | Formula) -> str:
    return f"$${line.latex}$$" if isinstance(line, Formula) else escape_markdown(line)


def _table(table: Table) -> str:
    heading = [
        _row(table.headings()),
        "|" + "|".join("---:" if column.right else ":---" for column in table.shown) + "|",
    ]
    lines = [f"**{escape_markdown(table.title)}**", ""] if table.title else []
    for index, (section, (rows, totals)) in enumerate(zip(table.sections, table.texts(), strict=True)):
        if section.title:
            lines += [f"## {escape_markdown(section.title)}", ""]
            lines += [line for paragraph in section.text for line in (escape_markdown(paragraph), "")]
        if section.title or index == 0:
            lines += heading
        lines += map(_row, rows)
        for total in totals:
            lines.append("| " + " | ".join(f"**{escape_markdown(cell)}**" if cell else "" for cell in total) + " |")
        if section.title:
            lines.append("")
    lines = lines[:-1] if not lines[-1] else lines
    for note in table.notes:
        lines += ["", escape_markdown(note)]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(map(escape_markdown, cells)) + " |"


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, except that `code` between backticks is code."""
    parts = re.split(r"(`[^`<>|]+`)", printable(text))  # a tag or the end of a cell is never code
    return "".join(part if index % 2 else part.translate(_ESCAPES) for index, part in enumerate(parts))
