"""The result of a command as a document: paragraphs, lists, formulas, tables, charts, and plain data for programs.

A row of a table is whatever was computed; a column says how people read it, and what programs get of it. `writers` has
one file per format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from archcalc.arithmetic import is_fraction
from archcalc.structs import Struct

Records = Sequence[Sequence[Any]]
"""Headings, then rows; a value is a string, a number, a boolean, or None for an empty cell."""


class Column(Struct):
    """A column of a table."""

    heading: str
    text: Callable[[Any], str]
    """The cell of a row, for people."""
    keys: tuple[str, ...] = ()
    """Its names in data: several where a cell holds several numbers, none if it is for people only."""
    values: Callable[[Any], Sequence[Any]] = lambda row: ()
    """A row's values in data, one for each key."""
    short: str = ""
    """The heading if the table is too wide."""
    right: bool = True
    """True if cells are aligned at the right."""
    rank: int = 1
    """If the table is too wide, columns of a higher rank are left out first; those of rank 0 stay."""
    is_name: bool = False
    """True if it names the row: it may be shortened, and is repeated where a table is folded."""
    is_prose: bool = False
    """True if its cells may take several lines."""
    has_total: bool = True
    is_optional: bool = False
    """True if people are not shown it where all its cells are empty."""


def value_column(
    heading: str, read: Callable[[Any], Any], show: Callable[[Any], str] | None = None, key: str = "", **look: Any
) -> Column:
    """Return a column of one value per row.

    Args:
        heading: the heading.
        read: returns the value of a row; None is an empty cell.
        show: returns the value as people read it; by default an integer has commas, and a string is as it is.
        key: the name in data; without it, the column is for people only.
        look: other fields of `Column`. The rank is 0 by default.
    """

    def text(row: Any) -> str:
        value = read(row)
        return "" if value is None else (show or plain_text)(value)

    return Column(heading, text, (key,) if key else (), lambda row: (read(row),) if key else (), **{"rank": 0, **look})


def word_column(heading: str, read: Callable[[Any], str], key: str = "", **look: Any) -> Column:
    """Return a column of strings, aligned at the left; see `value_column`."""
    return value_column(heading, read, key=key, right=False, **look)


def data_column(key: str, read: Callable[[Any], Any]) -> Column:
    """Return a column for programs only."""
    return Column(key, lambda row: "", (key,), lambda row: (read(row),), is_optional=True)


def plain_text(value: Any) -> str:
    """Return an integer with commas, anything else as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value)


class Section(Struct):
    """Rows of a table, with their total if they have one."""

    rows: Sequence[Any]
    total: Any = None
    label: str = ""
    """The first cell of the total, if it is empty otherwise."""
    title: str = ""
    text: tuple[str, ...] = ()
    """Paragraphs about these rows, for formats with pages."""


class Table(Struct):
    """Rows in sections, under columns."""

    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """The columns that people are shown: all but the optional ones that are empty."""
        rows = [row for section in self.sections for row in section.rows]
        return tuple(
            column for column in self.columns if not column.is_optional or any(column.text(row) for row in rows)
        )

    def headings(self, short: bool = False) -> list[str]:
        """Return the headings of the shown columns."""
        return [(column.short if short else "") or column.heading for column in self.shown]

    def texts(self) -> list[tuple[list[list[str]], list[list[str]]]]:
        """Return the shown cells of each section: its rows, and its total if it has one."""
        return [
            ([[column.text(row) for column in self.shown] for row in section.rows], self._total(section))
            for section in self.sections
        ]

    def _total(self, section: Section) -> list[list[str]]:
        if section.total is None:
            return []
        cells = [column.text(section.total) if column.has_total else "" for column in self.shown]
        return [[cells[0] or section.label, *cells[1:]]]

    def records(self) -> list[list[Any]]:
        """Return the table for programs, headings first, totals among the rows."""
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


class Chart(Struct):
    """A chart of characters, for a terminal."""

    text: str


class Paragraph(Struct):
    """Sentences, wrapped as a format likes."""

    text: str


class Formula(Struct):
    """An equation, or a chain of them, on one line."""

    text: str
    latex: str
    """The inside of a formula in LaTeX."""


class Equations(Struct):
    """Formulas, one below the other."""

    lines: tuple[Formula, ...]


class Item(Struct):
    """An entry of a list."""

    title: str
    text: str = ""
    lines: tuple[str | Formula, ...] = ()
    """Details, each on its own line."""


class ItemList(Struct):
    """A list of entries."""

    items: tuple[Item, ...]


Block: TypeAlias = "Table | Chart | Paragraph | ItemList | Equations"


class Document(Struct):
    """The result of a command."""

    name: str
    """The name of its subject, such as a network; a workbook's sheet is named after it."""
    blocks: tuple[Block, ...]
    data: Callable[[], Any] | None = None
    """Returns all of it as plain data, for JSON; by default the records as objects."""
    sheet: Callable[[], Records] | None = None
    """Returns the records for CSV and workbooks; by default those of the first table."""
    label: str = ""
    """The label of the first table in LaTeX."""

    @property
    def tables(self) -> list[Table]:
        return [block for block in self.blocks if isinstance(block, Table)]

    def records(self) -> Records:
        """Return the records for CSV and workbooks; a fraction is an integer or a float there."""
        from archcalc.quantities.quantity import plain_number

        records = self.sheet() if self.sheet is not None else self.tables[0].records()
        return [[plain_number(value) if is_fraction(value) else value for value in row] for row in records]

    def plain_data(self) -> Any:
        """Return the document as plain data, for JSON."""
        if self.data is not None:
            return self.data()
        headings, *rows = self.records()
        return [dict(zip(headings, row, strict=True)) for row in rows]
