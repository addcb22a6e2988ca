"""What a command shows: tables and charts for people, one table of records and plain data for programs.

Rows are what was computed; a column says how people read a row, and how programs do. `writers` has one file per format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Records = Sequence[Sequence[Any]]
"""Headings, then rows; a value is a text, a number, true or false, or None for an empty cell."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str
    text: Callable[[Any], str]
    """What people read of a row."""
    keys: tuple[str, ...] = ()
    """Its names for programs; it may take several columns there, or none."""
    values: Callable[[Any], Sequence[Any]] = lambda row: ()
    """What programs read of a row, a value for each key."""
    short: str = ""
    """The heading where there is little room."""
    right: bool = True
    rank: int = 1
    """Where room is short, columns of a higher rank go first."""
    is_name: bool = False
    """Whether it names the row: it may be cut, and is repeated where a table is folded."""
    has_total: bool = True


@dataclass(frozen=True)
class Section:
    """Rows, and their total if they have one."""

    rows: Sequence[Any]
    total: Any = None
    label: str = ""
    """What the first column says of the total, where it has none itself."""


@dataclass(frozen=True)
class Table:
    """Rows in sections, under columns."""

    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    def headings(self, short: bool = False) -> list[str]:
        """The columns' headings."""
        return [(column.short if short else "") or column.heading for column in self.columns]

    def texts(self) -> list[tuple[list[list[str]], list[list[str]]]]:
        """The cells of each section as people read them: its rows, and its total if it has one."""
        return [
            ([[column.text(row) for column in self.columns] for row in section.rows], self._total(section))
            for section in self.sections
        ]

    def _total(self, section: Section) -> list[list[str]]:
        if section.total is None:
            return []
        cells = [column.text(section.total) if column.has_total else "" for column in self.columns]
        return [[cells[0] or section.label, *cells[1:]]]

    def records(self) -> list[list[Any]]:
        """The table for programs, totals among its rows."""
        found: list[list[Any]] = [[key for column in self.columns for key in column.keys]]
        for section in self.sections:
            found += [[value for column in self.columns for value in column.values(row)] for row in section.rows]
            if section.total is not None:
                total = [
                    value
                    for column in self.columns
                    for value in (column.values(section.total) if column.has_total else [None] * len(column.keys))
                ]
                found.append([section.label if total[0] is None else total[0], *total[1:]])
        return found


@dataclass(frozen=True)
class Chart:
    """A chart of characters, for a terminal."""

    text: str


@dataclass(frozen=True)
class Document:
    """What a command shows."""

    name: str
    """Of what it is: a network's name."""
    blocks: tuple[Table | Chart, ...]
    data: Callable[[], Any] = field(default=lambda: None)
    """All of it as plain data, for JSON."""
    sheet: Callable[[], Records] | None = None
    """The records for CSV and workbooks, where they are not those of the first table."""
    label: str = ""
    """What a LaTeX document refers to it by."""

    @property
    def tables(self) -> list[Table]:
        """The tables, in order."""
        return [block for block in self.blocks if isinstance(block, Table)]

    def records(self) -> Records:
        """The records for CSV and workbooks."""
        return self.tables[0].records() if self.sheet is None else self.sheet()


def table_of_texts(
    title: str,
    headings: Sequence[str],
    sections: Sequence[tuple[Sequence[Sequence[str]], Sequence[str] | None]],
    notes: Sequence[str] = (),
    left: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Table:
    """A table whose cells are texts already; ``left`` are headings of words, ``names`` those that name a row."""

    def column(at: int, name: str) -> Column:
        return Column(
            name,
            lambda row: row[at],
            (name,),
            lambda row: (row[at],),
            right=name not in left,
            rank=0,
            is_name=name in names,
        )

    columns = tuple(column(at, name) for at, name in enumerate(headings))
    return Table(title, columns, tuple(Section(rows, total) for rows, total in sections), tuple(notes))
