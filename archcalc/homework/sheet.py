"""Match a table to an answer key: columns to questions, rows to layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from archcalc.analysis.rows import TableRow
from archcalc.homework.cells import EMPTY, Cell, CellGrid, UnreadableSubmission
from archcalc.homework.key import TOTAL, AnswerKey, parts_of
from archcalc.homework.numbers import DecimalStyle, style_of
from archcalc.homework.questions import QUESTIONS, Heading, Question, read_heading, read_misspelt_heading
from archcalc.homework.tables import Table, read_tables
from archcalc.words import quote

HEADING_WITHIN = 40
"""Headings are in one of the first rows, perhaps below a title, a name and an address."""
CLOSE = 0.75
"""The similarity to a layer's name above which a row's name is taken for its misspelling."""
MOST_SLIPS = 400
"""The number of rows that are searched for misspelt names, and of layers for each."""
MOST_REMARKS = 20
TOTALS = frozenset({TOTAL, "totals", "sum"})
PASSED = TOTALS | {"input", "image", "data"}


class ColumnOfSheet(NamedTuple):
    """The column with the answers to a question."""

    position: int
    heading: str
    unit: str
    """The unit in the heading, as written."""


@dataclass(frozen=True)
class Submission:
    """A student's answers, by row and question."""

    questions: Mapping[Question, tuple[Question, ...]]
    """Each question of the key, with the questions whose columns answer it."""
    columns: Mapping[str, ColumnOfSheet]
    doubled: frozenset[str]
    """Questions with two columns."""
    answers: Mapping[str, Sequence[Cell]]
    """The cells of each row of the key, by its name, without rows that the student left out."""
    overfull: frozenset[str]
    """Rows of a comma-separated file with more cells than headings: a number with commas was split, and it is unknown
    which."""
    style: DecimalStyle
    remarks: tuple[str, ...]

    def entry(self, row: str, question: str) -> Cell | None:
        """Return the cell of a row and a question; None if the submission has no such row or column."""
        column = self.columns.get(question)
        cells = self.answers.get(row)
        if column is None or cells is None:
            return None
        return cells[column.position] if column.position < len(cells) else EMPTY


def read_sheet(path: Path, key: AnswerKey) -> Submission:
    """Read the answers in a file; raises `UnreadableSubmission` if no table in it has a column that is asked."""
    best: tuple[int, Table, int] | None = None
    problem: UnreadableSubmission | None = None
    try:
        for table in read_tables(path):
            found, line = _headings(table.grid, key)
            if found > (best[0] if best else 0):
                best = (found, table, line)
    except UnreadableSubmission as error:
        problem = error
    if best is None:
        asked = ", ".join(question.heading for question in key.questions)
        raise problem or UnreadableSubmission(f"the file has no line with the headings that are asked: {asked}")
    return _understand(best[1], best[2], key)


def _headings(grid: CellGrid, key: AnswerKey) -> tuple[int, int]:
    """Return the number of asked columns in the best line of headings, and that line's index.

    If no line has any, the first line with several cells is read as misspelt headings.
    """
    wanted = {key for question in key.questions for parts in ((question.key,), *question.parts) for key in parts}
    convention = key.analysis.convention.name

    def count(line: int, read: Callable[[str, str], Heading]) -> int:
        return len({read(cell.text, convention).key for cell in grid[line] if not cell.is_number} & wanted)

    lines = range(min(HEADING_WITHIN, len(grid)))
    found = max((count(line, read_heading), -line) for line in lines)
    if found[0]:
        return found[0], -found[1]
    first = next((line for line in lines if len(grid[line]) > 1), 0)
    return count(first, read_misspelt_heading), first


def _understand(table: Table, line: int, key: AnswerKey) -> Submission:
    columns: dict[str, ColumnOfSheet] = {}
    doubled: set[str] = set()
    remarks: list[str] = []
    for index, cell in enumerate(table.grid[line]):
        heading = read_misspelt_heading(cell.text, key.analysis.convention.name)
        if heading.key in ("", "given"):
            if heading.key == "" and cell.text:
                remarks.append(f"ignored the unknown column {quote(cell.text)}")
        elif heading.key in columns:
            doubled.add(heading.key)
            remarks.append(
                f"the columns {quote(columns[heading.key].heading)} and {quote(cell.text)} answer the same question"
            )
        else:
            columns[heading.key] = ColumnOfSheet(index, cell.text, heading.unit)
    questions = {question: parts_of(question, columns) for question in key.questions}
    used = {part.key for parts in questions.values() for part in parts}
    remarks += [
        f"ignored the column {quote(column.heading)}: it is not asked"
        for name, column in columns.items()
        if name in QUESTIONS and name not in used and QUESTIONS[name].derivation != "output"  # sizes may be given
    ]
    rows = table.grid[line + 1 :]
    name_index = columns["name"].position if "name" in columns else None
    answers, more = match_rows(rows, name_index, key.rows, tuple(key.network.inputs))
    remarks += more
    if len(remarks) > MOST_REMARKS:
        remarks = [*remarks[:MOST_REMARKS], f"and {len(remarks) - MOST_REMARKS:,} more remarks"]
    amounts = [column.position for name, column in columns.items() if name in QUESTIONS and QUESTIONS[name].has_total]
    texts = [
        cells[index].text
        for cells in answers.values()
        for index in amounts
        if index < len(cells) and not cells[index].is_number
    ]
    style = style_of(texts, suspicious=table.delimiter == ";")
    width = len(table.grid[line])
    overfull = frozenset(name for name, cells in answers.items() if table.delimiter == "," and len(cells) > width)
    return Submission(questions, columns, frozenset(doubled), answers, overfull, style, tuple(remarks))


