"""From a table of texts to a sheet of answers: which column answers which question, which row is which layer."""

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
"""Headings stand in one of the first rows; a title, a name and an address may stand above them."""
CLOSE = 0.75
"""How alike a row's name must be to a layer's."""
MOST_SLIPS = 400
"""How many rows may be searched for names with a slip, and how many layers for each."""
MOST_REMARKS = 20
TOTALS = frozenset({TOTAL, "totals", "sum"})
PASSED = TOTALS | {"input", "image", "data"}


class ColumnOfSheet(NamedTuple):
    """Where the answers to a question stand."""

    at: int
    heading: str
    unit: str
    """The unit in the heading, not yet read."""


@dataclass(frozen=True)
class Submission:
    """A student's answers, by row and question."""

    questions: Mapping[Question, tuple[Question, ...]]
    """Each question that is asked, with the questions whose columns answer it."""
    columns: Mapping[str, ColumnOfSheet]
    doubled: frozenset[str]
    """Questions that two columns claim to answer."""
    answers: Mapping[str, Sequence[Cell]]
    """The cells of each row of the key, by its name; rows that are not in the sheet are missing."""
    overfull: frozenset[str]
    """Rows with more cells than there are headings in a file whose cells are parted by commas: in which of them a
    number was cut up cannot be known."""
    style: DecimalStyle
    remarks: tuple[str, ...]

    def entry(self, row: str, question: str) -> Cell | None:
        """What stands in a cell; None where the sheet has no such row or column."""
        column = self.columns.get(question)
        cells = self.answers.get(row)
        if column is None or cells is None:
            return None
        return cells[column.at] if column.at < len(cells) else EMPTY


def read_sheet(path: Path, key: AnswerKey) -> Submission:
    """The answers in a file; `UnreadableSubmission` where it holds no table with a column that is asked."""
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
        raise problem or UnreadableSubmission(f"no line of it has headings for what is asked: {asked}")
    return _understand(best[1], best[2], key)


