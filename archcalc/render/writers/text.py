"""Text for a terminal: aligned columns that fit its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archcalc.render.document import Chart, Column, Document, Table
from archcalc.render.text import column_widths, fit, heading_lines, pad, wrap
from archcalc.words import printable

GAP = "  "
SHORTEST_NAME = 21


def write(document: Document, width: int | None = None, bold: Callable[[str], str] = str) -> str:
    """The tables and charts. ``width`` is the terminal's, None for as wide as they need; ``bold`` styles headings."""
    return "\n".join(
        block.text if isinstance(block, Chart) else text_table(block, width, bold) for block in document.blocks
    )


def text_table(table: Table, width: int | None = None, bold: Callable[[str], str] = str) -> str:
    """The table as text.

    Where room is short, headings are; then columns of a high rank are left out; then the table is folded, and the
    first column stands before each part.
    """
    cells = _Cells(table)
    headings, shown = cells.that_fit(width)
    parts = [cells.part(headings, part, width, bold) for part in cells.folded(headings, shown, width)]
    limit = max(len(line) for part in parts for line in part if set(line) == {"─"})
    lines = [bold(line) for line in wrap(printable(table.title), max(limit, 60))] if table.title else []
    for at, part in enumerate(parts):
        lines += ["", *part] if at else part
    hidden = [column.heading for at, column in enumerate(table.columns) if at not in shown]
    notes = [*table.notes, *([f"Too narrow for: {', '.join(hidden)} (see --columns)."] if hidden else [])]
    for note in notes:
        lines += wrap(printable(note), min(width, 120) if width and len(parts) > 1 else max(min(limit, 120), 60))
    return "\n".join(lines) + "\n"


class _Cells:
    """A table's cells as texts, with what they take."""

    def __init__(self, table: Table) -> None:
        self.columns = table.columns
        self.full, self.short = table.headings(), table.headings(short=True)
        self.sections = [
            tuple([[printable(cell) for cell in row] for row in rows] for rows in section) for section in table.texts()
        ]
        rows = [row for section in self.sections for part in section for row in part]
        self.body = column_widths([""] * len(self.columns), rows)

    def widths(self, headings: Sequence[str], shown: Sequence[int]) -> list[int]:
        """The width of each of some columns."""
        words = column_widths([headings[at] for at in shown], [])
        return [max(self.body[at], word) for at, word in zip(shown, words, strict=True)]

    def needed(self, headings: Sequence[str], shown: Sequence[int]) -> int:
        """What some columns take at least."""
        widths = self.widths(headings, shown)
        least = [
            min(width, SHORTEST_NAME) if self.columns[at].is_name else width
            for at, width in zip(shown, widths, strict=True)
        ]
        return sum(least) + len(GAP) * (len(least) - 1)

    def that_fit(self, width: int | None) -> tuple[list[str], list[int]]:
        """The headings, and the columns that are not left out."""
        everything = list(range(len(self.columns)))
        if width is None or self.needed(self.full, everything) <= width:
            return self.full, everything
        shown = everything
        while self.needed(self.short, shown) > width:
            least = max((self.columns[at].rank for at in shown), default=0)
            if least == 0:
                break
            shown = [at for at in shown if self.columns[at].rank < least]
        return self.short, shown

    def folded(self, headings: Sequence[str], shown: Sequence[int], width: int | None) -> list[list[int]]:
        """The columns in parts that fit, each with the columns that name the rows."""
        if width is None:
            return [list(shown)]
        names = [at for at in shown if self.columns[at].is_name]
        parts: list[list[int]] = [list(names)]
        for at in shown:
            if at in names:
                continue
            if len(parts[-1]) > len(names) and self.needed(headings, [*parts[-1], at]) > width:
                parts.append(list(names))
            parts[-1].append(at)
        return [sorted(part) for part in parts]

    def part(
        self, headings: Sequence[str], shown: Sequence[int], width: int | None, bold: Callable[[str], str]
    ) -> list[str]:
        """Headings and rows of some columns."""
        columns = [self.columns[at] for at in shown]
        widths = self.widths(headings, shown)
        if width is not None:
            for at, column in enumerate(columns):
                if column.is_name:
                    room = width - sum(widths) - len(GAP) * (len(widths) - 1) + widths[at]
                    widths[at] = max(min(widths[at], room), min(widths[at], SHORTEST_NAME))
        lines = [bold(_line(line, widths, columns)) for line in heading_lines([headings[at] for at in shown], widths)]
        rule = "─" * (sum(widths) + len(GAP) * (len(widths) - 1))
        for rows, totals in self.sections:
            lines.append(rule)
            lines += [_line([row[at] for at in shown], widths, columns) for row in rows]
            for total in totals:
                lines += [rule, bold(_line([total[at] for at in shown], widths, columns))]
        return lines


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = [
        pad(fit(cell, width), width, column.right) for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return GAP.join(parts).rstrip()
