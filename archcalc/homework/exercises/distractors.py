"""Wrong answers to an exercise: the numbers that usual mistakes give, each with its sentence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from archcalc.analysis import analyze
from archcalc.homework.exercises.quiz import Ask, Exercise
from archcalc.homework.grade import Diagnosis
from archcalc.homework.key import TOTAL, AnswerKey
from archcalc.homework.marking.mistakes import candidates
from archcalc.homework.marking.rerun import Reruns
from archcalc.homework.questions import QUESTIONS

MOST = 3
AVOIDED = frozenset({"unit", "bits", "other convention", "layer before", "layer after", "elements"})
"""Mistakes whose numbers are recognized without computing anything."""


def distractors(exercise: Exercise, ask: Ask) -> list[tuple[Diagnosis, Any]]:
    """Return up to `MOST` wrong answers, the likeliest mistakes first, all different from each other."""
    question = QUESTIONS[ask.quantity]
    key = AnswerKey(
        analyze(exercise.network), (question,), {question.key: Fraction(1)}, every_layer=True, with_total=True
    )
    name = TOTAL if ask.layer is None else ask.layer
    row = next((row for row in key.rows if row.name == name), None)
    found: list[tuple[Diagnosis, Any]] = []
    seen = [_plain(ask.answer)]
    for diagnosis, value in candidates(Reruns(key, row, {}), question) if row is not None else ():
        plain = _plain(value)
        whole = all(isinstance(size, int) and size > 0 for size in (plain if isinstance(plain, tuple) else (plain,)))
        if not whole or plain in seen or diagnosis.mistake in AVOIDED or _shape(plain) != _shape(ask.answer):
            continue
        seen.append(plain)
        found.append((diagnosis, plain))
        if len(found) == MOST:
            break
    return found


def _plain(value: Any) -> Any:
    """Return an answer as an integer or a tuple of integers, if it is one."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    if isinstance(value, tuple):
        return tuple(int(size) for size in value)
    return value


def _shape(value: Any) -> int:
    """Return the number of sizes: an answer and its distractors look alike."""
    return len(value) if isinstance(value, tuple) else 0
