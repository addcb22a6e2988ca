"""One mistake, counted once: the causes that explain the wrong cells of a column.

A mistake is a cause if it gives the answer in at least two wrong cells of a column, and either in all of them, or in
more than half of them and in at least twice as many as contradict it. A cell contradicts a mistake that would change
its number and did not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from archcalc.homework.grade import Diagnosis

SLIPS = frozenset(
    {
        *("transposed digits", "one digit", "digit missing", "digit too many", "carry", "zero"),
        *("factor missing", "factor twice", "factor off by one"),
    }
)
"""Diagnoses of a single cell: two of them are two mistakes."""
FEWEST = 2
"""The wrong cells that a cause explains."""


@dataclass(eq=False)
class ColumnCell:
    """A cell of a column, as far as causes are concerned."""

    row: int
    column: str
    is_wrong: bool
    found: Sequence[Diagnosis] = ()
    """The mistakes that give its answer, the likeliest first."""
    changes: Callable[[], frozenset[str]] = frozenset
    """Returns the mistakes that would give it another answer than the right one."""


@dataclass
class Cause:
    """A mistake that explains several cells."""

    mistake: str
    cells: list[ColumnCell] = field(default_factory=list)
    diagnoses: dict[int, Diagnosis] = field(default_factory=dict)
    """Its sentence by the identity of the cell."""
    other: Diagnosis | None = None
    """Another mistake that explains the same cells."""

    def of(self, cell: ColumnCell) -> Diagnosis:
        """Return the diagnosis of one of its cells."""
        return self.diagnoses[id(cell)]


def name_of(diagnosis: Diagnosis) -> str:
    """Return what makes two diagnoses the same mistake: their name, and for a wrong unit its factor too."""
    return diagnosis.says if diagnosis.mistake == "unit" else diagnosis.mistake


def find_causes(columns: Sequence[Sequence[ColumnCell]]) -> list[Cause]:
    """Return the causes of all columns; the same mistake in several columns is one cause, but for a wrong unit.

    Of mistakes that explain the same cells of a column, the one that explains most columns is its cause.
    """
    groups = [group for column in columns for group in _of_column(column)]
    counts = Counter(name for group in groups for name in group.names)
    causes: dict[tuple[str, str], Cause] = {}
    for group in groups:
        name = max(group.names, key=lambda mistake: counts[mistake])  # of equals the likeliest, which is the first
        diagnoses = {id(cell): _named(cell, name) for cell in group.cells}
        is_unit = any(diagnosis.mistake == "unit" for diagnosis in diagnoses.values())
        cause = causes.setdefault((name, group.cells[0].column if is_unit else ""), Cause(name))
        cause.cells += group.cells
        cause.diagnoses |= diagnoses
        if group.tie and name == group.names[0]:
            cause.other = cause.other or _named(group.cells[0], group.tie)
    return list(causes.values())


@dataclass
class _Group:
    """Wrong cells of a column with one cause."""

    cells: list[ColumnCell]
    names: list[str]
    """The mistakes that explain all of them, the likeliest first."""
    tie: str
    """A mistake that is as likely as the first; empty if there is none."""


def _named(cell: ColumnCell, name: str) -> Diagnosis:
    return next(diagnosis for diagnosis in cell.found if name_of(diagnosis) == name)


def _of_column(column: Sequence[ColumnCell]) -> list[_Group]:
    groups: list[_Group] = []
    left = [cell for cell in column if cell.is_wrong]
    refused: set[str] = set()
    while len(left) >= FEWEST:
        explained: dict[str, list[ColumnCell]] = {}
        rank: dict[str, int] = {}
        for cell in left:
            for place, name in enumerate(
                {name_of(diagnosis): None for diagnosis in cell.found if diagnosis.mistake not in SLIPS}
            ):
                if name not in refused:
                    explained.setdefault(name, []).append(cell)
                    rank[name] = rank.get(name, 0) + place
        best = min(explained, key=lambda name: (-len(explained[name]), rank[name]), default="")
        cells = explained.get(best, [])
        if len(cells) < FEWEST:
            break
        if not _is_admitted(best, cells, left, column):
            refused.add(best)
            continue
        same = [name for name in explained if name != best and explained[name] == cells]
        same = [name for name in same if _is_admitted(name, cells, left, column)]
        names = [best, *sorted(same, key=lambda name: rank[name])]
        groups.append(_Group(cells, names, next((name for name in same if rank[name] == rank[best]), "")))
        kept = {id(cell) for cell in cells}
        left = [cell for cell in left if id(cell) not in kept]
    return groups


def _is_admitted(
    name: str, explained: Sequence[ColumnCell], left: Sequence[ColumnCell], column: Sequence[ColumnCell]
) -> bool:
    if len(explained) == len(left):
        return True
    kept = {id(cell) for cell in explained}
    against = sum(name in cell.changes() for cell in column if id(cell) not in kept)
    return 2 * len(explained) > len(left) and len(explained) >= 2 * against
