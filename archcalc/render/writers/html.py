"""HTML: a table for a page or a notebook."""

from __future__ import annotations

from html import escape

from archcalc.render.document import Document, Table
from archcalc.words import printable


def write(document: Document) -> str:
    """The tables, one after the other."""
    return "\n".join(map(_table, document.tables))


def _table(table: Table) -> str:
    def line(cells: list[str], tag: str) -> str:
        parts = (
            f'<{tag} style="text-align:{"right" if column.right else "left"}">{escape(printable(cell))}</{tag}>'
            for column, cell in zip(table.columns, cells, strict=True)
        )
        return "<tr>" + "".join(parts) + "</tr>"

    lines = ['<table class="archcalc">']
    if table.title:
        lines.append(f"<caption>{escape(printable(table.title))}</caption>")
    lines += ["<thead>", line(table.headings(), "th"), "</thead>"]
    for rows, totals in table.texts():
        lines += ["<tbody>", *(line(row, "td") for row in rows), *(line(total, "th") for total in totals), "</tbody>"]
    lines.append("</table>")
    lines += [f"<p>{escape(printable(note))}</p>" for note in table.notes]
    return "\n".join(lines) + "\n"
