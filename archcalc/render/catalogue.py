"""The bundled networks as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from archcalc.analysis import analyze
from archcalc.analysis.depth import depth
from archcalc.language.library import bundled_networks, open_spec
from archcalc.network import Network
from archcalc.ops.vocabulary import shape_text
from archcalc.receptive.fields import last_spatial_field
from archcalc.render.document import Document, Section, Table, data_column, value_column, word_column


@dataclass(frozen=True)
class CatalogueEntry:
    """One bundled network."""

    name: str
    family: str
    title: str
    year: int | None
    source: str
    reference: str
    notes: str
    input: list[int]
    params: int
    macs: int
    depth: int
    """Weight layers on the longest path."""
    receptive_field: list[int]
    """Its size per dimension, of the last layer with spatial dimensions; empty if there is none."""


def catalogue() -> list[CatalogueEntry]:
    """Return every bundled network: families by year, the networks of a family in the order of their file."""
    specs = {path: open_spec(path) for path in dict.fromkeys(path for path, _ in bundled_networks())}
    entries = [_entry(path, specs[path].network(variant)) for path, variant in bundled_networks()]
    first = {entry.family: entry.year or 9999 for entry in reversed(entries)}
    return sorted(entries, key=lambda entry: (first[entry.family], entry.family))


def _entry(path: Path, network: Network) -> CatalogueEntry:
    analysis = analyze(network)
    totals = analysis.totals
    about = network.about
    field = last_spatial_field(row.receptive_field for row in analysis.rows)
    return CatalogueEntry(
        name=network.name,
        family=path.stem,
        title=about.title,
        year=about.year,
        source=about.source,
        reference=about.reference,
        notes=about.notes,
        input=list(next(iter(network.inputs.values()))),
        params=totals.params,
        macs=totals.macs,
        depth=depth(analysis.rows),
        receptive_field=list(field.size) if field else [],
    )


def catalogue_document(entries: Sequence[CatalogueEntry]) -> Document:
    """Return a table of the networks, a section for each family."""
    columns = (
        word_column("name", lambda entry: entry.name, "name", is_name=True),
        value_column("input", lambda entry: shape_text(tuple(entry.input)), key="input"),
        value_column("params", lambda entry: entry.params, key="params"),
        value_column("MACs", lambda entry: entry.macs, key="macs"),
        value_column("depth", lambda entry: entry.depth, key="depth", rank=2),
        value_column("RF", _field_text, key="receptive_field", rank=2),
        word_column("title", lambda entry: entry.title, "title", is_prose=True, rank=1),
        word_column("reference", lambda entry: entry.reference, "reference", rank=3),
        data_column("family", lambda entry: entry.family),
        data_column("year", lambda entry: entry.year),
        data_column("source", lambda entry: entry.source),
    )
    sections = tuple(_section(list(family)) for _, family in groupby(entries, key=lambda entry: entry.family))
    return Document("networks", (Table("", columns, sections),), lambda: [asdict(entry) for entry in entries])


def _section(family: list[CatalogueEntry]) -> Section:
    first = family[0]
    title = f"{first.family} ({first.year})" if first.year else first.family
    return Section(family, title=title, text=tuple(filter(None, (first.source, first.notes))))


def _field_text(entry: CatalogueEntry) -> str:
    field = entry.receptive_field
    return "–" if not field else str(field[0]) if len(set(field)) == 1 else shape_text(tuple(field))
