"""Grade every cell of a submission against the key, and diagnose wrong ones.

A cell is *carried forward* if it is wrong, but right for the student's own earlier numbers: the rules run again on the
sizes that the student wrote for the layers before. So an error costs points only in the cell where it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.homework.answers.amounts import says_nothing
from archcalc.homework.answers.answer import AmountAnswer, Answer, WrittenSizes, sizes_of
from archcalc.homework.answers.numbers import DIGITS, AnswerTolerance, Unreadable, WrittenNumber
from archcalc.homework.answers.units import NO_UNIT
from archcalc.homework.cells import Cell, UnreadableSubmission
from archcalc.homework.grade import Diagnosis, GradedCell, GradedRow, GradedSheet, Verdict
from archcalc.homework.key import TOTAL, AnswerKey
from archcalc.homework.marking.causes import name_of
from archcalc.homework.marking.marked import ZERO, Marked, Read
from archcalc.homework.marking.mistakes import Candidates, candidates, explanations, far_explanations, pairs
from archcalc.homework.marking.once import count_once
from archcalc.homework.marking.rerun import Reruns
from archcalc.homework.marking.steps import FeedbackWriter, hint, wrong_steps
from archcalc.homework.marking.swapped import swapped_columns
from archcalc.homework.marking.zeros import Zeros
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.submissions.sheet import Submission, read_sheet, read_texts
from archcalc.ops.naming import NamedSizes
from archcalc.quantities.axes import AXES, along
from archcalc.receptive.fields import FieldPropagation
from archcalc.render.mathematics import line_text
from archcalc.symbolic.derivations import Explanation, explain
from archcalc.symbolic.symbolic_layer import Line
from archcalc.words import in_one_line, quote

FAULT = "archcalc failed on this file, which is a fault of archcalc; please report it"
MOST_FAR = 40
"""The wrong cells of a sheet for which two mistakes together are tried: some 50 ms each, once for a class."""


class Grader:
    """Grades submissions by one key; whatever they have in common is computed once.

    Args:
        key: the questions and the right answers.
        tolerance: the rule by which a number is right.
        reveal: True to show the right answer of a wrong cell; otherwise feedback only hints.
        per_mistake: True to deduct points once for a mistake that explains several cells.
    """

    def __init__(
        self,
        key: AnswerKey,
        tolerance: AnswerTolerance = DIGITS,
        reveal: bool = False,
        per_mistake: bool = True,
    ) -> None:
        self.key = key
        self.tolerance = tolerance
        self.reveal = reveal
        self.per_mistake = per_mistake
        self._propagation = None if key.symbols else FieldPropagation(key.network)
        self._derivations: dict[tuple[str, str, FeedbackWriter], tuple[str, ...]] = {}
        self._reruns: Reruns | None = None

    def grade(self, path: Path) -> GradedSheet:
        """Grade a file. One that cannot be read has a problem, and no points."""
        return self._grade(str(path), lambda: read_sheet(path, self.key))

    def grade_texts(self, rows: Sequence[Sequence[str]], source: str) -> GradedSheet:
        """Grade a table of texts, headings first; ``source`` is its name."""
        return self._grade(source, lambda: read_texts(rows, self.key))

    def _grade(self, source: str, read: Callable[[], Submission]) -> GradedSheet:
        try:
            sheet = read()
            rows = tuple(_Marking(self, sheet).rows())
            remarks = (*sheet.remarks, *_unread_units(sheet))
        except UnreadableSubmission as error:
            return self.unread(source, in_one_line(str(error)))
        except Exception as error:  # our fault: one file must not cost a class its grades
            return self.unread(source, f"{FAULT} ({type(error).__name__})")
        return GradedSheet(source, *self._names, rows, remarks)

    def unread(self, path: Path | str, problem: str) -> GradedSheet:
        """Return the grade of a submission that cannot be read: every cell is missing, and the problem says why."""
        return GradedSheet(str(path), *self._names, tuple(_Marking(self, None).rows()), problem=problem)

    @property
    def _names(self) -> tuple[str, str]:
        return self.key.network.name, self.key.analysis.convention.name

    def pairs(self, row: TableRow, question: Question) -> Candidates:
        """Return the answers that two common mistakes together give on the true sizes."""
        return [] if self.key.symbols else self._kept("pairs", pairs, row, question)

    def possible(self, row: TableRow, question: Question) -> Candidates:
        """Return the answers that common mistakes give on the true sizes."""
        return self._kept("one", candidates, row, question)

    def _kept(self, name: str, compute: Callable[..., Candidates], row: TableRow, question: Question) -> Candidates:
        """Return what is computed once for a row; a row that a student splits has the name of a part."""
        index = (name, f"{row.name} {len(row.layers)}", question.key)
        if index not in self.key.memo:
            if self._reruns is None or self._reruns.row is not row:
                self._reruns = Reruns(self.key, row, {})  # of the last row only: all rows would take much memory
            self.key.memo[index] = compute(self._reruns, question)
        found: Candidates = self.key.memo[index]
        return found

    def derivation(self, row: TableRow, question: Question, write: FeedbackWriter) -> tuple[str, ...]:
        """Return the lines of `archcalc explain`; `line_text` writes them with numbers, `hint` without."""
        index = (row.name, question.key, write)
        if index not in self._derivations:
            self._derivations[index] = tuple(self._derive(row, question, write))
        return self._derivations[index]

    def _derive(self, row: TableRow, question: Question, write: FeedbackWriter) -> Iterator[str]:
        """Yield the derivation of the row's first layer, and of its other layers that contribute to the number."""
        if row.of_group or not question.derivation or self.key.symbols:
            return
        parts = [
            costs for costs in row.layers[1:] if question.has_total and question.value(TableRow(row.name, [costs]))
        ]
        for costs in (row.head, *parts):
            for line in map(write, self._lines(costs.name, question.derivation)):
                if line:
                    yield f"{costs.name}: {line}" if parts else line

    def _lines(self, layer: str, quantity: str) -> tuple[Line, ...]:
        analysis = self.key.analysis
        found: list[Explanation] = explain(
            self.key.network, layer, [quantity], analysis.counting, propagation=self._propagation
        )
        return tuple(found[0].lines)


