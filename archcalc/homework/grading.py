"""Grade every cell of a submission against the key, and diagnose wrong ones.

A cell is *carried forward* if it is wrong, but right for the student's own earlier numbers: the rules run again on the
sizes that the student wrote for the layers before. So an error costs points only in the cell where it was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.homework.answers import NO_UNIT, Answer, ReadingContext, UnitOf
from archcalc.homework.cells import UnreadableSubmission
from archcalc.homework.grade import Diagnosis, GradedCell, GradedRow, GradedSheet, Verdict
from archcalc.homework.key import TOTAL, AnswerKey
from archcalc.homework.mistakes import candidates, diagnose
from archcalc.homework.numbers import DIGITS, AnswerTolerance, Unreadable, WrittenNumber
from archcalc.homework.questions import Question
from archcalc.homework.rerun import rerun
from archcalc.homework.sheet import Submission, read_sheet
from archcalc.ops.naming import NamedSizes
from archcalc.receptive.fields import FieldPropagation
from archcalc.render.mathematics import line_text, term_text
from archcalc.symbolic.derivations import Explanation, Line, explain
from archcalc.words import quote

FAULT = "archcalc failed on this file, which is a fault of archcalc; please report it"
FeedbackWriter = Callable[[Line], str]
"""Write a line of a derivation."""


class Grader:
    """Grades submissions by one key; whatever they have in common is computed once.

    Args:
        key: the questions and the right answers.
        tolerance: the rule by which a number is right.
        reveal: True to show the right answer of a wrong cell; otherwise feedback only hints.
    """

    def __init__(self, key: AnswerKey, tolerance: AnswerTolerance = DIGITS, reveal: bool = False) -> None:
        self.key = key
        self.tolerance = tolerance
        self.reveal = reveal
        self._propagation = None if key.symbols else FieldPropagation(key.network)
        self._possible: dict[tuple[str, str], list[tuple[Diagnosis, Any]]] = {}
        self._derivations: dict[tuple[str, str, FeedbackWriter], tuple[str, ...]] = {}

    def grade_all(self, paths: Iterable[Path]) -> Iterator[GradedSheet]:
        """Grade files one after the other; a broken one does not stop the rest."""
        return map(self.grade, paths)

    def grade(self, path: Path) -> GradedSheet:
        """Grade a file. One that cannot be read has a problem, and no points."""
        try:
            sheet = read_sheet(path, self.key)
            rows = tuple(_Marking(self, sheet).rows())
            remarks = (*sheet.remarks, *_unread_units(sheet, self.key))
        except UnreadableSubmission as error:
            return self.unread(path, str(error))
        except Exception as error:  # our fault: one file must not cost a class its grades
            return self.unread(path, f"{FAULT} ({type(error).__name__})")
        return GradedSheet(str(path), *self._names, rows, remarks)

    def unread(self, path: Path, problem: str) -> GradedSheet:
        """Return the grade of a submission that cannot be read: every cell is missing, and the problem says why."""
        return GradedSheet(str(path), *self._names, tuple(_Marking(self, None).rows()), problem=problem)

    @property
    def _names(self) -> tuple[str, str]:
        return self.key.network.name, self.key.analysis.convention.name

    def possible(self, row: TableRow, question: Question) -> list[tuple[Diagnosis, Any]]:
        """Return the answers that common mistakes give on the true sizes."""
        index = (row.name, question.key)
        if index not in self._possible:
            self._possible[index] = candidates(self.key, row, question, {})
        return self._possible[index]

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


def hint(line: Line) -> str:
    """Return a line's formula without its numbers; empty if it has none."""
    formula = term_text(line.terms[0]) if len(line.terms) > 1 else ""
    return f"{line.symbol} = {formula}" if _is_rule(formula) else ""


