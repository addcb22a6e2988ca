"""Common mistakes: the answer that each gives, computed by archcalc's own rules, and the sentence for the student.

No number is written here. A mistake changes an operator's arguments, inputs or output, and the rules run again; or it
counts by another convention; or it is a mistake in units or digits, which the kind of answer knows (`homework.kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.counting import ITEM_SIZES
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape, product
from archcalc.homework.answers import Answer
from archcalc.homework.grade import Diagnosis
from archcalc.homework.key import AnswerKey
from archcalc.homework.kinds import Found
from archcalc.homework.numbers import AnswerTolerance
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.rerun import Change, rerun
from archcalc.ops.operator import Operator


class RoundedUp(int):
    """An integer whose divisions round up instead of down, and down instead of up."""

    def __add__(self, other: int) -> RoundedUp:
        return RoundedUp(int(self) + other)

    def __sub__(self, other: int) -> RoundedUp:
        return RoundedUp(int(self) - other)

    def __neg__(self) -> RoundedUp:
        return RoundedUp(-int(self))

    def __floordiv__(self, other: int) -> int:
        return -(-int(self) // other)


def _again(op: Operator, **arguments: Any) -> Operator:
    return type(op)(op.inputs, **{**op.given, **arguments})


def instead(name: str, value: Any) -> Change:
    """Give an argument another value; no change if the operator lacks the argument or already has the value."""

    def change(op: Operator) -> Operator | None:
        if name not in op.arguments:
            return None
        other = _again(op, **{name: value})
        return None if getattr(other, name) == getattr(op, name) else other

    return change


def keeping_output(change: Change) -> Change:
    """Apply a change to the counts, and keep the output."""

    def changed(op: Operator) -> Operator | None:
        other = change(op)
        return other and other.with_shapes(other.inputs, op.output)

    return changed


def _rounded_the_other_way(op: Operator) -> Operator | None:
    if not all(isinstance(size, int) for shape in op.inputs for size in shape):
        return None
    inputs = tuple((shape[0], *map(RoundedUp, shape[1:])) for shape in op.inputs)
    other = type(op)(inputs, **op.given)
    other = other.with_shapes(op.inputs, tuple(map(int, other.output)))
    return None if other.output == op.output else other


def _padding_once(op: Operator) -> Operator | None:
    """Pad before the first element only."""
    padding = getattr(op, "padding", None)
    if "padding" not in op.arguments or not padding or not all(isinstance(side, tuple) for side in padding):
        return None
    return _again(op, padding=[[before, 0] for before, _ in padding]) if any(map(any, padding)) else None


def _without_the_one(op: Operator) -> Operator | None:
    """Take the number of steps of a window instead of its positions."""
    if not {"kernel", "stride"} <= set(op.arguments) or any(size < 2 for size in op.output[1:]):
        return None
    return op.with_shapes(op.inputs, (op.output[0], *(size - 1 for size in op.output[1:])))


def _width_name(op: Operator) -> str | None:
    return next((name for name in ("channels", "features") if name in op.arguments), None)


def _input_channels(op: Operator) -> Operator | None:
    name = _width_name(op)
    return instead(name, op.x[0])(op) if name else None


def _output_channels(op: Operator) -> Operator | None:
    name = _width_name(op)
    if not name or getattr(op, name) == op.x[0]:
        return None
    first: Shape = (getattr(op, name), *op.x[1:])
    return type(op)((first, *op.inputs[1:]), **op.given)


def _input_size(op: Operator) -> Operator | None:
    (_, *before), (channels, *after) = op.x, op.output
    if before == after or len(before) != len(after):
        return None
    return op.with_shapes(op.inputs, (channels, *before))


def _kernel_once(op: Operator) -> Operator | None:
    kernel: Shape = getattr(op, "kernel", ())
    if "kernel" not in op.arguments or len(kernel) < 2:
        return None
    return keeping_output(instead("kernel", [kernel[0], *(1 for _ in kernel[1:])]))(op)


def _one_input_channel(op: Operator) -> Operator | None:
    if "groups" not in op.arguments or op.x[0] == op.groups:  # type: ignore[attr-defined]
        return None
    first: Shape = (op.groups, *op.x[1:])  # type: ignore[attr-defined]
    return type(op)((first, *op.inputs[1:]), **op.given)


class Mistake(NamedTuple):
    """A common mistake in applying a rule."""

    name: str
    says: str
    change: Change


MISTAKES = (
    Mistake("bias forgotten", "The biases are left out: one per output channel.", instead("bias", False)),
    Mistake("bias added", "Biases are counted, but this layer has none.", instead("bias", True)),
    Mistake("padding ignored", "The padding is left out.", instead("padding", 0)),
    Mistake("stride ignored", "The stride is left out.", instead("stride", 1)),
    Mistake("floor and ceil", "The quotient is rounded the wrong way.", _rounded_the_other_way),
    Mistake("one forgotten", "The + 1 at the end is missing: there is one more position than steps.", _without_the_one),
    Mistake("padding once", "The padding is added on one side only. It is on both.", _padding_once),
    Mistake("dilation ignored", "The dilation is left out.", instead("dilation", 1)),
    Mistake(
        "groups ignored",
        "The groups are left out: a filter covers the channels of its group only.",
        instead("groups", 1),
    ),
    Mistake("input channels", "The input's channels are used instead of the output's.", _input_channels),
    Mistake("output channels", "The output's channels are used instead of the input's.", _output_channels),
    Mistake("input size", "The input's height and width are used instead of the output's.", _input_size),
    Mistake(
        "kernel once",
        "The kernel size is counted once, not squared: a window has height times width elements.",
        _kernel_once,
    ),
    Mistake("one channel", "A filter is counted for one input channel. It has a window for each.", _one_input_channel),
)


@dataclass(frozen=True)
class _Case:
    """A question about a row, with the shapes of inputs that differ from the true ones."""

    key: AnswerKey
    row: TableRow
    question: Question
    shapes: Mapping[str, Shape]
    base: TableRow
    """The row computed from these shapes, without a mistake."""

    @property
    def amount(self) -> Any:
        """The right answer for these shapes."""
        return self.question.value(self.base)

    def value(self, change: Change | None = None, **counting: Any) -> Any:
        """Return the answer with a mistake, or counted in another way; None if the mistake cannot be made."""
        analysis = self.key.analysis
        again = rerun(analysis, self.row, self.shapes, change, counting=replace(analysis.counting, **counting))
        return None if again is None else self.question.value(again)


def candidates(
    key: AnswerKey, row: TableRow, question: Question, shapes: Mapping[str, Shape]
) -> list[tuple[Diagnosis, Any]]:
    """Return the answers that common mistakes give for a row with these input shapes, the likeliest first."""
    base = rerun(key.analysis, row, shapes) if shapes else row
    if base is None:
        return []
    case = _Case(key, row, question, shapes, base)
    found = [
        *_of_rules(case),
        *_OF_COUNTING.get(question.key, _nothing)(case),
        *(_of_samples(case) if question.has_total else ()),
        *question.kind.unit_mistakes(case.amount),
        *_of_place(case),
        *(_of_columns(case) if question.has_total else ()),
    ]
    return [(diagnosis, value) for diagnosis, value in found if value is not None]


def _nothing(case: _Case) -> Found:
    return iter(())


def _of_rules(case: _Case) -> Found:
    """Yield what the operator's own rule gives with each mistake in it."""
    for mistake in MISTAKES if case.question.kind.is_local else ():
        yield Diagnosis(mistake.name, mistake.says), case.value(mistake.change)