# -- rows


def match_rows(
    rows: Sequence[Sequence[Cell]], name_index: int | None, wanted: Sequence[TableRow], inputs: Sequence[str]
) -> tuple[dict[str, Sequence[Cell]], list[str]]:
    """Return the cells of each row of the key, and remarks.

    1. A row is matched to the layer of its name; small misspellings are accepted.
    2. Between two matched rows, the others are matched by position if there are as many rows as layers.
    3. Rows for the network's inputs, and a total that is not asked, are ignored.
    """
    layers = {_plain(row.name) for row in wanted}
    passed = {*map(_plain, inputs), *PASSED} - layers
    shown = [row[name_index or 0].text if len(row) > (name_index or 0) else "" for row in rows]
    plain = [_plain(name) if name_index is not None else "" for name in shown]
    remarks = [
        f"ignored the row {quote(shown[index])}: it is not asked"
        for index in range(len(rows))
        if plain[index] in passed & TOTALS
    ]
    keep = [index for index in range(len(rows)) if plain[index] not in passed]
    names = [plain[index] for index in keep]
    places = _by_name(names, [row.name for row in wanted])
    layers_only = [row for row in wanted if row.name != TOTAL]  # a total is known by its name alone
    places |= _by_place(len(names), len(layers_only), places)
    for place, index in enumerate(keep):
        name = wanted[places[place]].name if place in places else ""
        if not name:
            remarks.append(f"ignored the row {quote(shown[index])}: no layer has this name")
        elif names[place] and not _alike(names[place], name):
            remarks.append(f"read the row {quote(shown[index])} as {name}, by its position")
    return {wanted[layer].name: rows[keep[place]] for place, layer in places.items()}, remarks


def _plain(name: str) -> str:
    """Return a name without capitals and marks: `Max Pool_1` becomes `maxpool1`."""
    return re.sub(r"[^\w.]|_", "", name.casefold())


def _digits(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", name))


def _alike(name: str, layer: str) -> bool:
    """True if a name is a layer's or its last part, perhaps misspelt, with the same numbers."""
    layer = _plain(layer)
    if name in (layer, layer.rsplit(".", 1)[-1]):
        return True
    if _digits(name) != _digits(layer):
        return False
    likeness = SequenceMatcher(None, name, layer)
    return likeness.real_quick_ratio() >= CLOSE and likeness.ratio() >= CLOSE  # the first looks at the lengths only


def _by_name(names: Sequence[str], layers: Sequence[str]) -> dict[int, int]:
    """Return the layer's index by the row's, for names that occur once and mean one layer."""
    plain = [_plain(layer) for layer in layers]
    pools = _single(plain), _single([layer.rsplit(".", 1)[-1] for layer in plain])
    once = {name: place for name, place in _single(names).items() if name}
    found = {place: pool[name] for name, place in once.items() for pool in pools[::-1] if name in pool}
    taken = set(found.values())
    left = [place for place in once.values() if place not in found]
    same_digits: dict[tuple[str, ...], list[int]] = {}
    for index, layer in enumerate(plain):
        same_digits.setdefault(_digits(layer), []).append(index)
    for place in left if len(names) <= MOST_SLIPS else ():
        possible = same_digits.get(_digits(names[place]), ())[:MOST_SLIPS]
        close = [index for index in possible if index not in taken and _alike(names[place], layers[index])]
        if len(close) == 1:
            found[place] = close[0]
            taken.add(close[0])
    return found


def _single(names: Sequence[str]) -> dict[str, int]:
    """Return the index of every name that occurs once."""
    counts = Counter(names)
    return {name: place for place, name in enumerate(names) if counts[name] == 1}


def _by_place(rows: int, layers: int, found: Mapping[int, int]) -> dict[int, int]:
    """Return the layer's index by the row's between matched rows, where as many rows as layers are left."""
    places: dict[int, int] = {}
    anchors = [(-1, -1), *sorted(found.items()), (rows, layers)]
    for (row, layer), (next_row, next_layer) in pairwise(anchors):
        if next_row - row == next_layer - layer:  # a found layer that is out of order makes this false
            places |= {row + step: layer + step for step in range(1, next_row - row)}
    taken = set(found.values())
    return {row: layer for row, layer in places.items() if layer not in taken}
