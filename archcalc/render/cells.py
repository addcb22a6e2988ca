"""Rows of texts as a table, where nothing is summed and nothing has a unit."""

from __future__ import annotations

from archcalc.render.text import cells_wide, pad
from archcalc.words import printable

Cells = list[list[str]]


def table(cells: Cells, format: str) -> str:
    """Rows as `text` or `markdown`, the first being the heading; all columns but the first are numbers."""
    cells = [[printable(cell) for cell in row] for row in cells]
    if format == "markdown":
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
        lines.insert(1, "|:---|" + "---:|" * (len(cells[0]) - 1))
        return "\n".join(lines) + "\n"
    widths = [max(cells_wide(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines = ["  ".join(pad(cell, widths[at], at > 0) for at, cell in enumerate(row)).rstrip() for row in cells]
    lines.insert(1, "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines) + "\n"
