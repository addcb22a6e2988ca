"""A question about a row, as a mistake changes it."""

from __future__ import annotations

from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.homework.key import AnswerKey
from archcalc.homework.marking.rerun import Change, Reruns
from archcalc.homework.questions import Question
from archcalc.structs import Struct, replace


class Case(Struct):
    """A question about a row, on shapes of inputs that may differ from the true ones."""

    reruns: Reruns
    question: Question
    base: TableRow
    """The row computed from these shapes, with the first mistake if there is one."""
    first: tuple[Change, ...] = ()
    """A mistake that is made before any other."""

    @classmethod
    def of(cls, reruns: Reruns, question: Question) -> Case | None:
        """Return the case without a mistake; None if the rules refuse the shapes."""
        base = reruns.with_mistakes() if reruns.shapes else reruns.row
        return None if base is None else cls(reruns, question, base)

    @property
    def key(self) -> AnswerKey:
        return self.reruns.key

    @property
    def row(self) -> TableRow:
        """The row, without mistakes and on the true shapes."""
        return self.reruns.row

    @property
    def amount(self) -> Any:
        """The right answer for these shapes."""
        return self.question.value(self.base)

    def under(self, change: Change) -> Case | None:
        """Return the case after a mistake; None if it cannot be made."""
        base = self.reruns.with_mistakes(change)
        if base is None or any(not size > 0 for costs in base.layers for size in costs.output_shape):
            return None
        return replace(self, base=base, first=(change,))

    def value(self, *changes: Change, **counting: Any) -> Any:
        """Return the answer with a mistake, or counted in another way; None if the mistake cannot be made."""
        again = self.reruns.with_mistakes(*self.first, *changes, **counting)
        return None if again is None else self.question.value(again)
