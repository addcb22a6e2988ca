"""LaTeX, with booktabs: a floating table, or one that runs over several pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archcalc.errors import UserError
from archcalc.render.document import Document, Table
from archcalc.render.text import column_widths, heading_lines
from archcalc.words import printable, quote

PAGE_ROWS = 40
"""More rows do not fit a page."""
PAGE_WIDTH = 345.0
"""Points between the margins of the class article."""
SIZES = (
    ("", 5.4, 6),
    (r"\small", 4.9, 4),
    (r"\footnotesize", 4.5, 3),
    (r"\scriptsize", 3.9, 2.5),
    (r"\tiny", 3.1, 1),
)
"""Sizes of letters, with the points that a letter takes on average and those on each side of a column."""

_LATEX = {
    **{one: f"\\{one}" for one in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # after the end of a row, a bracket would be read as a distance
}
_LATEX_TABLE = str.maketrans(_LATEX)


def escape_latex(text: str) -> str:
    """A text that LaTeX prints as it is."""
    return printable(text).translate(_LATEX_TABLE)


def write(document: Document) -> str:
    """The tables, one after the other; the label is the first one's."""
    labels = [document.label, *[""] * len(document.tables)]
    return "\n".join(_table(table, label) for table, label in zip(document.tables, labels, strict=False))


def _table(table: Table, label: str) -> str:
    texts = table.texts()
    is_long = sum(len(rows) + len(totals) for rows, totals in texts) > PAGE_ROWS
    widths = column_widths(table.headings(), [row for part in texts for rows in part for row in rows])
    size, gap = _size(widths)
    kind = "longtable" if is_long else "tabular"
    caption = rf"\caption{{{escape_latex(table.title)}}}" if table.title else ""
    if label:
        if not re.fullmatch(r"[\w:.+/-]+", label, re.ASCII):
            raise UserError(f"a label has letters, digits and any of :.+/-_ only, not {quote(label)}")
        caption += rf"\label{{{label}}}"
    heading = [r"  \toprule", *map(_line, heading_lines(table.headings(), widths)), r"  \midrule"]
    lines = [rf"% needs \usepackage{{booktabs{',longtable' if is_long else ''}}}"]
    lines += [r"\begingroup"] if is_long else [r"\begin{table}", r"  \centering"]
    lines += [rf"  {size}\setlength{{\tabcolsep}}{{{gap}pt}}"] if size else []
    lines += [f"  {caption}"] if caption and not is_long else []
    lines.append(rf"  \begin{{{kind}}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}")
    if is_long:
        lines += [rf"  {caption}\\"] if caption else []
        lines += [*heading, r"  \endfirsthead", *heading, r"  \endhead", r"  \bottomrule", r"  \endfoot"]
    else:
        lines += heading
    body: list[str] = []
    for rows, totals in texts:
        body += [r"  \midrule"] if body else []
        body += map(_line, rows)
        for total in totals:
            body += [r"  \midrule", _line(total)]
    lines += [*body, *([] if is_long else [r"  \bottomrule"]), rf"  \end{{{kind}}}"]
    lines += [rf"  \par\smallskip\footnotesize {escape_latex(note)}" for note in table.notes]
    lines.append(r"\endgroup" if is_long else r"\end{table}")
    return "\n".join(lines) + "\n"


def _size(widths: Sequence[int]) -> tuple[str, float]:
    """The largest letters in which columns of so many letters fit a page, else the smallest; and the gap."""
    fitting = [(size, gap) for size, letter, gap in SIZES if sum(widths) * letter + 2 * gap * len(widths) <= PAGE_WIDTH]
    return fitting[0] if fitting else (SIZES[-1][0], SIZES[-1][2])


def _line(cells: list[str]) -> str:
    return "  " + " & ".join(map(escape_latex, cells)) + r" \\"
