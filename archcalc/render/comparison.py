"""Comparisons as text, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from archcalc.analysis.compare import Comparison, Row, ratio_of_formulas
from archcalc.analysis.formula import Formulas
from archcalc.analysis.terms import Writer
from archcalc.render.cells import Cells, csv_rows, table
from archcalc.render.mathematics import heading_of, term_text
from archcalc.spec.errors import printable


def ratio_text(ratio: Fraction | None) -> str:
    """A ratio with three digits: `25.5×`; a half is rounded up."""
    if ratio is None:
        return ""
    decimals = 2 if ratio < 10 else 1 if ratio < 100 else 0
    scaled = (ratio * 10**decimals * 2 + 1) // 2
    text = f"{scaled:,}" if not decimals else f"{scaled // 10**decimals}.{scaled % 10**decimals:0{decimals}d}"
    return f"{text}×"


def comparison_cells(comparison: Comparison) -> tuple[Cells, Cells]:
    """The totals with ratios to the first network, and each place's share of each total."""
    heading = [""]
    for at, name in enumerate(comparison.names):
        heading += [name] if at == 0 else [name, "ratio"]
    totals = [heading, *(_total(row) for row in comparison.totals)]
    parts: Cells = [["map", *(f"{name} {row.name}" for name in comparison.names for row in comparison.places[0][1])]]
    whole = {row.name: row.values for row in comparison.totals}
    for place, rows in comparison.places:
        shares = [_share(row.values[at], whole[row.name][at]) for at in range(len(comparison.names)) for row in rows]
        parts.append([place, *shares])
    return totals, parts


def _total(row: Row) -> list[str]:
    cells = [row.name, f"{row.values[0]:,}"]
    for value, ratio in zip(row.values[1:], row.ratios[1:], strict=True):
        cells += [f"{value:,}", ratio_text(ratio)]
    return cells


def _share(part: int, whole: int) -> str:
    if not part:
        return ""
    return f"{(part * 2000 + whole) // (2 * whole) / 10:.1f} %"


def render_comparison(comparison: Comparison, format: str, convention: str) -> str:
    """The comparison in `text`, `markdown` or `csv`."""
    totals, parts = comparison_cells(comparison)
    note = f"flop: by the convention {convention}. memory: bytes of outputs. ratio: to {comparison.names[0]}."
    if format == "csv":
        return csv_rows(
            [["measure", *comparison.names], *([row.name, *map(str, row.values)] for row in comparison.totals)]
        )
    text = table(totals, format) + "\n" + table(parts, format)
    return text + ("\n" if format == "markdown" else "") + note + "\n"


def render_conventions(names: Sequence[str], rows: Sequence[tuple[str, tuple[int, ...]]], format: str) -> str:
    """Operations by kind of operator, a column for each convention."""
    if format == "csv":
        return csv_rows([["operator", *names], *([kind, *map(str, values)] for kind, values in rows)])
    return table(
        [["operator", *names], *([kind, *(f"{value:,}" for value in values)] for kind, values in rows)], format
    )


def render_pieces(pieces: Sequence[Formulas], convention: str) -> str:
    """Closed forms side by side, and the ratio of each to the last."""
    writer = Writer()
    lines = []
    for quantity in pieces[0].forms:
        lines.append(heading_of(quantity, convention))
        lines += [f"  {printable(one.name)}: {term_text(writer.write(one.forms[quantity]))}" for one in pieces]
        for one in pieces[1:]:
            ratio = ratio_of_formulas(pieces[0], one, quantity)
            if ratio is not None and quantity != "receptive":
                lines.append(f"  ratio: {str(ratio).replace('**', '^').replace('*', '·')}")
    return "\n".join(lines) + "\n"
