"""A cell as it was read, and with its verdict; the sentences for the student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.homework.answers.answer import AmountAnswer, Answer
from archcalc.homework.answers.numbers import WrittenNumber
from archcalc.homework.grade import Diagnosis, Verdict
from archcalc.homework.marking.causes import Cause
from archcalc.homework.questions import Question

GENERIC = frozenset({"other convention", "elements of the output", "gradients too", "input instead of output"})
"""Mistakes that are not named beside another."""
ZERO = WrittenNumber(Fraction(0), Fraction(1), "")
"""The number of a cell that says that there is nothing."""


@dataclass
class Read:
    """A cell with its answer, or the reason why it has none."""

    question: Question
    worth: Fraction
    written: str
    answer: Answer | None
    verdict: Verdict
    why: str = ""


@dataclass
class Marked:
    """A cell with its verdict, and the mistakes that give its answer."""

    row: TableRow
    read: Read
    truth: Any
    verdict: Verdict
    may_reveal: bool = False
    """True if a derivation's numbers reveal nothing that the student has not answered."""
    found: Sequence[Diagnosis] = ()
    diagnosis: Diagnosis | None = None
    cause: Cause | None = None

    def feedback(self) -> str:
        """Return one to three sentences for the student."""
        if self.read.answer is None:
            return self.read.why
        if self.verdict is Verdict.CARRIED_FORWARD:
            return "This is right for your own earlier numbers. Only the earlier error costs points."
        if self.verdict is Verdict.UNDECIDED:
            return "archcalc could not decide whether this equals the right formula. A person will check it."
        if self.verdict is Verdict.REPEATED and self.diagnosis is not None:
            return f"{self.diagnosis.says} This is right with the same mistake as before, which costs points once."
        if self.verdict is not Verdict.WRONG:
            return ""
        return self._of_wrong() + _own_product(self.read.answer)

    def _of_wrong(self) -> str:
        if self.diagnosis is None:
            return "No common mistake gives this number."
        says = self.diagnosis.says
        if self.cause is not None and len(self.cause.cells) > 1:
            other = f" Or: {self.cause.other.says}" if self.cause.other is not None else ""
            return f"{says}{other} The same mistake explains {len(self.cause.cells)} cells, and costs points once."
        others = [
            diagnosis.says
            for diagnosis in self.found[1:]
            if diagnosis.mistake not in GENERIC and self.diagnosis.mistake != "zero"
        ]
        if "+" in self.diagnosis.mistake:
            says = f"Two mistakes together give this number, perhaps by chance. {says}"
        return f"{says} Or: {others[0]}" if others else says


def _own_product(answer: Answer) -> str:
    """Return a sentence on the student's arithmetic, where its value is not the number after it."""
    product = answer.product if isinstance(answer, AmountAnswer) else None
    if product is None:
        return ""
    shown = f"{product.numerator:,}" if product.denominator == 1 else f"{float(product):g}"
    return f" Your own arithmetic gives {shown}."
