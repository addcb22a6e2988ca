"""Match a table to an answer key: columns to questions, rows to layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from archcalc.analysis.rows import TableRow
from archcalc.homework.answers.answer import ChannelOrder, ReadingContext
from archcalc.homework.answers.kinds import COUNT, MEMORY
from archcalc.homework.answers.numbers import DecimalStyle, Unreadable, style_of
from archcalc.homework.answers.sizes import read_order, read_sizes
from archcalc.homework.cells import EMPTY, Cell, CellGrid, UnreadableSubmission, bounded
from archcalc.homework.key import AnswerKey, parts_of
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.submissions.headings import KINDS, Heading, guess_heading, plain_heading, read_heading
from archcalc.homework.submissions.rows import MatchedRows, match_rows
from archcalc.homework.submissions.tables import SubmittedTable, read_tables
from archcalc.quantities.axes import AXES
from archcalc.structs import Struct
from archcalc.words import quote

HEADING_WITHIN = 40
"""Headings are in one of the first rows, perhaps below a title, a name and an address."""
MOST_REMARKS = 20


class ColumnOfSheet(NamedTuple):
    """The column with the answers to a question."""

    position: int
    heading: str
    unit: str
    """The unit in the heading, as written."""
    is_whole: bool = False
    """True if it has whole shapes, of which the question is a size."""


class Submission(Struct):
    """A student's answers, by row and question."""

    questions: Mapping[Question, tuple[Question, ...]]
    """Each question of the key, with the questions whose columns answer it."""
    rows: Sequence[TableRow]
    """The rows of the key; one whose layers the student lists apart is several."""
    columns: Mapping[str, ColumnOfSheet]
    doubled: frozenset[str]
    """Questions with two columns."""
    answers: Mapping[str, Sequence[Cell]]
    """The cells of each row of the key, by its name, without rows that the student left out."""
    overfull: frozenset[str]
    """Rows of a comma-separated file with more cells than headings: a number with commas was split, and it is unknown
    which."""
    context: ReadingContext
    """What its cells are read with."""
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
    return _read(lambda: read_tables(path), key)


def read_texts(rows: Sequence[Sequence[str]], key: AnswerKey) -> Submission:
    """Read the answers in a table of texts, headings first; otherwise as `read_sheet`."""
    return _read(lambda: [SubmittedTable(bounded([[Cell(text) for text in row] for row in rows]))], key)


def _read(tables: Callable[[], list[SubmittedTable]], key: AnswerKey) -> Submission:
    best: tuple[int, SubmittedTable, int] | None = None
    problem: UnreadableSubmission | None = None
    seen: SubmittedTable | None = None
    try:
        for table in tables():
            seen = seen or table
            found, line = _headings(table.grid, key)
            if found > (best[0] if best else 0):
                best = (found, table, line)
    except UnreadableSubmission as error:
        problem = error
    if best is None:
        raise problem or UnreadableSubmission(_without_headings(seen, key))
    return _understand(best[1], best[2], key)


def _without_headings(table: SubmittedTable | None, key: AnswerKey) -> str:
    """Return the message for a table without known headings: what is asked, and what is there."""
    asked = ", ".join(question.heading for question in key.questions)
    first = max(table.grid[:HEADING_WITHIN], key=len) if table is not None else []
    there = ", ".join(quote(cell.text) for cell in first[:6] if cell.text)
    return f"the file has no line with the headings that are asked: {asked}" + (f"; it has {there}" if there else "")


def _wanted(key: AnswerKey) -> set[str]:
    """Return the questions whose columns answer the homework."""
    wanted = {key for question in key.questions for parts in ((question.key,), *question.parts) for key in parts}
    wanted |= {question.also for question in key.questions} - {""}
    return wanted | ({"output"} if any(question.key in AXES for question in key.questions) else set())


def _headings(grid: CellGrid, key: AnswerKey) -> tuple[int, int]:
    """Return the number of asked columns in the best line of headings, and that line's index.

    If no line has any, the first line with several cells is read as misspelt headings.
    """
    wanted, convention = _wanted(key), key.analysis.convention.name

    def count(line: int, read: Callable[[str], Heading]) -> int:
        return len({read(cell.text).key for cell in grid[line] if not cell.is_number} & wanted)

    lines = range(min(HEADING_WITHIN, len(grid)))
    found = max((count(line, lambda text: read_heading(text, convention, key.headings)), -line) for line in lines)
    if found[0]:
        return found[0], -found[1]
    first = next((line for line in lines if len(grid[line]) > 1), 0)
    return count(first, lambda text: guess_heading(text, convention)), first