def _of_operations(case: _Case) -> Found:
    costs = case.base.costs
    yield Diagnosis("counted twice", "A multiply-add is counted as two operations."), case.amount + costs.macs
    yield Diagnosis("counted once", "A multiply-add is counted as one operation."), case.amount - costs.macs
    ops = [costs.layer.op for costs in case.base.layers]
    added = case.key.analysis.batch * sum(op.work().get("add", 0) for op in ops if getattr(op, "bias", False))
    yield Diagnosis("bias counted", "The additions of the bias are counted."), case.amount + added
    yield from _of_conventions(case)


def _of_params(case: _Case) -> Found:
    shapes = [shape for costs in case.base.layers for shape in costs.layer.op.buffers().values() if shape]
    statistics = sum(map(product, shapes))
    yield (
        Diagnosis("statistics counted", "The running statistics are counted, but they are not trained."),
        case.amount + statistics,
    )


def _of_memory(case: _Case) -> Found:
    size = case.key.analysis.counting.itemsize
    says = "This is the memory of the parameters, not of the output."
    yield Diagnosis("weights instead of output", says), case.base.costs.params * size
    yield Diagnosis("elements", "These are elements, not bytes."), case.amount * Fraction(1, size)
    for dtype in ("float64", "float16"):
        says = f"A number is taken as {8 * ITEM_SIZES[dtype]} bits."
        yield Diagnosis("bytes of a number", says), case.value(dtype=dtype)
    yield from _of_conventions(case)


