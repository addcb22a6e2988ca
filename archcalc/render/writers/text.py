"""Text for a terminal: aligned columns that fit its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archcalc.render.document import Block, Chart, Column, Document, Equations, Formula, Paragraph, Table
from archcalc.render.format import Format
from archcalc.render.text import column_widths, fit, heading_lines, pad, wrap
from archcalc.words import printable

FORMAT = Format("text", (".txt",), "aligned columns, for a terminal")
GAP = "  "
SHORTEST_NAME, SHORTEST_PROSE = 21, 24
"""Names and prose are not squeezed into fewer characters."""
LONGEST_RULE = 100
"""Rules are at most so long where the width is unknown."""
SHORTEST_NOTE, LONGEST_NOTE = 60, 120
"""Notes are as wide as their table, within these, if the terminal is."""
WORDS_WIDTH = 110
"""Paragraphs are at most so wide."""


def write(document: Document, width: int | None = None, bold: Callable[[str], str] = str) -> str:
    """Return the blocks as text.

    Args:
        document: what is written.
        width: the width of the terminal; None if the tables may be as wide as they need.
        bold: returns a heading in bold, as the terminal does it.
    """
    return "\n".join(_block(block, width, bold) for block in document.blocks)


def _block(block: Block, width: int | None, bold: Callable[[str], str]) -> str:
    if isinstance(block, Table):
        return _table(block, width, bold)
    if isinstance(block, Chart):
        return block.text
    room = min(width or WORDS_WIDTH, WORDS_WIDTH)
    if isinstance(block, Paragraph):
        return "\n".join(wrap(printable(block.text), room)) + "\n"
    if isinstance(block, Equations):
        return "".join(f"{formula.text}\n" for formula in block.lines)
    paragraphs = []
    for item in block.items:
        lines = wrap(printable(item.title), room)
        lines += [f"  {line}" for line in (wrap(printable(item.text), room - 2) if item.text else ())]
        indent = "    " if item.text else "  "
        below = indent if all(isinstance(detail, Formula) for detail in item.lines) else f"{indent}  "
        for detail in item.lines:
            if isinstance(detail, Formula):
                lines.append(below + detail.text)
            else:
                lines += [indent + line for line in wrap(printable(detail), room - len(indent))]
        paragraphs.append("\n".join(lines) + "\n")
    return "\n".join(paragraphs)


def _table(table: Table, width: int | None, bold: Callable[[str], str]) -> str:
    """Return the table as text.

    If the table is too wide, prose is wrapped; then headings are shortened; then columns of a high rank are left out;
    then the table is folded, with the names of its rows in each part.
    """
    cells = _Cells(table)
    headings, shown = cells.that_fit(width)
    parts = [cells.part(headings, part, width, bold) for part in cells.folded(headings, shown, width)]
    limit = max(len(line) for part in parts for line in part if set(line) == {"─"})
    lines = (
        [
            bold(line)
            for line in wrap(printable(table.title), min(max(limit, SHORTEST_NOTE), width or limit + SHORTEST_NOTE))
        ]
        if table.title
        else []
    )
    for index, part in enumerate(parts):
        lines += ["", *part] if index else part
    hidden = [column.heading for index, column in enumerate(table.shown) if index not in shown]
    notes = [*table.notes, *([f"Left out, for lack of width: {', '.join(hidden)}."] if hidden else [])]
    for note in notes:
        room = LONGEST_NOTE if width and len(parts) > 1 else max(limit, SHORTEST_NOTE)
        lines += wrap(printable(note), min(room, width or LONGEST_NOTE, LONGEST_NOTE))
    return "\n".join(lines) + "\n"


class _Cells:
    """A table's cells as texts, with the width that they take."""

    def __init__(self, table: Table) -> None:
        self.columns = table.shown
        self.full, self.short = table.headings(), table.headings(short=True)
        self.titles = [printable(section.title) for section in table.sections]
        self.sections = [
            tuple([[printable(cell) for cell in row] for row in rows] for rows in section) for section in table.texts()
        ]
        rows = [row for section in self.sections for part in section for row in part]
        self.body = column_widths([""] * len(self.columns), rows)

    def widths(self, headings: Sequence[str], shown: Sequence[int]) -> list[int]:
        """Return the width of each of some columns."""
        words = column_widths([headings[index] for index in shown], [])
        return [max(self.body[index], word) for index, word in zip(shown, words, strict=True)]

    def needed(self, headings: Sequence[str], shown: Sequence[int]) -> int:
        """Return the least width of some columns."""
        least = [
            _least(self.columns[index], width) for index, width in zip(shown, self.widths(headings, shown), strict=True)
        ]
        return sum(least) + len(GAP) * (len(least) - 1)

    def that_fit(self, width: int | None) -> tuple[list[str], list[int]]:
        """Return the headings, and the columns that are not left out."""
        everything = list(range(len(self.columns)))
        if width is None or self.needed(self.full, everything) <= width:
            return self.full, everything
        shown = everything
        while self.needed(self.short, shown) > width:
            least = max((self.columns[index].rank for index in shown), default=0)
            if least == 0:
                break
            shown = [index for index in shown if self.columns[index].rank < least]
        return self.short, shown

    def folded(self, headings: Sequence[str], shown: Sequence[int], width: int | None) -> list[list[int]]:
        """Return the columns in parts that fit, each with the columns that name the rows."""
        if width is None:
            return [list(shown)]
        names = [index for index in shown if self.columns[index].is_name]
        parts: list[list[int]] = [list(names)]
        for index in shown:
            if index in names:
                continue
            if len(parts[-1]) > len(names) and self.needed(headings, [*parts[-1], index]) > width:
                parts.append(list(names))
            parts[-1].append(index)
        return [sorted(part) for part in parts]

    def part(
        self, headings: Sequence[str], shown: Sequence[int], width: int | None, bold: Callable[[str], str]
    ) -> list[str]:
        """Return headings and rows of some columns."""
        columns = [self.columns[index] for index in shown]
        widths = self.widths(headings, shown)
        if width is not None:
            excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
            for index, column in sorted(enumerate(columns), key=lambda item: not item[1].is_prose):
                taken = max(min(excess, widths[index] - _least(column, widths[index])), 0)
                widths[index] -= taken
                excess -= taken
        lines = [
            bold(_line(line, widths, columns)) for line in heading_lines([headings[index] for index in shown], widths)
        ]
        rule = "─" * min(sum(widths) + len(GAP) * (len(widths) - 1), width or LONGEST_RULE)
        for number, (title, (rows, totals)) in enumerate(zip(self.titles, self.sections, strict=True)):
            lines += [rule] if number == 0 or not title else [""]
            lines += [bold(line) for line in wrap(title, max(len(rule), 60))] if title else []
            lines += [line for row in rows for line in _row([row[index] for index in shown], widths, columns)]
            for total in totals:
                lines += [rule, *map(bold, _row([total[index] for index in shown], widths, columns))]
        return lines


def _least(column: Column, width: int) -> int:
    """Return the width to which a column may be squeezed."""
    return min(width, SHORTEST_PROSE if column.is_prose else SHORTEST_NAME if column.is_name else width)


def _row(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> list[str]:
    """Return the lines of a row: as many as its longest prose takes."""
    wrapped = [
        wrap(cell, width) if column.is_prose else [cell]
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return [
        _line([lines[index] if index < len(lines) else "" for lines in wrapped], widths, columns)
        for index in range(max(map(len, wrapped)))
    ]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = [
        pad(fit(cell, width), width, column.right) for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return GAP.join(parts).rstrip()