def _unread_units(sheet: Submission, key: AnswerKey) -> Iterator[str]:
    """Yield a remark for each heading whose unit is not one."""
    for parts in sheet.questions.values():
        for question in parts:
            column = sheet.columns.get(question.key)
            if column is not None and _heading_unit(question, column.unit, key) is None:
                yield f"ignored {quote(column.unit)} in the heading {quote(column.heading)}: it is not a unit"


def _heading_unit(question: Question, text: str, key: AnswerKey) -> UnitOf | None:
    try:
        return question.kind.unit(text, key.analysis)
    except Unreadable:
        return None


@dataclass
class _Read:
    """A cell with its answer, or the reason why it has none."""

    question: Question
    worth: Fraction
    written: str
    answer: Answer | None
    verdict: Verdict
    why: str = ""


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
        self.complete = True
        """True if every cell so far has an answer. Otherwise a derivation's numbers could reveal a missing one."""
        self.context = (
            ReadingContext(self.key.analysis, self.key.symbols, self.key.guards, sheet.style)
            if sheet is not None
            else None
        )

    def rows(self) -> Iterator[GradedRow]:
        for row in self.key.rows:
            reads = list(self._reads(row))
            self.complete = self.complete and all(read.answer is not None for read in reads)
            fed = {source: self.own[source] for source in _sources(row) if source in self.own}
            mine = self._own_output(row, reads, fed)
            cells = tuple(self._cell(row, read, fed, mine) for read in reads)
            self._remember(row, reads, mine)
            if cells:
                yield GradedRow(row.name, cells)

    # -- reading

    def _reads(self, row: TableRow) -> Iterator[_Read]:
        for question in self.key.questions:
            parts = self.sheet.questions[question] if self.sheet is not None else (question,)
            for part, worth in self.key.worth(row, question, parts).items():
                yield self._read(row, part, worth)

    def _read(self, row: TableRow, question: Question, worth: Fraction) -> _Read:
        sheet = self.sheet
        if sheet is None or self.context is None:
            return _Read(question, worth, "", None, Verdict.MISSING, "The file could not be read.")
        column = sheet.columns.get(question.key)
        entry = sheet.entry(row.name, question.key)
        if entry is None or column is None:
            why = (
                f"There is no column for {question.heading}." if column is None else f"There is no row for {row.name}."
            )
            return _Read(question, worth, "", None, Verdict.MISSING, why)
        written = entry.text
        if question.key in sheet.doubled:
            why = f"Two columns have the heading {question.heading}. Keep one of them."
            return _Read(question, worth, written, None, Verdict.UNREADABLE, why)
        if row.name in sheet.overfull:
            why = "This row has more cells than headings. Write numbers with commas in quotes."
            return _Read(question, worth, written, None, Verdict.UNREADABLE, why)
        if written.strip() in ("", "-", "–", "—", "?"):
            return _Read(question, worth, "", None, Verdict.MISSING, "This cell is empty.")
        unit = _heading_unit(question, column.unit, self.key) or NO_UNIT
        try:
            answer = question.kind.read(entry, unit, self.key.answer(row, question), self.context)
        except Unreadable as error:
            return _Read(question, worth, written, None, Verdict.UNREADABLE, f"{_sentence(str(error))}")
        return _Read(question, worth, written, answer, Verdict.WRONG)

    # -- the student's own numbers

    def _own_output(self, row: TableRow, reads: list[_Read], fed: Mapping[str, Shape]) -> Shape | None:
        """Return the student's output shape of the row, as written or as earlier rows imply; None if it is right."""
        if row.of_group and row.name == TOTAL:
            return None
        again = rerun(self.key.analysis, row, fed) if fed else row
        following = again.output_shape if again is not None else row.output_shape
        written: list[Any] = list(following)
        for read in reads:
            if read.answer is not None:
                read.question.kind.put(written, read.answer, NamedSizes.of(row.output_shape, row.output_axes))
        shape = tuple(written)
        plain = all(isinstance(size, int) and size > 0 for size in shape)
        return shape if plain and shape != row.output_shape else None

    def _remember(self, row: TableRow, reads: list[_Read], mine: Shape | None) -> None:
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

    def _cell(self, row: TableRow, read: _Read, fed: Mapping[str, Shape], mine: Shape | None) -> GradedCell:
        truth = self.key.answer(row, read.question)
        verdict, feedback, diagnosis = read.verdict, read.why, None
        if read.answer is not None:
            verdict = self._verdict(row, read, truth, fed, mine)
            if verdict is Verdict.CARRIED_FORWARD:
                feedback = "This is right for your own earlier numbers. Only the earlier error costs points."
            elif verdict is Verdict.WRONG:
                diagnosis = self._diagnosis(row, read, truth, fed)
                feedback = diagnosis.says if diagnosis is not None else "No common mistake gives this number."
            elif verdict is Verdict.UNDECIDED:
                feedback = "archcalc could not decide whether this equals the right formula. A person will check it."
            else:
                feedback = ""
        reveal = self.grader.reveal and read.answer is not None
        write = line_text if reveal and self.complete else hint
        return GradedCell(
            column=read.question.key,
            verdict=verdict,
            max_points=read.worth,
            written=read.written if len(read.written) <= 60 else read.written[:59] + "…",
            expected=read.question.kind.show(truth, self.key.analysis, self.key.guards) if reveal else None,
            feedback=feedback,
            derivation=self.grader.derivation(row, read.question, write) if verdict is Verdict.WRONG else (),
            diagnosis=diagnosis,
        )

    def _verdict(self, row: TableRow, read: _Read, truth: Any, fed: Mapping[str, Shape], mine: Shape | None) -> Verdict:
        question, answer, tolerance = read.question, read.answer, self.grader.tolerance
        assert answer is not None
        fits = question.fits(answer, truth, tolerance)
        if fits is not False:
            return Verdict.RIGHT if fits else Verdict.UNDECIDED
        if row.of_group and row.name == TOTAL:
            return Verdict.CARRIED_FORWARD if self._is_own_sum(question, answer) else Verdict.WRONG
        # An amount may also follow from the row's own output, if that is wrong.
        output = mine if question.has_total else None
        if not question.kind.is_local or (not fed and output is None):
            return Verdict.WRONG
        again = rerun(self.key.analysis, row, fed, output=None if row.of_group else output)
        own = question.value(again) if again is not None else None
        return Verdict.CARRIED_FORWARD if own is not None and question.fits(answer, own, tolerance) else Verdict.WRONG

    def _is_own_sum(self, question: Question, answer: Answer) -> bool:
        """True if a total is the sum of the rows as written, within their rounding (at most a twentieth of it)."""
        number = answer.number
        if number is None or question.key not in self.sums:
            return False
        total = self.sums[question.key]
        slack = self.slack.get(question.key, Fraction(0)) + _half(number)
        return abs(number.value - total) <= slack <= total / 20

    def _diagnosis(self, row: TableRow, read: _Read, truth: Any, fed: Mapping[str, Shape]) -> Diagnosis | None:
        assert read.answer is not None
        possible = self.grader.possible(row, read.question)
        if fed:
            possible = [*candidates(self.key, row, read.question, fed), *possible]
        return diagnose(read.answer, truth, read.question, possible, self.grader.tolerance)


def _sources(row: TableRow) -> set[str]:
    """Return the layers whose outputs are inputs of a row."""
    inside = {costs.name for costs in row.layers}
    return {source for costs in row.layers for source in costs.layer.inputs} - inside


def _half(number: WrittenNumber) -> Fraction:
    """Return the largest rounding error of a number; 0 if it is written to the last digit."""
    return number.place / 2 if number.place > 1 else Fraction(0)


def _is_rule(text: str) -> bool:
    """True if a term has symbols and only the small numbers of a rule: `768L'·B` has a size in it."""
    return not re.search(r"\d\d", text) and any(letter.isalpha() for letter in re.sub(r"\b(min|max|gcd)\b", "", text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