def _unread_units(sheet: Submission) -> Iterator[str]:
    """Yield a remark for each heading whose unit is not one."""
    for parts in sheet.questions.values():
        for question in parts:
            column = sheet.columns.get(question.key)
            if column is not None and question.kind.unit(column.unit, sheet.context) is None:
                yield f"ignored {quote(column.unit)} in the heading {quote(column.heading)}: it is not a unit"


class _Marking:
    """Grades one submission row by row, and remembers the student's own sizes where they are wrong."""

    def __init__(self, grader: Grader, sheet: Submission | None) -> None:
        self.grader = grader
        self.key = grader.key
        self.sheet = sheet
        self.own: dict[str, Shape] = {}
        """Output shapes of layers by the student, where they are wrong."""
        self.sums: dict[str, Fraction] = {}
        """The sum of what the student wrote in each column; ``slack`` is its largest rounding error."""
        self.slack: dict[str, Fraction] = {}
        self.far_left = MOST_FAR
        self.complete = True
        """True if every cell so far has an answer. Otherwise a derivation's numbers could reveal a missing one."""
        self.rows_of_sheet = sheet.rows if sheet is not None else grader.key.rows
        self.siblings: dict[str, list[TableRow]] = {}
        """The parts of each row that the student splits."""
        whole = {costs.name: row.name for row in self.key.layers for costs in row.layers}
        for row in self.rows_of_sheet:
            self.siblings.setdefault(whole.get(row.name, row.name), []).append(row)
        self.siblings = {row.name: parts for parts in self.siblings.values() for row in parts}
        self.swapped = swapped_columns(sheet, self.key, grader.tolerance) if sheet is not None else {}
        self.zeros = Zeros(sheet, self.rows_of_sheet, self.key) if sheet is not None else None

    def rows(self) -> list[GradedRow]:
        """Grade every row, then find the mistakes that explain several cells."""
        marked: list[list[Marked]] = []
        for row in self.rows_of_sheet:
            reads = list(self._reads(row))
            self.complete = self.complete and all(read.answer is not None for read in reads)
            own = Reruns(self.key, row, self._fed(row))
            mine = self._own_output(own, reads)
            marked.append([self._marked(own, read, mine) for read in reads])
            for cell in marked[-1]:
                cell.may_reveal = self.complete
            self._remember(row, reads, mine)
        if self.grader.per_mistake:
            count_once(marked, self._changes, self.grader.tolerance)
        rows = zip(self.rows_of_sheet, marked, strict=True)
        return [GradedRow(row.name, tuple(map(self._cell, cells))) for row, cells in rows if cells]

    def _changes(self, cell: Marked) -> frozenset[str]:
        """Return the mistakes that would change the number of a cell."""
        possible = self.grader.possible(cell.row, cell.read.question)
        return frozenset(name_of(diagnosis) for diagnosis, value in possible if value != cell.truth)

    # -- reading

    def _reads(self, row: TableRow) -> Iterator[Read]:
        for question in self.key.questions:
            parts = self.sheet.questions[question] if self.sheet is not None else (question,)
            for part, worth in self.key.worth(row, question, parts, self.siblings[row.name]).items():
                yield self._read(row, part, worth)

    def _read(self, row: TableRow, question: Question, worth: Fraction) -> Read:
        sheet = self.sheet
        if sheet is None or self.zeros is None:
            return Read(question, worth, "", None, Verdict.MISSING, "The file could not be read.")
        column = sheet.columns.get(question.key)
        entry = sheet.entry(row.name, question.key)
        if entry is None or column is None:
            why = (
                f"There is no column for {question.heading}." if column is None else f"There is no row for {row.name}."
            )
            return Read(question, worth, "", None, Verdict.MISSING, why)
        written = entry.text
        if question.key in sheet.doubled:
            why = f"Two columns have the heading {question.heading}. Keep one of them."
            return Read(question, worth, written, None, Verdict.UNREADABLE, why)
        if row.name in sheet.overfull:
            why = "This row has more cells than headings. Write numbers with commas in quotes."
            return Read(question, worth, written, None, Verdict.UNREADABLE, why)
        truth = self.key.answer(row, question)
        if self.zeros.says_zero(row, question, written):
            return Read(question, worth, written, AmountAnswer(ZERO), Verdict.WRONG)
        if written.strip() in ("", "?") or says_nothing(written):
            return Read(question, worth, "", None, Verdict.MISSING, "This cell is empty.")
        unit = question.kind.unit(column.unit, sheet.context) or NO_UNIT
        try:
            if column.is_whole:
                answer: Answer = self._size_of_shape(row, question, entry)
            else:
                answer = question.kind.read(entry, unit, truth, sheet.context)
        except Unreadable as error:
            return Read(question, worth, written, None, Verdict.UNREADABLE, f"{_sentence(str(error))}")
        return Read(question, worth, written, answer, Verdict.WRONG)

    def _size_of_shape(self, row: TableRow, question: Question, entry: Cell) -> Answer:
        """Read a shape, and return the size of it that is asked."""
        assert self.sheet is not None
        whole = QUESTIONS["output"]
        truth = whole.value(row)
        written = whole.kind.read(entry, NO_UNIT, truth, self.sheet.context)
        shape = written.as_shape(truth) if isinstance(written, WrittenSizes) else None
        size = along(shape, row.output_axes, AXES[question.key]) if shape is not None else None
        if size is None:
            raise Unreadable(f"cannot read {quote(entry.text)} as a shape of {len(truth)} sizes")
        return WrittenSizes(sizes_of(size))

    # -- the student's own numbers

    def _fed(self, row: TableRow) -> dict[str, Shape]:
        """Return the student's own sizes of the layers before a row, where they are wrong."""
        return {source: self.own[source] for source in _sources(row) if source in self.own}

    def _own_output(self, own: Reruns, reads: list[Read]) -> Shape | None:
        """Return the student's output shape of the row, as written or as earlier rows imply; None if it is right."""
        row = own.row
        if row.of_group and row.name == TOTAL:
            return None
        again = own.with_mistakes() if own.shapes else row
        following = again.output_shape if again is not None else row.output_shape
        written: list[Any] = list(following)
        for read in reads:
            if read.answer is not None:
                read.question.kind.put(written, read.answer, NamedSizes.of(row.output_shape, row.output_axes))
        shape = tuple(written)
        plain = all(isinstance(size, int) and size > 0 for size in shape)
        return shape if plain and shape != row.output_shape else None

    def _remember(self, row: TableRow, reads: list[Read], mine: Shape | None) -> None:
        if mine is not None:
            for costs in row.layers if not row.of_group else row.layers[-1:]:
                self.own[costs.name] = mine
        for read in reads:
            truth = self.key.answer(row, read.question)
            number = read.answer.number if read.answer is not None else None
            if read.question.has_total and isinstance(truth, (int, Fraction)):
                value = number.value if number is not None else Fraction(truth)
                self.sums[read.question.key] = self.sums.get(read.question.key, Fraction(0)) + value
                if number is not None:
                    self.slack[read.question.key] = self.slack.get(read.question.key, Fraction(0)) + _half(number)

    # -- verdicts

    def _marked(self, own: Reruns, read: Read, mine: Shape | None) -> Marked:
        """Return the verdict on a cell, and the mistakes that give its answer."""
        truth = self.key.answer(own.row, read.question)
        marked = Marked(own.row, read, truth, read.verdict)
        if read.answer is not None:
            marked.verdict = self._verdict(own, read, truth, mine)
            if marked.verdict is Verdict.WRONG:
                marked.found = self._found(own, read, truth)
                marked.diagnosis = marked.found[0] if marked.found else None
        return marked

    def _derivation(self, marked: Marked, write: FeedbackWriter) -> tuple[str, ...]:
        """Return the step that went wrong, then the right derivation."""
        right = self.grader.derivation(marked.row, marked.read.question, write)
        own = Reruns(self.key, marked.row, self._fed(marked.row))
        return (*wrong_steps(own, marked.read.question, marked.diagnosis, right, write), *right)

    def _cell(self, marked: Marked) -> GradedCell:
        read, verdict = marked.read, marked.verdict
        reveal = self.grader.reveal and read.answer is not None
        write = line_text if reveal and marked.may_reveal else hint
        return GradedCell(
            column=read.question.key,
            verdict=verdict,
            max_points=read.worth,
            written=read.written if len(read.written) <= 60 else read.written[:59] + "…",
            expected=read.question.kind.show(marked.truth, self.key.analysis, self.key.guards) if reveal else None,
            feedback=marked.feedback(),
            derivation=self._derivation(marked, write) if verdict is Verdict.WRONG else (),
            diagnosis=marked.diagnosis,
        )

    def _verdict(self, own: Reruns, read: Read, truth: Any, mine: Shape | None) -> Verdict:
        row, question, answer, tolerance = own.row, read.question, read.answer, self.grader.tolerance
        assert answer is not None
        fits = question.fits(answer, truth, tolerance)
        if fits is not False:
            return Verdict.RIGHT if fits else Verdict.UNDECIDED
        if row.of_group and row.name == TOTAL:
            return Verdict.CARRIED_FORWARD if self._is_own_sum(question, answer) else Verdict.WRONG
        # An amount may also follow from the row's own output, if that is wrong.
        output = mine if question.has_total else None
        if not question.kind.is_local or (not own.shapes and output is None):
            return Verdict.WRONG
        again = own.counted_on(None if row.of_group else output)
        value = question.value(again) if again is not None else None
        is_own = value is not None and question.fits(answer, value, tolerance)
        return Verdict.CARRIED_FORWARD if is_own else Verdict.WRONG

    def _is_own_sum(self, question: Question, answer: Answer) -> bool:
        """True if a total is the sum of the rows as written, within their rounding (at most a twentieth of it)."""
        number = answer.number
        if number is None or question.key not in self.sums:
            return False
        total = self.sums[question.key]
        slack = self.slack.get(question.key, Fraction(0)) + _half(number)
        return abs(number.value - total) <= slack <= total / 20

    def _found(self, own: Reruns, read: Read, truth: Any) -> list[Diagnosis]:
        """Return the mistakes that give an answer; two together only if no single one does."""
        assert read.answer is not None
        row, question, tolerance = own.row, read.question, self.grader.tolerance
        if (row.name, question.key) in self.swapped:
            return [self.swapped[row.name, question.key]]
        possible = self.grader.possible(row, question)
        if own.shapes:
            possible = [*candidates(own, question), *possible]
        found = explanations(read.answer, truth, question, possible, tolerance)
        if not found and self.far_left > 0:
            self.far_left -= 1
            far = self.grader.pairs(row, question)
            found = far_explanations(read.answer, truth, question, far, tolerance)
        return found


def _sources(row: TableRow) -> set[str]:
    """Return the layers whose outputs are inputs of a row."""
    inside = {costs.name for costs in row.layers}
    return {source for costs in row.layers for source in costs.layer.inputs} - inside


def _half(number: WrittenNumber) -> Fraction:
    """Return the largest rounding error of a number; 0 if it is written to the last digit."""
    return number.place / 2 if number.place > 1 else Fraction(0)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
