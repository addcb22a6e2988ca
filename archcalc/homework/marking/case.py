"""A question about a row, as a mistake changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.homework.key import AnswerKey
from archcalc.homework.marking.rerun import Change, rerun
from archcalc.homework.questions import Question
from archcalc.ops.operator import Operator
from archcalc.structs import Struct, replace


class Reruns:
    """A row as mistakes change it, computed once for all questions.

    Args:
        key: the homework.
        row: a row of it, or a part of one.
        shapes: output shapes of the layers before, where they differ from the true ones.
    """

    def __init__(self, key: AnswerKey, row: TableRow, shapes: Mapping[str, Shape]) -> None:
        self.key = key
        self.row = row
        self.shapes = shapes
        self._known: dict[tuple[Any, ...], TableRow | None] = {}

    def with_mistakes(self, *changes: Change, **counting: Any) -> TableRow | None:
        """Return the row after mistakes, or counted in another way; None if a mistake cannot be made."""
        index = (*changes, *sorted(counting.items()))
        if index not in self._known:
            analysis = self.key.analysis
            counted = replace(analysis.counting, **counting)
            self._known[index] = rerun(analysis, self.row, self.shapes, _joined(changes), counting=counted)
        return self._known[index]

    def counted_on(self, output: Shape | None) -> TableRow | None:
        """Return the row counted on an output shape; None if a rule refuses it."""
        index = ("output", output)
        if index not in self._known:
            self._known[index] = rerun(self.key.analysis, self.row, self.shapes, output=output)
        return self._known[index]


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


def _joined(changes: tuple[Change, ...]) -> Change | None:
    """Return the change that makes all mistakes that can be made; its result is None if the last one cannot."""
    if len(changes) < 2:
        return changes[0] if changes else None

    def change(op: Operator) -> Operator | None:
        for earlier in changes[:-1]:
            op = earlier(op) or op
        return changes[-1](op)

    return change