def _of_conventions(case: _Case) -> Found:
    for name in CONVENTIONS:
        yield Diagnosis("other convention", f"This is the count of the convention {name}."), case.value(convention=name)


_OF_COUNTING: dict[str, Callable[[_Case], Found]] = {
    "flops": _of_operations,
    "macs": _of_operations,
    "params": _of_params,
    "memory": _of_memory,
}
"""Mistakes in counting, by question."""


def _of_samples(case: _Case) -> Found:
    """Yield the answers for a part of the row, or of the batch."""
    if len(case.base.layers) > 1 and not case.base.of_group:
        head = TableRow(case.base.name, case.base.layers[:1])
        yield Diagnosis("head only", "The layers that follow in the same row are left out."), case.question.value(head)
    batch = case.key.analysis.batch
    if batch > 1:
        yield Diagnosis("batch ignored", f"This is the number for one sample, not for {batch}."), case.value(batch=1)


def _of_place(case: _Case) -> Found:
    """Yield the answers of the layers before and after."""
    for before, after in pairwise(case.key.layers):
        for neighbor, other, word in ((before, after, "before"), (after, before, "after")):
            if other is case.row:
                found = Diagnosis(f"layer {word}", f"This is the number of {neighbor.name}, the layer {word}.")
                yield found, case.key.answer(neighbor, case.question)


def _of_columns(case: _Case) -> Found:
    """Yield the answers of other columns of the row."""
    for name in ("params", "macs", "flops", "memory"):
        other = QUESTIONS[name]
        if other is not case.question and other.kind is case.question.kind:
            yield Diagnosis("other column", f"This is the number of {other.heading}."), other.value(case.base)
    elements = product(case.base.output_shape)
    yield Diagnosis("elements of the output", "This is the number of elements of the output."), elements


# -- the mistake that was made


def diagnose(
    answer: Answer, truth: Any, question: Question, possible: list[tuple[Diagnosis, Any]], tolerance: AnswerTolerance
) -> Diagnosis | None:
    """Return the common mistake that gives the answer, if one does."""
    number = answer.number
    if number is not None and isinstance(truth, (int, Fraction)) and number.value == 0:
        return Diagnosis("zero", "The answer is 0, but the value is not 0.")
    for diagnosis, value in possible:
        if _differs(value, truth) and question.fits(answer, value, tolerance):
            return diagnosis
    return question.kind.typo(answer, truth, tolerance, question.usual)


def _differs(value: Any, truth: Any) -> bool:
    return bool(value != truth)
