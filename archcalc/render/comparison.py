"""Comparisons as documents: networks, ways of counting, and pieces by their formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from archcalc.analysis import Analysis
from archcalc.quantities.compare import Comparison, ComparisonRow
from archcalc.quantities.contract import number
from archcalc.render.document import Column, Document, Records, Section, Table, table_of_texts
from archcalc.render.mathematics import heading_of, term_text
from archcalc.symbolic.formulas import Formulas, ratio_of_formulas
from archcalc.symbolic.terms import TermBuilder


def ratio_text(ratio: Fraction | None) -> str:
    """A ratio with three digits: `25.5×`; a half is rounded up."""
    if ratio is None:
        return ""
    decimals = 2 if ratio < 10 else 1 if ratio < 100 else 0
    scaled = (ratio * 10**decimals * 2 + 1) // 2
    text = f"{scaled:,}" if not decimals else f"{scaled // 10**decimals}.{scaled % 10**decimals:0{decimals}d}"
    return f"{text}×"


def _percent(share: Fraction) -> str:
    return f"{(share * 2000 + 1) // 2 / 10:.1f} %" if share else ""


class _PlaceRow(NamedTuple):
    """A quantity of a size of map, with its part of each network's total."""

    place: str
    row: ComparisonRow
    shares: tuple[Fraction, ...]
    shown_place: str
    """The place, in the first of its rows only."""


def comparison_document(comparison: Comparison, analyses: Sequence[Analysis]) -> Document:
    """The totals with ratios to the first network, and each map's share of them."""
    names = comparison.names
    convention = analyses[0].convention.name
    totals = [_name_column("", lambda row: row.quantity.headed())]
    for at, name in enumerate(names):
        totals.append(_value_column(name, at))
        if at:
            totals.append(_ratio_column(at))
    shares = [
        _name_column("map", lambda one: one.shown_place),
        _name_column("share of", lambda one: one.row.quantity.headed()),
        *(_share_column(name, at) for at, name in enumerate(names)),
    ]
    places = [
        _PlaceRow(place, row, comparison.shares(row), place if row is rows[0] else "")
        for place, rows in comparison.places
        for row in rows
    ]
    note = f"FLOPs: by the convention {convention}. memory: bytes of outputs. ratio: to {names[0]}."
    return Document(
        "comparison",
        (
            Table("", tuple(totals), (Section(comparison.totals),)),
            Table("", tuple(shares), (Section(places),), (note,)),
        ),
        lambda: _data(comparison, places, analyses[0]),
        lambda: _records(comparison, places, analyses[0]),
    )


def _name_column(heading: str, text: Callable[[Any], str]) -> Column:
    return Column(heading, text, right=False, rank=0, is_name=True)


def _value_column(name: str, at: int) -> Column:
    return Column(name, lambda row: f"{row.values[at]:,}", rank=0)


def _ratio_column(at: int) -> Column:
    return Column("ratio", lambda row: ratio_text(row.ratios[at]), rank=0)


def _share_column(name: str, at: int) -> Column:
    return Column(name, lambda one: _percent(one.shares[at]), rank=0)


def _data(comparison: Comparison, places: Sequence[_PlaceRow], analysis: Analysis) -> dict[str, Any]:
    maps: dict[str, dict[str, Any]] = {}
    for place, row, shares, _ in places:
        maps.setdefault(place, {"map": place})[row.quantity.key] = {
            "values": list(row.values),
            "shares": list(map(number, shares)),
        }
    return {
        "networks": list(comparison.names),
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "convention": analysis.convention.name,
        "totals": {
            row.quantity.key: {"values": list(row.values), "ratios": list(map(number, row.ratios))}
            for row in comparison.totals
        },
        "maps": list(maps.values()),
    }


def _records(comparison: Comparison, places: Sequence[_PlaceRow], analysis: Analysis) -> Records:
    """A row for each total and for each quantity of each map: the values, their ratios to the first, their shares."""
    names = comparison.names
    return [
        ["quantity", "map", *names, *(f"ratio {name}" for name in names[1:]), *(f"share {name}" for name in names)],
        *(
            [*row.quantity.data_keys(analysis), place, *row.values, *row.ratios[1:], *shares]
            for place, row, shares, _ in (
                *(_PlaceRow("", row, comparison.shares(row), "") for row in comparison.totals),
                *places,
            )
        ),
    ]


def conventions_document(names: Sequence[str], rows: Sequence[tuple[str, tuple[int, ...]]], network: str) -> Document:
    """Operations by kind of operator, a column for each convention; the last row is the total."""

    def data() -> dict[str, Any]:
        counts = {kind: dict(zip(names, values, strict=True)) for kind, values in rows}
        total = counts.pop("total")
        return {"network": network, "operators": counts, "total": total}

    def column(at: int, name: str) -> Column:
        return Column(name, lambda row: f"{row[1][at]:,}", (name,), lambda row: (row[1][at],), rank=0)

    columns = [
        Column("operator", lambda row: row[0], ("operator",), lambda row: row[:1], right=False, rank=0, is_name=True),
        *(column(at, name) for at, name in enumerate(names)),
    ]
    return Document(network, (Table("", tuple(columns), (Section(rows[:-1], rows[-1]),)),), data)


def pieces_document(pieces: Sequence[Formulas], convention: str) -> Document:
    """Closed forms side by side, and the ratio of the first to each other."""
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
    names = [one.name for one in pieces]
    rows = []
    for quantity, texts in forms.items():
        heading = heading_of(quantity, convention)
        rows += [[heading if name == names[0] else "", name, text] for name, text in zip(names, texts, strict=True)]
        rows += [
            ["", f"{names[0]} ÷ {name}", ratio]
            for name, ratio in zip(names[1:], ratios.get(quantity, ()), strict=False)
        ]
    headings = ("quantity", "piece", "formula")
    return Document(
        "pieces",
        (table_of_texts("", headings, [(rows, None)], left=headings, names=headings[:2]),),
        lambda: {
            "pieces": names,
            "convention": convention,
            **{name: {"forms": forms[name], "ratios": ratios.get(name, [])} for name in forms},
        },
    )
