"""A grid in each format."""

from __future__ import annotations

from collections.abc import Callable

from archcalc.analysis import Analysis
from archcalc.render.grid import LECTURE_TABLE, TableGrid, TableOptions, lay_out, parts_of
from archcalc.words import printable


def render(analysis: Analysis, format: str, view: TableOptions = LECTURE_TABLE) -> str:
    """The table in one of `FORMATS`, ending with a line's end."""
    if format in GRIDS:
        return GRIDS[format](lay_out(analysis, view))
    return DATA[format](analysis, view)


def _markdown(grid: TableGrid) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"

    lines = [f"**{escape_markdown(grid.title)}**", ""] if grid.title else []
    lines.append(line(grid.headings))
    lines.append("|" + "|".join("---:" if column.right else ":---" for column in grid.columns) + "|")
    for section in grid.sections:
        lines += map(line, section.rows)
        for total in section.totals:
            lines.append("| " + " | ".join(f"**{escape_markdown(cell)}**" if cell else "" for cell in total) + " |")
    for note in grid.notes:
        lines += ["", escape_markdown(note)]
    return "\n".join(lines) + "\n"


_MARKDOWN = str.maketrans({one: f"\\{one}" for one in "\\|*_`<>[]#"})


def escape_markdown(text: str) -> str:
    """A text that Markdown prints as it is."""
    return printable(text).translate(_MARKDOWN)


def _html(grid: TableGrid) -> str:
    from html import escape

    def line(cells: list[str], tag: str) -> str:
        parts = (
            f'<{tag} style="text-align:{"right" if column.right else "left"}">{escape(printable(cell))}</{tag}>'
            for column, cell in zip(grid.columns, cells, strict=True)
        )
        return "<tr>" + "".join(parts) + "</tr>"

    lines = ['<table class="archcalc">']
    if grid.title:
        lines.append(f"<caption>{escape(printable(grid.title))}</caption>")
    lines += ["<thead>", line(grid.headings, "th"), "</thead>"]
    for section in grid.sections:
        lines += ["<tbody>", *(line(row, "td") for row in section.rows)]
        lines += [*(line(total, "th") for total in section.totals), "</tbody>"]
    lines.append("</table>")
    lines += [f"<p>{escape(printable(note))}</p>" for note in grid.notes]
    return "\n".join(lines) + "\n"


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


def _latex(grid: TableGrid) -> str:
    def line(cells: list[str]) -> str:
        return "  " + " & ".join(map(escape_latex, cells)) + r" \\"

    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        *([rf"  \caption{{{escape_latex(grid.title)}}}"] if grid.title else []),
        rf"  \begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in grid.columns)}}}",
        r"  \toprule",
        line(grid.headings),
    ]
    for section in grid.sections:
        lines += [r"  \midrule", *map(line, section.rows)]
        for total in section.totals:
            lines += [r"  \midrule", line(total)]
    lines += [r"  \bottomrule", r"  \end{tabular}"]
    lines += [rf"  \par\smallskip\footnotesize {escape_latex(note)}" for note in grid.notes]
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def _csv(analysis: Analysis, view: TableOptions) -> str:
    from archcalc.render.records import csv_text, table_records

    return csv_text(table_records(analysis, view))


def _json(analysis: Analysis, view: TableOptions) -> str:
    import json

    from archcalc.quantities.contract import as_dict

    parts_of(analysis, view)  # refuses what no other format would show
    return json.dumps(as_dict(analysis), indent=1, ensure_ascii=False) + "\n"


def _text(grid: TableGrid) -> str:
    from archcalc.render.text import text_table

    return text_table(grid)


GRIDS: dict[str, Callable[[TableGrid], str]] = {"text": _text, "markdown": _markdown, "latex": _latex, "html": _html}
"""Writers of what people read."""
DATA: dict[str, Callable[[Analysis, TableOptions], str]] = {"csv": _csv, "json": _json}
"""Writers of what programs read."""
FORMATS = (*GRIDS, *DATA)
