"""HTML for a page or a notebook."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.render.document import Chart, Document, Equations, Formula, ItemList, Paragraph, Section, Table
from archcalc.render.format import Format
from archcalc.words import printable

FORMAT = Format("html", (".html", ".htm"), "tables for a page or a notebook")


def write(document: Document) -> str:
    """Return the blocks one after the other, without charts."""
    return "\n".join(_block(block) for block in document.blocks if not isinstance(block, Chart))


def _block(block: Table | Paragraph | ItemList | Equations) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Paragraph):
        return f"<p>{escape_html(block.text)}</p>\n"
    if isinstance(block, Equations):
        return f"{_list(block.lines)}\n"
    lines = ["<ul>"]
    for item in block.items:
        nested = _list(item.lines) if item.lines else ""
        lines.append(f"<li><b>{escape_html(item.title)}</b> {escape_html(item.text)}{nested}</li>")
    return "\n".join([*lines, "</ul>"]) + "\n"


def _list(lines: Sequence[str | Formula]) -> str:
    texts = [line.text if isinstance(line, Formula) else line for line in lines]
    return "".join(["<ul>", *(f"<li>{escape_html(text)}</li>" for text in texts), "</ul>"])


def _table(table: Table) -> str:
    lines = ['<table class="archcalc">']
    if table.title:
        lines.append(f"<caption>{escape_html(table.title)}</caption>")
    lines += ["<thead>", _row(table, table.headings(), "th"), "</thead>"]
    for section, (rows, totals) in zip(table.sections, table.texts(), strict=True):
        lines += ["<tbody>", *_heading(section, len(table.shown)), *(_row(table, row, "td") for row in rows)]
        lines += [*(_row(table, total, "th") for total in totals), "</tbody>"]
    lines.append("</table>")
    lines += [f"<p>{escape_html(note)}</p>" for note in table.notes]
    return "\n".join(lines) + "\n"


def _row(table: Table, cells: list[str], tag: str) -> str:
    parts = (
        f'<{tag} style="text-align:{"right" if column.right else "left"}">{escape_html(cell)}</{tag}>'
        for column, cell in zip(table.shown, cells, strict=True)
    )
    return "<tr>" + "".join(parts) + "</tr>"


def _heading(section: Section, width: int) -> list[str]:
    if not section.title:
        return []
    text = "".join(f"<p>{escape_html(paragraph)}</p>" for paragraph in section.text)
    return [f'<tr><th colspan="{width}" style="text-align:left">{escape_html(section.title)}{text}</th></tr>']


def escape_html(text: str) -> str:
    """Return a text that HTML shows as it is."""
    from html import escape

    return escape(printable(text))
