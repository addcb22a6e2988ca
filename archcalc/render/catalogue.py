"""The bundled networks as a list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from archcalc.analysis import analyze
from archcalc.analysis.depth import depth
from archcalc.language.library import bundled_networks, open_spec
from archcalc.network import Network
from archcalc.ops.vocabulary import shape_text
from archcalc.receptive.fields import last_spatial_field
from archcalc.render.text import cells_wide, pad
from archcalc.units import COUNTS, in_words


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
    """The most convolutions and linear layers on one path."""
    receptive_field: list[int]
    """Of the last layer whose positions still have a place of their own."""


def catalogue() -> list[CatalogueEntry]:
    """Every bundled network, families by year, the networks of a family in the order of their file."""
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


def catalogue_markdown(entries: list[CatalogueEntry]) -> str:
    """The list as a page of Markdown."""
    lines = [
        "# The bundled networks",
        "",
        "Made by `archcalc list --format markdown`. Parameters and multiply-adds (MACs) are exact, for one sample of",
        "the input. Depth is the most convolutions and linear layers on one path; the receptive field (RF) is that of",
        "the last layer whose positions still have a place. A name with a reference equals that implementation, tensor",
        "by tensor and count by count.",
        "",
    ]
    family = None
    for entry in entries:
        if entry.family != family:
            family = entry.family
            lines += ["", f"## {family} ({entry.year})" if entry.year else f"## {family}", "", entry.source, ""]
            if entry.notes:
                lines += [entry.notes, ""]
            lines += [
                "| name | title | input | params | MACs | depth | RF | equals |",
                "|---|---|---|---:|---:|---:|---:|---|",
            ]
        field = entry.receptive_field
        cells = [
            f"`{entry.name}`",
            entry.title,
            shape_text(tuple(entry.input)),
            f"{entry.params:,}",
            f"{entry.macs:,}",
            str(entry.depth),
            "–" if not field else str(field[0]) if len(set(field)) == 1 else shape_text(tuple(field)),
            f"`{entry.reference}`" if entry.reference else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def catalogue_json(entries: list[CatalogueEntry]) -> str:
    """The list as JSON."""
    import json

    return json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False) + "\n"


def catalogue_text(entries: list[CatalogueEntry]) -> str:
    """The list as text, a paragraph for each family."""
    rows = [
        (
            entry,
            [entry.name, shape_text(tuple(entry.input)), in_words(entry.params, COUNTS), in_words(entry.macs, COUNTS)],
        )
        for entry in entries
    ]
    headings = ["name", "input", "params", "MACs"]
    widths = [max(cells_wide(cells[at]) for cells in ([headings] + [row for _, row in rows])) for at in range(4)]

    def line(cells: list[str], title: str) -> str:
        return (
            "  ".join(pad(cell, width, at > 0) for at, (cell, width) in enumerate(zip(cells, widths, strict=True)))
            + f"  {title}"
        )

    lines = [line(headings, "title")]
    family = None
    for entry, cells in rows:
        if entry.family != family:
            family = entry.family
            lines.append("")
            lines.append(f"{family} ({entry.year})" if entry.year else family)
        lines.append(line(cells, entry.title).rstrip())
    return "\n".join(lines) + "\n"
