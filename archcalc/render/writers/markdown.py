"""Markdown."""

from __future__ import annotations

from archcalc.render.document import Document, Table
from archcalc.words import printable

_ESCAPES = str.maketrans({one: f"\\{one}" for one in "\\|*_`<>[]#"})


def write(document: Document) -> str:
    """The tables, one after the other."""
    return "\n".join(map(_table, document.tables))


def _table(table: Table) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(map(escape_markdown, cells)) + " |"

    lines = [f"**{escape_markdown(table.title)}**", ""] if table.title else []
    lines.append(line(table.headings()))
    lines.append("|" + "|".join("---:" if column.right else ":---" for column in table.columns) + "|")
    for rows, totals in table.texts():
        lines += map(line, rows)
        for total in totals:
            lines.append("| " + " | ".join(f"**{escape_markdown(cell)}**" if cell else "" for cell in total) + " |")
    for note in table.notes:
        lines += ["", escape_markdown(note)]
    return "\n".join(lines) + "\n"


def escape_markdown(text: str) -> str:
    """A text that Markdown prints as it is."""
    return printable(text).translate(_ESCAPES)
