"""The answer key of a homework: its rows and questions, the right answers and their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archcalc.analysis import Analysis, Counting, analyze
from archcalc.analysis.counting import DEFAULT
from archcalc.analysis.rows import TableRow, choose_rows
from archcalc.arithmetic import product
from archcalc.errors import SpecError
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.without_bias import without_bias
from archcalc.network import Network
from archcalc.structs import Struct
from archcalc.symbolic.polynomials import Symbol
from archcalc.symbolic.traced import Guard, Trace

if TYPE_CHECKING:
    from archcalc.language.family import Family

TOTAL = "total"


class AnswerKey(Struct):
    """The questions about one network, and the answers. If ``symbols`` are left open, the answers are formulas."""

    analysis: Analysis
    questions: tuple[Question, ...]
    points: Mapping[str, Fraction]
    """Points of one cell, by the question's key."""
    depth: int | None = None
    """Layers below this level are joined, as by `archcalc table --depth`; None joins none."""
    with_total: bool = False
    symbols: Mapping[str, Symbol] = {}
    guards: tuple[Guard, ...] = ()
    """Conditions on the symbols under which the formulas hold."""
    headings: Mapping[str, str] = {}
    """Headings of submissions whose question is given, by `--map`."""
    with_input: bool = False
    """True if totals of memory and neurons count the network's input."""
    every_layer: bool = False
    """True if activations, normalization and dropout have rows of their own."""

    @property
    def network(self) -> Network:
        return self.analysis.network

    @cached_property
    def memo(self) -> dict[tuple[str, str, str], Any]:
        """What graders have computed for a row and a question; it is the same in every submission."""
        return {}

    @cached_property
    def layers(self) -> tuple[TableRow, ...]:
        """Rows of the table. Normalization and the like are in the row of the layer before, unless each has its own."""
        return tuple(choose_rows(self.analysis.rows, fold=not self.every_layer, depth=self.depth))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each layer's row in the table."""
        return {row.name: place for place, row in enumerate(self.layers)}

    @cached_property
    def rows(self) -> tuple[TableRow, ...]:
        """The rows, and the total if it is asked."""
        total = TableRow(TOTAL, list(self.analysis.rows), of_group=True)
        return (*self.layers, total) if self.with_total else self.layers

    def answer(self, row: TableRow, question: Question) -> Any:
        """Return the right answer; None if the row has none to the question."""
        if row.name == TOTAL and self.with_total and not question.has_total:
            return None
        value = question.value(row)
        if self.with_input and row.name == TOTAL and value is not None:
            value += self._of_input(question)
        return value

    def _of_input(self, question: Question) -> Any:
        """Return what the network's inputs add to a total."""
        elements = sum(map(product, self.network.inputs.values()))
        bytes_ = elements * self.analysis.batch * self.analysis.counting.itemsize
        return {"memory": bytes_, "training_memory": 2 * bytes_, "neurons": elements}.get(question.key, 0)

    def worth(
        self, row: TableRow, question: Question, parts: Sequence[Question], siblings: Sequence[TableRow] = ()
    ) -> dict[Question, Fraction]:
        """Return the points of each part of a question in a row: equal shares, for parts that have an answer.

        Args:
            row: the row, or a part of one.
            question: the question.
            parts: the questions that the student's columns answer in its place.
            siblings: the parts of the row where a student splits it. Those that contribute to its number share its
                points; others have none.
        """
        if self.answer(row, question) is None:
            return {}
        asked = [part for part in parts if self.answer(row, part) is not None]
        points = self.points[question.key] * _share(row, question, siblings or (row,))
        return {part: points / len(asked) for part in asked}


def _share(row: TableRow, question: Question, siblings: Sequence[TableRow]) -> Fraction:
    """Return the share of a part of a row in the row's points."""
    paid = [part for part in siblings if question.value(part)] if question.has_total else []
    paid = paid or list(siblings[:1])
    return Fraction(int(any(part is row for part in paid)), len(paid))


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
    has_bias: bool = True,
    **settings: Any,
) -> AnswerKey:
    """Return the answer key of a network with numbers left open: its answers are formulas.

    Without ``has_bias`` the biases are left out; ``settings`` are other fields of the key. Raises `SpecError` if an
    open number changes how many layers there are.
    """
    trace = Trace()
    symbols = {name: Symbol(name, place=index) for index, name in enumerate(family.samples)}
    numbers = {name: trace.symbol(symbol, family.samples[name]) for name, symbol in symbols.items()}
    network = family.network(numbers)
    if not has_bias:
        network = without_bias(network)
    analysis = analyze(network, counting)
    for guard in trace.guards:
        for name, symbol in symbols.items():
            if guard.pins(symbol):
                raise SpecError(
                    f"{name} changes the network's layers, so it cannot be left open; set it with --set {name}=NUMBER"
                )
    guards = tuple(guard for guard in trace.guards if not guard.always)
    return AnswerKey(analysis, questions, points, symbols=symbols, guards=guards, **settings)
