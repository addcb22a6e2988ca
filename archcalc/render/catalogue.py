"""The bundled networks as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from archcalc.analysis import analyze
from archcalc.analysis.depth import depth
from archcalc.errors import UserError
from archcalc.language.language import Spec
from archcalc.language.library import bundled, bundled_networks, open_spec, plain
from archcalc.network import Network
from archcalc.ops.vocabulary import shape_text
from archcalc.render.document import Document, Section, Table, data_column, value_column, word_column
from archcalc.structs import Struct
from archcalc.words import help_line, quote


class CatalogueEntry(Struct):
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


SORTED = {
    "family": None,
    "name": lambda entry: entry.name,
    "year": lambda entry: entry.year or 9999,
    "params": lambda entry: entry.params,
    "macs": lambda entry: entry.macs,
}
"""Orders of a list: the families by year, each in the order of its file; or one list by a number."""


def catalogue(pattern: str = "") -> list[CatalogueEntry]:
    """Return the bundled networks: families by year, the networks of a family in the order of their file.

    Args:
        pattern: part of a name or of a family, or a pattern with `*` and `?`; all networks if empty.

    Raises:
        UserError: if no network fits.
    """
    every = set(bundled_networks())
    specs: dict[Path, Spec] = {}
    found = []
    for name, (path, variant) in bundled().items():
        if (path, variant) in every and _fits(pattern, name, path.stem):
            if path not in specs:
                specs[path] = open_spec(path)
            found.append(_entry(path, specs[path].network(variant)))
    if not found:
        raise UserError(f"no bundled network fits {quote(pattern)}{help_line('list them all with: archcalc list')}")
    first = {entry.family: entry.year or 9999 for entry in reversed(found)}
    return sorted(found, key=lambda entry: (first[entry.family], entry.family))


def _fits(pattern: str, *names: str) -> bool:
    """Return True if a pattern is part of a name, whatever its capitals and dashes."""
    wanted = plain(pattern) if any(mark in pattern for mark in "*?[") else f"*{plain(pattern)}*"
    return any(fnmatchcase(plain(name), wanted) for name in names)


def _entry(path: Path, network: Network) -> CatalogueEntry:
    analysis = analyze(network)
    totals = analysis.totals
    about = network.about
    fields = (row.receptive_field for row in reversed(analysis.rows))
    field = next((field for field in fields if None not in field.stride), None)
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


def catalogue_document(entries: Sequence[CatalogueEntry], order: str = "family") -> Document:
    """Return a table of the networks: a section for each family, or one list in another order of `SORTED`."""
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
    key = SORTED[order]
    if key is None:
        sections = tuple(_section(list(family)) for _, family in groupby(entries, key=lambda entry: entry.family))
    else:
        entries = sorted(entries, key=key)
        sections = (Section(list(entries)),)
    return Document("networks", (Table("", columns, sections),), lambda: [asdict(entry) for entry in entries])


def _section(family: list[CatalogueEntry]) -> Section:
    first = family[0]
    title = f"{first.family} ({first.year})" if first.year else first.family
    return Section(family, title=title, text=tuple(filter(None, (first.source, first.notes))))


def _field_text(entry: CatalogueEntry) -> str:
    field = entry.receptive_field
    return "–" if not field else str(field[0]) if len(set(field)) == 1 else shape_text(tuple(field))