@dataclass
class _Columns:
    """The columns of a table, and remarks on them."""

    of: dict[str, ColumnOfSheet]
    doubled: set[str]
    remarks: list[str]

    @classmethod
    def read(cls, line: Sequence[Cell], key: AnswerKey) -> _Columns:
        """Read the headings: the known ones, then misspelt ones for what is left."""
        columns = cls({}, set(), [])
        convention = key.analysis.convention.name
        unknown = []
        for index, cell in enumerate(line):
            heading = read_heading(cell.text, convention, key.headings)
            if heading.key:
                columns.add(heading, index, cell.text)
            elif cell.text:
                unknown.append(index)
        for index in unknown:
            text = line[index].text
            heading = guess_heading(text, convention, columns.of)
            if heading.key in ("", "given"):
                columns.remarks.append(f"ignored the unknown column {quote(text)}")
                continue
            meaning = "the layers' names" if heading.key == "name" else QUESTIONS[heading.key].heading
            columns.remarks.append(f"read the heading {quote(text)} as {meaning}")
            columns.add(heading, index, text)
        return columns

    def add(self, heading: Heading, index: int, text: str) -> None:
        """Add a column; a second one with the same meaning makes the answers ambiguous."""
        if heading.key == "given":
            if plain_heading(text) in KINDS:
                self.of.setdefault("kind", ColumnOfSheet(index, text, ""))
        elif heading.key not in self.of:
            self.of[heading.key] = ColumnOfSheet(index, text, heading.unit)
        elif heading.key != "name":
            self.doubled.add(heading.key)
            first = self.of[heading.key].heading
            self.remarks.append(f"the columns {quote(first)} and {quote(text)} answer the same question")

    def answer(self, key: AnswerKey) -> dict[Question, tuple[Question, ...]]:
        """Return the questions with the columns that answer them; a shape answers for its sizes."""
        whole = self.of.get("output")
        asked = {question.key for question in key.questions}
        for question in key.questions:
            if whole is not None and question.key in AXES and question.key not in self.of:
                self.of[question.key] = whole._replace(is_whole=True)
            if question.also in self.of and question.key not in self.of and question.also not in asked:
                self.of[question.key] = self.of[question.also]
        questions = {question: parts_of(question, self.of) for question in key.questions}
        used = {part.key for parts in questions.values() for part in parts}
        self.remarks += [
            f"ignored the column {quote(column.heading)}: it is not asked"
            for name, column in self.of.items()
            if name in QUESTIONS
            and name not in used
            and not any(QUESTIONS[key].also == name for key in used)
            and QUESTIONS[name].derivation != "output"  # sizes may be given
            and name != "output"
        ]
        return questions


def _understand(table: SubmittedTable, line: int, key: AnswerKey) -> Submission:
    columns = _Columns.read(table.grid[line], key)
    questions = columns.answer(key)
    rows = table.grid[line + 1 :]
    names = columns.of.get("name") or columns.of.get("kind")
    name_index = names.position if names is not None else None
    matched = match_rows(rows, name_index, key.rows, tuple(key.network.inputs), table.is_printed)
    remarks = [*columns.remarks, *matched.remarks]
    asked = {part.key for parts in questions.values() for part in parts}
    texts = _Texts(columns.of, matched.cells, asked)
    style = style_of(texts.amounts(), table.delimiter == ";", texts.whole())
    if style is DecimalStyle.COMMA:
        remarks.append("read commas as decimal marks")
    order = _order(columns.of.get("output"), matched, key) if key.symbols == {} else None
    if order is ChannelOrder.LAST:
        remarks.append(f"read shapes as {order.value}")
    if len(remarks) > MOST_REMARKS:
        remarks = [*remarks[:MOST_REMARKS], f"and {len(remarks) - MOST_REMARKS:,} more remarks"]
    width = len(table.grid[line])
    is_cut = table.delimiter == ","
    return Submission(
        questions,
        matched.rows,
        columns.of,
        frozenset(columns.doubled),
        matched.cells,
        frozenset(name for name, cells in matched.cells.items() if is_cut and len(cells) > width),
        ReadingContext(key.analysis, key.symbols, key.guards, style, texts.tells_kib(), order),
        tuple(remarks),
    )


@dataclass
class _Texts:
    """The texts of the cells of some questions, which tell how the sheet writes numbers."""

    columns: Mapping[str, ColumnOfSheet]
    cells: Mapping[str, Sequence[Cell]]
    asked: set[str]

    def of(self, keep: Callable[[str, ColumnOfSheet], bool]) -> Iterator[str]:
        """Yield the texts below the headings that are kept, without numbers of a workbook."""
        for name, column in self.columns.items():
            if name in self.asked and QUESTIONS[name].has_total and keep(name, column):
                for cells in self.cells.values():
                    if column.position < len(cells) and not cells[column.position].is_number:
                        yield cells[column.position].text

    def amounts(self) -> Iterator[str]:
        """Yield all amounts."""
        return self.of(lambda name, column: True)

    def whole(self) -> Iterator[str]:
        """Yield counts in columns without a unit."""
        return self.of(lambda name, column: not column.unit and QUESTIONS[name].kind is COUNT)

    def tells_kib(self) -> bool:
        """Return True if KiB or MiB is written, so that a kB beside it is 1000 bytes."""
        units = [column.unit for name, column in self.columns.items() if name in self.asked]
        memory = self.of(lambda name, column: QUESTIONS[name].kind is MEMORY)
        return any(re.search(r"(?:\b|\d)[kmgKMG]ib|kibi|mebi", text, re.IGNORECASE) for text in (*units, *memory))


def _order(column: ColumnOfSheet | None, matched: MatchedRows, key: AnswerKey) -> ChannelOrder | None:
    """Return the order of the sheet's shapes: that of the heading, or of most shapes that are right in one order."""
    if column is None:
        return None
    named = read_order(f"{column.heading} {column.unit}")
    if named is not None:
        return named
    fits: list[ChannelOrder] = []
    for row in matched.rows:
        cells = matched.cells.get(row.name, ())
        truth = key.answer(row, QUESTIONS["output"])
        if column.position >= len(cells) or truth is None or len(truth) < 3:
            continue
        try:
            written = read_sizes(cells[column.position].text, len(truth), key.analysis.batch)
        except Unreadable:
            continue
        last = (*truth[1:], truth[0])
        if written.order is None and last != tuple(truth):
            orders = ((ChannelOrder.FIRST, tuple(truth)), (ChannelOrder.LAST, last))
            fits += [order for order, sizes in orders if written.sizes == sizes]
    counts = Counter(fits)
    return max(counts, key=lambda order: counts[order]) if counts else None
