"""LaTeX, with booktabs: a floating table, or one over several pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from archcalc.errors import UserError
from archcalc.render.document import Chart, Document, Equations, Formula, ItemList, Paragraph, Section, Table
from archcalc.render.format import Format
from archcalc.render.text import column_widths, heading_lines
from archcalc.words import printable, quote

FORMAT = Format("latex", (".tex",), "tables with booktabs, for a paper")
PAGE_ROWS = 40
"""More rows do not fit a page."""
PAGE_WIDTH = 345.0
"""Points between the margins of the class article."""
PROSE = 30
"""Letters in a line of prose, in a table."""
SIZES = (
    ("", 5.4, 6),
    (r"\small", 4.9, 4),
    (r"\footnotesize", 4.5, 3),
    (r"\scriptsize", 3.9, 2.5),
    (r"\tiny", 3.1, 1),
)
"""Sizes of letters, with the points that a letter takes on average and those on each side of a column."""

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "–": "--",
    "−": "$-$",
    "÷": r"$\div$",
    "→": r"$\to$",
    "…": r"\ldots{}",
    "≠": r"$\ne$",
    "≥": r"$\ge$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
    "Φ": r"$\Phi$",
    **{power: f"$^{digit}$" for digit, power in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # after the end of a row, a bracket would be read as a distance
}
_LATEX_TABLE = str.maketrans(_LATEX)


def escape_latex(text: str) -> str:
    """Return a text that LaTeX prints as it is."""
    return printable(text).translate(_LATEX_TABLE)


def write(document: Document) -> str:
    """Return the blocks one after the other, without charts; the label is that of the first table."""
    first = next(iter(document.tables), None)
    text = "\n".join(
        _table(block, document.label if block is first else "") if isinstance(block, Table) else _words(block)
        for block in document.blocks
        if not isinstance(block, Chart)
    )
    return f"% needs \\usepackage{{amsmath}}\n{text}" if r"\begin{align*}" in text else text


def _words(block: Paragraph | ItemList | Equations) -> str:
    if isinstance(block, Paragraph):
        return f"{escape_latex(block.text)}\n"
    if isinstance(block, Equations):
        return "\n".join(_details(block.lines)) + "\n"
    lines = [r"\begin{itemize}"]
    for item in block.items:
        lines.append(rf"\item \textbf{{{escape_latex(item.title)}}} {escape_latex(item.text)}".rstrip())
        lines += _details(item.lines)
    return "\n".join([*lines, r"\end{itemize}"]) + "\n"


def _details(lines: Sequence[str | Formula]) -> Iterator[str]:
    """Yield paragraphs, and formulas that follow each other as one display."""
    for kind, group in groupby(lines, type):
        if kind is Formula:
            yield r"\begin{align*}"
            yield "\\\\\n".join(f"  &{formula.latex}" for formula in group if isinstance(formula, Formula))
            yield r"\end{align*}"
        else:
            yield from (rf"\par {escape_latex(str(line))}" for line in group)


def _table(table: Table, label: str) -> str:
    texts = table.texts()
    is_long = sum(len(rows) + len(totals) for rows, totals in texts) > PAGE_ROWS
    widths = column_widths(table.headings(), [row for part in texts for rows in part for row in rows])
    widths = [
        min(width, PROSE) if column.is_prose else width for width, column in zip(widths, table.shown, strict=True)
    ]
    size, letter, gap = _size(widths)
    kind = "longtable" if is_long else "tabular"
    caption = rf"\caption{{{escape_latex(table.title)}}}" if table.title else ""
    if label:
        if not re.fullmatch(r"[\w:.+/-]+", label, re.ASCII):
            raise UserError(f"expected a label of letters, digits and :.+/-_, got {quote(label)}")
        caption += rf"\label{{{label}}}"
    heading = [r"  \toprule", *map(_line, heading_lines(table.headings(), widths)), r"  \midrule"]
    lines = [rf"% needs \usepackage{{booktabs{',longtable' if is_long else ''}}}"]
    lines += [r"\begingroup"] if is_long else [r"\begin{table}", r"  \centering"]
    lines += [rf"  {size}\setlength{{\tabcolsep}}{{{gap}pt}}"] if size else []
    lines += [f"  {caption}"] if caption and not is_long else []
    kinds = "".join(
        rf"p{{{PROSE * letter:g}pt}}" if column.is_prose and width == PROSE else "r" if column.right else "l"
        for width, column in zip(widths, table.shown, strict=True)
    )
    lines.append(rf"  \begin{{{kind}}}{{{kinds}}}")
    if is_long:
        lines += [rf"  {caption}\\"] if caption else []
        lines += [*heading, r"  \endfirsthead", *heading, r"  \endhead", r"  \bottomrule", r"  \endfoot"]
    else:
        lines += heading
    body: list[str] = []
    for section, (rows, totals) in zip(table.sections, texts, strict=True):
        body += [r"  \midrule"] if body else []
        body += _heading(section, len(table.shown))
        body += map(_line, rows)
        for total in totals:
            body += [r"  \midrule", _line(total)]
    lines += [*body, *([] if is_long else [r"  \bottomrule"]), rf"  \end{{{kind}}}"]
    lines += [rf"  \par\smallskip\footnotesize {escape_latex(note)}" for note in table.notes]
    lines.append(r"\endgroup" if is_long else r"\end{table}")
    return "\n".join(lines) + "\n"


def _heading(section: Section, width: int) -> list[str]:
    return [rf"  \multicolumn{{{width}}}{{l}}{{{escape_latex(section.title)}}} \\"] if section.title else []


def _size(widths: Sequence[int]) -> tuple[str, float, float]:
    """Return the largest size of letters in which columns of so many letters fit a page, else the smallest."""
    return next((size for size in SIZES if sum(widths) * size[1] + 2 * size[2] * len(widths) <= PAGE_WIDTH), SIZES[-1])


def _line(cells: list[str]) -> str:
    return "  " + " & ".join(map(escape_latex, cells)) + r" \\"