def _headings(grid: CellGrid, key: AnswerKey) -> tuple[int, int]:
    """How many columns that answer something the best line of headings has, and which line it is.

    Where no line has any, the first that has more cells than one may have them misspelt.
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
    for at, cell in enumerate(table.grid[line]):
        heading = read_misspelt_heading(cell.text, key.analysis.convention.name)
        if heading.key in ("", "given"):
            if heading.key == "" and cell.text:
                remarks.append(f"the column {quote(cell.text)} is not known, and was not read")
        elif heading.key in columns:
            doubled.add(heading.key)
            remarks.append(f"the columns {quote(columns[heading.key].heading)} and {quote(cell.text)} are the same")
        else:
            columns[heading.key] = ColumnOfSheet(at, cell.text, heading.unit)
    questions = {question: parts_of(question, columns) for question in key.questions}
    used = {part.key for parts in questions.values() for part in parts}
    remarks += [
        f"the column {quote(column.heading)} is not asked"
        for name, column in columns.items()
        if name in QUESTIONS and name not in used and QUESTIONS[name].derivation != "output"  # sizes may be given
    ]
    rows = table.grid[line + 1 :]
    name_at = columns["name"].at if "name" in columns else None
    answers, more = match_rows(rows, name_at, key.rows, tuple(key.network.inputs))
    remarks += more
    if len(remarks) > MOST_REMARKS:
        remarks = [*remarks[:MOST_REMARKS], f"and {len(remarks) - MOST_REMARKS:,} remarks more"]
    ats = [column.at for name, column in columns.items() if name in QUESTIONS and QUESTIONS[name].has_total]
    texts = [cells[at].text for cells in answers.values() for at in ats if at < len(cells) and not cells[at].is_number]
    style = style_of(texts, suspicious=table.delimiter == ";")
    width = len(table.grid[line])
    overfull = frozenset(name for name, cells in answers.items() if table.delimiter == "," and len(cells) > width)
    return Submission(questions, columns, frozenset(doubled), answers, overfull, style, tuple(remarks))


# -- rows


def match_rows(
    rows: Sequence[Sequence[Cell]], name_at: int | None, wanted: Sequence[TableRow], inputs: Sequence[str]
) -> tuple[dict[str, Sequence[Cell]], list[str]]:
    """The cells of each row of the key, and what is to be said.

    A row is the layer of its name, small slips forgiven; what is left between two rows so found is taken by its place
    if there are as many rows as layers. Rows for the network's inputs, which a worksheet gives, are passed over, and so
    is a total that is not asked.
    """
    layers = {_plain(row.name) for row in wanted}
    passed = {*map(_plain, inputs), *PASSED} - layers
    shown = [row[name_at or 0].text if len(row) > (name_at or 0) else "" for row in rows]
    plain = [_plain(name) if name_at is not None else "" for name in shown]
    remarks = [f"the row {quote(shown[at])} is not asked" for at in range(len(rows)) if plain[at] in passed & TOTALS]
    keep = [at for at in range(len(rows)) if plain[at] not in passed]
    names = [plain[at] for at in keep]
    places = _by_name(names, [row.name for row in wanted])
    layers_only = [row for row in wanted if row.name != TOTAL]  # a total is known by its name alone
    places |= _by_place(len(names), len(layers_only), places)
    for place, at in enumerate(keep):
        name = wanted[places[place]].name if place in places else ""
        if not name:
            remarks.append(f"the row {quote(shown[at])} is none of the table's, and was not read")
        elif names[place] and not _alike(names[place], name):
            remarks.append(f"the row {quote(shown[at])} was taken for {name} by its place")
    return {wanted[layer].name: rows[keep[place]] for place, layer in places.items()}, remarks


def _plain(name: str) -> str:
    """A name without capitals and marks: `Max Pool_1` and `maxpool1` are one."""
    return re.sub(r"[^\w.]|_", "", name.casefold())


def _digits(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", name))


def _alike(name: str, layer: str) -> bool:
    """Whether a name is a layer's, its last part, or that with a slip; its numbers must be the same."""
    layer = _plain(layer)
    if name in (layer, layer.rsplit(".", 1)[-1]):
        return True
    if _digits(name) != _digits(layer):
        return False
    likeness = SequenceMatcher(None, name, layer)
    return likeness.real_quick_ratio() >= CLOSE and likeness.ratio() >= CLOSE  # the first looks at the lengths only


def _by_name(names: Sequence[str], layers: Sequence[str]) -> dict[int, int]:
    """Places of rows to places of layers, for names that mean one layer and stand once."""
    plain = [_plain(layer) for layer in layers]
    pools = _single(plain), _single([layer.rsplit(".", 1)[-1] for layer in plain])
    once = {name: place for name, place in _single(names).items() if name}
    found = {place: pool[name] for name, place in once.items() for pool in pools[::-1] if name in pool}
    taken = set(found.values())
    left = [place for place in once.values() if place not in found]
    same_digits: dict[tuple[str, ...], list[int]] = {}
    for at, layer in enumerate(plain):
        same_digits.setdefault(_digits(layer), []).append(at)
    for place in left if len(names) <= MOST_SLIPS else ():
        possible = same_digits.get(_digits(names[place]), ())[:MOST_SLIPS]
        close = [at for at in possible if at not in taken and _alike(names[place], layers[at])]
        if len(close) == 1:
            found[place] = close[0]
            taken.add(close[0])
    return found


def _single(names: Sequence[str]) -> dict[str, int]:
    """The names that stand once, with their places."""
    counts = Counter(names)
    return {name: place for place, name in enumerate(names) if counts[name] == 1}


def _by_place(rows: int, layers: int, found: Mapping[int, int]) -> dict[int, int]:
    """What is left between rows that were found, where as many rows as layers are left."""
    places: dict[int, int] = {}
    anchors = [(-1, -1), *sorted(found.items()), (rows, layers)]
    for (row, layer), (next_row, next_layer) in pairwise(anchors):
        if next_row - row == next_layer - layer:  # a found layer that is out of order makes this false
            places |= {row + step: layer + step for step in range(1, next_row - row)}
    taken = set(found.values())
    return {row: layer for row, layer in places.items() if layer not in taken}
