"""The answer key of a homework: its rows and questions, the right answers and their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archcalc.analysis import Analysis, Counting, analyze
from archcalc.analysis.counting import DEFAULT
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.errors import SpecError
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.network import Network
from archcalc.symbolic.polynomials import Polynomial, Symbol
from archcalc.symbolic.traced import Guard, Trace

if TYPE_CHECKING:
    from archcalc.language.family import Family

TOTAL = "total"


@dataclass(frozen=True, eq=False)
class AnswerKey:
    """The questions about one network, and the answers. If ``symbols`` are left open, the answers are formulas."""

    analysis: Analysis
    questions: tuple[Question, ...]
    points: Mapping[str, Fraction]
    """Points of one cell, by the question's key."""
    depth: int | None = None
    """Layers below this level are joined, as by `archcalc table --depth`; None joins none."""
    with_total: bool = False
    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    """Conditions on the symbols under which the formulas hold."""

    @property
    def network(self) -> Network:
        """The network of the homework."""
        return self.analysis.network

    @cached_property
    def layers(self) -> tuple[TableRow, ...]:
        """Rows of the table. Activations, normalization and dropout are in the row of the layer before them."""
        return tuple(choose_rows(self.analysis.rows, fold=True, depth=self.depth))

    @cached_property
    def rows(self) -> tuple[TableRow, ...]:
        """The rows, and the total if it is asked."""
        total = TableRow(TOTAL, list(self.analysis.rows), of_group=True)
        return (*self.layers, total) if self.with_total else self.layers

    def answer(self, row: TableRow, question: Question) -> Any:
        """Return the right answer; None if the row has none to the question."""
        if row.name == TOTAL and self.with_total and not question.has_total:
            return None
        return question.value(row)

    def worth(self, row: TableRow, question: Question, parts: Sequence[Question]) -> dict[Question, Fraction]:
        """Return the points of each part of a question in a row: equal shares, for parts that have an answer."""
        if self.answer(row, question) is None:
            return {}
        asked = [part for part in parts if self.answer(row, part) is not None]
        return {part: self.points[question.key] / len(asked) for part in asked}


def parts_of(question: Question, present: Mapping[str, Any]) -> tuple[Question, ...]:
    """Return the questions that a submission with these columns answers: the question, or its parts."""
    if question.key in present:
        return (question,)
    best = max(question.parts, key=lambda parts: sum(key in present for key in parts), default=())
    if not any(key in present for key in best):
        return (question,)
    return tuple(QUESTIONS[key] for key in best)


def key_of(
    family: Family,
    questions: tuple[Question, ...],
    points: Mapping[str, Fraction],
    counting: Counting = DEFAULT,
    *,
    depth: int | None = None,
    with_total: bool = False,
) -> AnswerKey:
    """Return the answer key of a network with numbers left open: its answers are formulas.

    Raises `SpecError` if an open number changes how many layers there are.
    """
    trace = Trace()
    symbols = {name: Symbol(name, place=index) for index, name in enumerate(family.samples)}
    numbers = {name: trace.symbol(symbol, family.samples[name]) for name, symbol in symbols.items()}
    network = family.network(numbers)
    analysis = analyze(network, counting)
    for guard in trace.guards:
        for name, symbol in symbols.items():
            if guard.relation == "==" and guard.left == Polynomial.of(symbol) and guard.right.constant is not None:
                raise SpecError(
                    f"{name} changes the network's layers, so it cannot be left open; set it with --set {name}=NUMBER"
                )
    guards = tuple(guard for guard in trace.guards if not guard.always)
    return AnswerKey(analysis, questions, points, depth, with_total, symbols, guards)
