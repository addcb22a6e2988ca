"""Common mistakes: the answer that each gives, computed by archcalc's own rules, and the sentence for the student.

No number is written here. A mistake changes an operator's arguments, inputs or output, and the rules run again; or it
counts by another convention; or it is a mistake in units or digits, which the kind of answer knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from archcalc.homework.answers.answer import Answer
from archcalc.homework.answers.kinds import Found
from archcalc.homework.answers.numbers import AnswerTolerance
from archcalc.homework.grade import Diagnosis
from archcalc.homework.marking.case import Case
from archcalc.homework.marking.counting import of_columns, of_conventions, of_counting, of_place, of_total
from archcalc.homework.marking.rerun import Reruns
from archcalc.homework.marking.rules import MISTAKES, Mistake
from archcalc.homework.marking.slips import slip_of_digits, slips_of_factors
from archcalc.homework.questions import Question

LEAST_DIGITS = 3
"""Digits of a number that two mistakes together can explain; shorter ones are given by too many pairs."""
Candidates = list[tuple[Diagnosis, Any]]


def candidates(reruns: Reruns, question: Question) -> Candidates:
    """Return the answers that common mistakes give for a row, the likeliest first."""
    case = Case.of(reruns, question)
    if case is None:
        return []
    found = [
        *_of_rules(case),
        *of_counting(case),
        *of_conventions(case),
        *question.kind.unit_mistakes(case.amount),
        *of_place(case),
        *(of_columns(case) if question.has_total else ()),
        *of_total(case),
    ]
    return [(diagnosis, value) for diagnosis, value in found if value is not None]


def _of_rules(case: Case, mistakes: Sequence[Mistake] = MISTAKES) -> Found:
    """Yield what the operator's own rule gives with each mistake in it."""
    for mistake in mistakes if case.question.kind.is_local and not case.row.of_group else ():
        yield Diagnosis(mistake.name, mistake.says), case.value(mistake.change)


def pairs(reruns: Reruns, question: Question) -> Candidates:
    """Return the answers that two common mistakes together give, and slips of factors."""
    case = Case.of(reruns, question)
    if case is None or case.row.of_group:
        return []
    found: list[tuple[Diagnosis, Any]] = []
    for index, mistake in enumerate(MISTAKES if question.kind.is_local else ()):
        first = Diagnosis(mistake.name, mistake.says)
        changed = case.under(mistake.change)
        if changed is None or changed.amount is None or changed.amount == case.amount:
            continue
        later = _of_rules(changed, MISTAKES[index + 1 :])
        seconds = [*later, *of_counting(changed), *question.kind.unit_mistakes(changed.amount)]
        found += [(_together(first, second), value) for second, value in seconds if second.mistake != first.mistake]
    if question.has_total:
        for first, value in of_counting(case):
            if isinstance(value, (int, Fraction)):
                seconds = [*question.kind.unit_mistakes(value), *_counted_again(question, value)]
                found += [
                    (_together(first, second), again) for second, again in seconds if first.mistake != second.mistake
                ]
        costs = case.base.costs
        parts = (costs.weights, costs.biases) if question.key == "params" else (case.amount,)
        found += slips_of_factors(case.base, parts)
    return [(diagnosis, value) for diagnosis, value in found if value is not None]


def _counted_again(question: Question, value: Any) -> Found:
    """Yield what doubling a count gives, for mistakes after another one."""
    if question.key in ("flops", "macs"):
        yield Diagnosis("counted twice", "A multiply-add is counted as two operations."), 2 * value


def _together(first: Diagnosis, second: Diagnosis) -> Diagnosis:
    return Diagnosis(f"{first.mistake} + {second.mistake}", f"{first.says} {second.says}")


# -- the mistake that was made


def explanations(
    answer: Answer, truth: Any, question: Question, possible: Candidates, tolerance: AnswerTolerance
) -> list[Diagnosis]:
    """Return the common mistakes that give the answer, one of each name, the likeliest first."""
    number = answer.number
    if number is not None and isinstance(truth, (int, Fraction)) and number.value == 0:
        zero = Diagnosis("zero", "The answer is 0, but the value is not 0.")
        return [zero, *(diagnosis for diagnosis, value in possible if value == 0)]
    found = {
        diagnosis.mistake: diagnosis
        for diagnosis, value in reversed(possible)
        if value != truth and question.fits(answer, value, tolerance)
    }
    typo = question.kind.typo(answer, truth, tolerance, question.usual)
    return [*reversed(found.values()), *([typo] if typo is not None else [])]


def far_explanations(
    answer: Answer, truth: Any, question: Question, possible: Candidates, tolerance: AnswerTolerance
) -> list[Diagnosis]:
    """Return slips of digits, and pairs of mistakes, that give an answer which no single mistake gives."""
    number = answer.number
    if number is not None and isinstance(truth, (int, Fraction)):
        slip = slip_of_digits(number.value, truth) if number.place <= 1 else None
        if slip is not None:
            return [slip]
        if len(number.digits.rstrip("0")) < LEAST_DIGITS and number.place > 1:
            return []
    return explanations(answer, truth, question, possible, tolerance)
