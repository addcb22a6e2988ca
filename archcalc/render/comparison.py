"""Comparisons in every format: what people read as tables of texts, what programs read as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archcalc.analysis import Analysis
from archcalc.quantities.compare import Comparison, ComparisonRow
from archcalc.quantities.contract import number
from archcalc.render.cells import Cells, table
from archcalc.render.formats import GRIDS
from archcalc.render.grid import Column, Section, TableGrid
from archcalc.render.mathematics import heading_of, term_text
from archcalc.render.records import Records, csv_text, workbook
from archcalc.symbolic.formulas import Formulas, ratio_of_formulas
from archcalc.symbolic.terms import TermBuilder
from archcalc.words import printable


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
    parts: Cells = [
        [
            "map",
            *(f"{name} {row.quantity.headed()}" for name in comparison.names for row in comparison.places[0][1]),
        ]
    ]
    for place, rows in comparison.places:
        shares = [comparison.shares(row)[at] for at in range(len(comparison.names)) for row in rows]
        parts.append([place, *map(_percent, shares)])
    return totals, parts


def _total(row: ComparisonRow) -> list[str]:
    cells = [row.quantity.headed(), f"{row.values[0]:,}"]
    for value, ratio in zip(row.values[1:], row.ratios[1:], strict=True):
        cells += [f"{value:,}", ratio_text(ratio)]
    return cells


def _percent(share: Fraction) -> str:
    return f"{(share * 2000 + 1) // 2 / 10:.1f} %" if share else ""


def render_comparison(comparison: Comparison, format: str, analyses: Sequence[Analysis]) -> str | bytes:
    """The comparison in `text`, `markdown`, `latex`, `html`, `csv`, `json` or `xlsx`."""
    convention = analyses[0].convention.name
    if format == "json":
        return _json(
            {
                "networks": list(comparison.names),
                "batch": analyses[0].batch,
                "dtype": analyses[0].dtype,
                "convention": convention,
                "totals": {
                    row.quantity.key: {"values": list(row.values), "ratios": list(map(number, row.ratios))}
                    for row in comparison.totals
                },
                "maps": [
                    {
                        "map": place,
                        **{
                            row.quantity.key: {
                                "values": list(row.values),
                                "shares": list(map(number, comparison.shares(row))),
                            }
                            for row in rows
                        },
                    }
                    for place, rows in comparison.places
                ],
            }
        )
    if format in ("csv", "xlsx"):
        return _data(_comparison_records(comparison, analyses[0]), format, "comparison")
    note = f"flop: by the convention {convention}. memory: bytes of outputs. ratio: to {comparison.names[0]}."
    return _tables(comparison_cells(comparison), format, note)


def _comparison_records(comparison: Comparison, analysis: Analysis) -> Records:
    """A row for each total and for each quantity of each map: the values, their ratios to the first, their shares."""
    names = comparison.names
    heading = [
        "quantity",
        "map",
        *names,
        *(f"ratio {name}" for name in names[1:]),
        *(f"share {name}" for name in names),
    ]
    rows = [("", row) for row in comparison.totals]
    rows += [(place, row) for place, measures in comparison.places for row in measures]
    return [
        heading,
        *(
            [*row.quantity.data_keys(analysis), place, *row.values, *row.ratios[1:], *comparison.shares(row)]
            for place, row in rows
        ),
    ]


def render_conventions(
    names: Sequence[str], rows: Sequence[tuple[str, tuple[int, ...]]], format: str, network: str
) -> str | bytes:
    """Operations by kind of operator, a column for each convention, in the formats of `render_comparison`."""
    if format == "json":
        counts = {kind: dict(zip(names, values, strict=True)) for kind, values in rows}
        total = counts.pop("total")
        return _json({"network": network, "operators": counts, "total": total})
    if format in ("csv", "xlsx"):
        return _data([["operator", *names], *([kind, *values] for kind, values in rows)], format, network)
    return _tables(
        [[["operator", *names], *([kind, *(f"{value:,}" for value in values)] for kind, values in rows)]], format
    )


def render_pieces(pieces: Sequence[Formulas], convention: str, format: str) -> str | bytes:
    """Closed forms side by side, and the ratio of the first to each other, in the formats of `render_comparison`."""
    writer = TermBuilder()
    forms = {quantity: [term_text(writer.write(one.forms[quantity])) for one in pieces] for quantity in pieces[0].forms}
    ratios = {
        quantity: [
            ratio.replace("**", "^").replace("*", "·")
            for one in pieces[1:]
            if (ratio := str(ratio_of_formulas(pieces[0], one, quantity) or ""))
        ]
        for quantity in forms
        if quantity != "rf"
    }
    if format == "text":
        lines = []
        for quantity, texts in forms.items():
            lines.append(heading_of(quantity, convention))
            lines += [f"  {printable(one.name)}: {text}" for one, text in zip(pieces, texts, strict=True)]
            lines += [f"  ratio: {ratio}" for ratio in ratios.get(quantity, ())]
        return "\n".join(lines) + "\n"
    names = [one.name for one in pieces]
    if format == "json":
        quantities = {name: {"forms": forms[name], "ratios": ratios.get(name, [])} for name in forms}
        return _json({"pieces": names, "convention": convention, **quantities})
    heading = ["", *names, *(f"ratio to {name}" for name in names[1:])]
    cells = [heading]
    for quantity, texts in forms.items():
        own = ratios.get(quantity, [])
        cells.append(
            [heading_of(quantity, convention), *texts, *own, *[""] * (len(heading) - 1 - len(texts) - len(own))]
        )
    return _data(cells, format, "pieces") if format in ("csv", "xlsx") else _tables([cells], format)


def _tables(tables: Sequence[Cells], format: str, note: str = "") -> str:
    """Tables for people, one after the other, and what needs saying of them."""
    if format in ("text", "markdown"):
        text = "\n".join(table(cells, format) for cells in tables)
        return text + (("\n" if format == "markdown" else "") + note + "\n" if note else "")
    grids = []
    for cells in tables:
        heading, *rows = cells
        columns = tuple(Column(name, name, name, right=at > 0) for at, name in enumerate(heading))
        notes = [note] if note and cells is tables[-1] else []
        grids.append(TableGrid("", columns, heading, heading, [Section(rows, [])], notes))
    return "\n".join(map(GRIDS[format], grids))


def _data(records: Records, format: str, title: str) -> str | bytes:
    return workbook(records, title) if format == "xlsx" else csv_text(records)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
