"""Comparisons as documents: of networks, of conventions, and of inline specs by their formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from archcalc.analysis import Analysis
from archcalc.quantities.compare import Comparison, ComparisonRow
from archcalc.quantities.contract import number
from archcalc.render.document import Column, Document, Records, Section, Table, value_column, word_column
from archcalc.render.mathematics import heading_of, term_text
from archcalc.symbolic.formulas import Formulas, ratio_of_formulas
from archcalc.symbolic.terms import TermBuilder


def ratio_text(ratio: Fraction) -> str:
    """Return a ratio with three digits: `25.5×`; a half is rounded up."""
    decimals = 2 if ratio < 10 else 1 if ratio < 100 else 0
    scaled = (ratio * 10**decimals * 2 + 1) // 2
    text = f"{scaled:,}" if not decimals else f"{scaled // 10**decimals}.{scaled % 10**decimals:0{decimals}d}"
    return f"{text}×"


def _percent(share: Fraction) -> str:
    return f"{(share * 2000 + 1) // 2 / 10:.1f} %" if share else ""


class _PlaceRow(NamedTuple):
    """A quantity at one spatial size, with its share of each network's total."""

    place: str
    row: ComparisonRow
    shares: tuple[Fraction, ...]
    shown_place: str
    """The place, in the first of its rows only."""


def comparison_document(comparison: Comparison, analyses: Sequence[Analysis]) -> Document:
    """Return the totals with ratios to the first network, and the share of each spatial size in them."""
    names = comparison.names
    convention = analyses[0].convention.name
    totals = [word_column("", lambda row: row.quantity.headed(), is_name=True)]
    for index, name in enumerate(names):
        totals.append(value_column(name, _item("values", index)))
        if index:
            totals.append(value_column("ratio", _item("ratios", index), ratio_text))
    shares = [
        word_column("map", lambda row: row.shown_place, is_name=True),
        word_column("share of", lambda row: row.row.quantity.headed(), is_name=True),
        *(value_column(name, _item("shares", index), _percent) for index, name in enumerate(names)),
    ]
    places = [
        _PlaceRow(place, row, comparison.shares(row), place if row is rows[0] else "")
        for place, rows in comparison.places
        for row in rows
    ]
    note = f"FLOPs: by the convention {convention}. memory: bytes of outputs. ratio: to {names[0]}."
    bounds = [
        f"MACs and FLOPs of {name} are lower bounds: the work of opaque layers is not known."
        for name, analysis in zip(names, analyses, strict=True)
        if analysis.unknown_work
    ]
    return Document(
        "comparison",
        (
            Table("", tuple(totals), (Section(comparison.totals),)),
            Table("", tuple(shares), (Section(places),), (note, *bounds)),
        ),
        lambda: _data(comparison, places, analyses[0]),
        lambda: _records(comparison, places, analyses[0]),
    )


def _item(field: str, index: int) -> Callable[[Any], Any]:
    """Return a function that reads one network's value of a row."""
    return lambda row: getattr(row, field)[index]


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
    """Return a row for each total and each quantity of each spatial size: values, ratios to the first, shares."""
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
    """Return the operations of each operator, a column for each convention; the last row is the total."""

    def data() -> dict[str, Any]:
        counts = {kind: dict(zip(names, values, strict=True)) for kind, values in rows}
        total = counts.pop("total")
        return {"network": network, "operators": counts, "total": total}

    columns = [
        word_column("operator", lambda row: row[0], "operator", is_name=True),
        *(value_column(name, _count_of(index), key=name) for index, name in enumerate(names)),
    ]
    return Document(network, (Table("", tuple(columns), (Section(rows[:-1], rows[-1]),)),), data)


def _count_of(index: int) -> Callable[[Any], int]:
    """Return a function that reads the count of one convention."""
    return lambda row: int(row[1][index])


class _FormulaRow(NamedTuple):
    """A closed form of an inline spec, or the ratio of the first spec's to it."""

    quantity: str
    spec: str
    formula: str
    heading: str
    """The quantity's heading, in the first of its rows only."""


def formulas_document(found: Sequence[Formulas], convention: str) -> Document:
    """Return the closed forms of inline specs side by side, with the ratio of the first to each other."""
    writer = TermBuilder()
    names = [spec.name for spec in found]
    forms = {quantity: [term_text(writer.write(spec.forms[quantity])) for spec in found] for quantity in found[0].forms}
    ratios = {
        quantity: [
            ratio.replace("**", "^").replace("*", "·")
            for spec in found[1:]
            if quantity != "rf" and (ratio := str(ratio_of_formulas(found[0], spec, quantity) or ""))
        ]
        for quantity in forms
    }
    rows = []
    for quantity, texts in forms.items():
        whose = [*names, *(f"{names[0]} ÷ {name}" for name in names[1 : len(ratios[quantity]) + 1])]
        for index, (name, text) in enumerate(zip(whose, [*texts, *ratios[quantity]], strict=True)):
            rows.append(_FormulaRow(quantity, name, text, "" if index else heading_of(quantity, convention)))
    columns = (
        Column("quantity", lambda row: row.heading, ("quantity",), lambda row: row[:1], right=False, rank=0),
        word_column("spec", lambda row: row.spec, "spec", is_name=True),
        word_column("formula", lambda row: row.formula, "formula"),
    )
    return Document(
        "formulas",
        (Table("", columns, (Section(rows),)),),
        lambda: {
            "pieces": names,
            "convention": convention,
            **{name: {"forms": forms[name], "ratios": ratios[name]} for name in forms},
        },
    )
