"""The bundled networks as a list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from archcalc.network import Network
from archcalc.ops.operator import shape_text
from archcalc.render.text import cells_wide, pad
from archcalc.render.units import COUNTS, in_words
from archcalc.spec.library import bundled_networks, open_spec


@dataclass(frozen=True)
class Entry:
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


def catalogue() -> list[Entry]:
    """Every bundled network, families by year, the networks of a family in the order of their file."""
    specs = {path: open_spec(path) for path in dict.fromkeys(path for path, _ in bundled_networks())}
    entries = [_entry(path, specs[path].network(variant)) for path, variant in bundled_networks()]
    first = {entry.family: entry.year or 9999 for entry in reversed(entries)}
    return sorted(entries, key=lambda entry: (first[entry.family], entry.family))


def _entry(path: Path, network: Network) -> Entry:
    totals = network.analyze().totals
    about = network.about
    return Entry(
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
    )


def catalogue_json(entries: list[Entry]) -> str:
    """The list as JSON."""
    import json

    return json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False) + "\n"


def catalogue_text(entries: list[Entry]) -> str:
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
