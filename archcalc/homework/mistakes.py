"""The usual mistakes: what each would give, computed by the rules themselves, and what to say of it.

No number stands here. A mistake is a change of an operator's declared arguments, of its inputs or of its output, with
which archcalc's own rules are run again; or another way of counting; or a slip in units or digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.counting import ITEM_SIZES
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape, product
from archcalc.homework.answers import Amount, Answer, WrittenSizes
from archcalc.homework.grade import Diagnosis
from archcalc.homework.key import AnswerKey
from archcalc.homework.numbers import AnswerTolerance, WrittenNumber, is_cut
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.rerun import Change, rerun
from archcalc.ops.operator import Operator


class RoundedUp(int):
    """A whole number whose divisions round up where they should round down, and the other way round."""

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
    """An argument with another value, where the operator declares it and has it otherwise."""

    def change(op: Operator) -> Operator | None:
        if name not in op.arguments:
            return None
        other = _again(op, **{name: value})
        return None if getattr(other, name) == getattr(op, name) else other

    return change


def keeping_output(change: Change) -> Change:
    """A change of what is counted, not of the output."""

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
    """Padding before the first element only."""
    padding = getattr(op, "padding", None)
    if "padding" not in op.arguments or not padding or not all(isinstance(one, tuple) for one in padding):
        return None
    return _again(op, padding=[[before, 0] for before, _ in padding]) if any(map(any, padding)) else None


def _without_the_one(op: Operator) -> Operator | None:
    """The number of a window's steps instead of its positions."""
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
    """A usual mistake in the use of a rule."""

    name: str
    says: str
    change: Change


MISTAKES = (
    Mistake("bias forgotten", "The biases are left out: one per output channel.", instead("bias", False)),
    Mistake("bias added", "Biases are counted, and this layer has none.", instead("bias", True)),
    Mistake("padding ignored", "The padding is left out.", instead("padding", 0)),
    Mistake("stride ignored", "The stride is left out.", instead("stride", 1)),
    Mistake("floor and ceil", "The quotient is rounded the wrong way.", _rounded_the_other_way),
    Mistake("one forgotten", "The + 1 at the end is left out: positions are one more than steps.", _without_the_one),
    Mistake("padding once", "The padding is added on one side only; it stands on both.", _padding_once),
    Mistake("dilation ignored", "The dilation is left out.", instead("dilation", 1)),
    Mistake(
        "groups ignored", "The groups are left out: a filter sees the channels of its group only.", instead("groups", 1)
    ),
    Mistake("input channels", "The input's channels stand where the output's belong.", _input_channels),
    Mistake("output channels", "The output's channels stand where the input's belong.", _output_channels),
    Mistake("input size", "The input's height and width stand where the output's belong.", _input_size),
    Mistake("kernel once", "The kernel is taken once; a window has height times width.", _kernel_once),
    Mistake("one channel", "A filter is counted for one input channel; it has a window for each.", _one_input_channel),
)


@dataclass(frozen=True)
class _Case:
    """A question of a row that is fed with these shapes, where they are not what it is truly fed with."""

    key: AnswerKey
    row: TableRow
    question: Question
    shapes: Mapping[str, Shape]
    base: TableRow
    """The row on these shapes, without a mistake."""

    @property
    def amount(self) -> Any:
        """What is right for these shapes."""
        return self.question.value(self.base)

    def value(self, change: Change | None = None, **counting: Any) -> Any:
        """What would come out with a mistake, or counted in another way; None where that cannot be."""
        analysis = self.key.analysis
        again = rerun(analysis, self.row, self.shapes, change, counting=replace(analysis.counting, **counting))
        return None if again is None else self.question.value(again)


Found = Iterator[tuple[Diagnosis, Any]]
"""Mistakes with what they would give."""


def candidates(
    key: AnswerKey, row: TableRow, question: Question, shapes: Mapping[str, Shape]
) -> list[tuple[Diagnosis, Any]]:
    """What the usual mistakes would give for a row that is fed with these shapes, the likeliest first."""
    base = rerun(key.analysis, row, shapes) if shapes else row
    if base is None:
        return []
    case = _Case(key, row, question, shapes, base)
    found = [
        *_of_rules(case),
        *_OF_COUNTING.get(question.key, _nothing)(case),
        *(_of_samples(case) if question.has_total else ()),
        *_OF_UNITS.get(question.sort, _nothing)(case),
        *_of_place(case),
        *(_of_columns(case) if question.has_total else ()),
    ]
    return [(diagnosis, value) for diagnosis, value in found if value is not None]


def _nothing(case: _Case) -> Found:
    return iter(())


def _of_rules(case: _Case) -> Found:
    """The operator's own rules with a mistake in them; a receptive field is not of one layer's making."""
    for mistake in MISTAKES if case.question.sort != "field" else ():
        yield Diagnosis(mistake.name, mistake.says), case.value(mistake.change)


def _of_operations(case: _Case) -> Found:
    costs = case.base.costs
    yield Diagnosis("counted twice", "A multiply-add is counted as two operations."), case.amount + costs.macs
    yield Diagnosis("counted once", "A multiply-add is counted as one operation."), case.amount - costs.macs
    ops = [one.layer.op for one in case.base.layers]
    added = case.key.analysis.batch * sum(op.work().get("add", 0) for op in ops if getattr(op, "bias", False))
    yield Diagnosis("bias counted", "The additions of the bias are counted."), case.amount + added
    yield from _of_conventions(case)


def _of_params(case: _Case) -> Found:
    shapes = [shape for one in case.base.layers for shape in one.layer.op.buffers().values() if shape]
    statistics = sum(map(product, shapes))
    yield Diagnosis("statistics counted", "Running statistics are not trained."), case.amount + statistics


def _of_memory(case: _Case) -> Found:
    size = case.key.analysis.counting.itemsize
    says = "This is the memory of the parameters, not of the output."
    yield Diagnosis("weights instead of output", says), case.base.costs.params * size
    yield Diagnosis("elements", "These are elements, not bytes."), case.amount * Fraction(1, size)
    for dtype in ("float64", "float16"):
        says = f"A number is taken to have {8 * ITEM_SIZES[dtype]} bits."
        yield Diagnosis("bytes of a number", says), case.value(dtype=dtype)
    yield from _of_conventions(case)


def _of_conventions(case: _Case) -> Found:
    for name in CONVENTIONS:
        yield Diagnosis("other convention", f"This is what the convention {name} counts."), case.value(convention=name)


_OF_COUNTING: dict[str, Callable[[_Case], Found]] = {
    "flops": _of_operations,
    "macs": _of_operations,
    "params": _of_params,
    "memory": _of_memory,
}
"""Other ways of counting the same, by question."""


def _of_samples(case: _Case) -> Found:
    """A part of the row, or of the batch."""
    if len(case.base.layers) > 1 and not case.base.of_group:
        head = TableRow(case.base.name, case.base.layers[:1])
        yield Diagnosis("head only", "What follows the layer in its row is left out."), case.question.value(head)
    batch = case.key.analysis.batch
    if batch > 1:
        yield Diagnosis("batch ignored", f"It is that of one sample, not of {batch}."), case.value(batch=1)


def _of_thousands(case: _Case) -> Found:
    for power in (1, 2, 3):
        found = Diagnosis("unit", f"It is off by a factor of {1000**power:,}: look at the unit.")
        yield found, case.amount * 1000**power
        yield found, case.amount * Fraction(1, 1000**power)


def _of_bytes(case: _Case) -> Found:
    """Units lost or found; a KB of 1000 bytes is looked for with the unit that was written."""
    found = Diagnosis("unit", "The unit is another: look at the heading and at what you wrote.")
    for size in (1024, 1000, 1024**2, 1000**2):
        yield found, case.amount * size
        yield found, case.amount * Fraction(1, size)
    yield Diagnosis("bits", "These are bits, not bytes."), case.amount * 8


_OF_UNITS: dict[str, Callable[[_Case], Found]] = {"count": _of_thousands, "bytes": _of_bytes}
"""Slips in units, by sort of question."""


def _of_place(case: _Case) -> Found:
    """The number of a neighbour."""
    for before, after in pairwise(case.key.layers):
        for one, other, word in ((before, after, "before"), (after, before, "after")):
            if other is case.row:
                found = Diagnosis(f"layer {word}", f"This is the number of {one.name}, the layer {word}.")
                yield found, case.key.answer(one, case.question)


def _of_columns(case: _Case) -> Found:
    """The number of another column of the same row."""
    for name in ("params", "macs", "flops", "memory"):
        other = QUESTIONS[name]
        if other is not case.question and other.sort == case.question.sort:
            yield Diagnosis("other column", f"This is the number of {other.heading}."), other.value(case.base)
    elements = product(case.base.output_shape)
    yield Diagnosis("elements of the output", "These are the elements of the output."), elements


# -- which of them was made


def diagnose(
    answer: Answer, truth: Any, question: Question, possible: list[tuple[Diagnosis, Any]], tolerance: AnswerTolerance
) -> Diagnosis | None:
    """The mistake that gives what was written, if a usual one does."""
    number = answer.number if isinstance(answer, Amount) else None
    if number is not None and isinstance(truth, (int, Fraction)) and number.value == 0:
        return Diagnosis("nought", "A nought is written, and it is not nothing.")
    for diagnosis, value in possible:
        if _differs(value, truth) and answer.fits(value, question, tolerance):
            return diagnosis
    if isinstance(answer, WrittenSizes):
        return _of_sizes(answer, truth)
    if number is None or not isinstance(truth, (int, Fraction)):
        return None
    return _of_digits(number, truth, answer, tolerance, question)


def _differs(value: Any, truth: Any) -> bool:
    return bool(value != truth)


def _of_digits(
    number: WrittenNumber, truth: int | Fraction, answer: Amount, tolerance: AnswerTolerance, question: Question
) -> Diagnosis | None:
    if is_cut(truth, number):
        return Diagnosis("cut off", "The digits are cut off, not rounded.")
    if question.sort == "bytes" and answer.unit.power:
        for power in range(1, answer.unit.power + 1):
            if tolerance.accepts(number, truth * Fraction(1024, 1000) ** power, question.usual):
                return Diagnosis("KB = 1000", "A KB is taken to have 1000 bytes; here it has 1024.")
            if tolerance.accepts(number, truth * Fraction(1000, 1024) ** power, question.usual):
                return Diagnosis("KB = 1024", "A kB is taken to have 1024 bytes; here it has 1000.")
    if rounded_more(number, truth):
        return Diagnosis("rounded", "It is rounded, and its noughts say that it is exact: write a unit, as in 73M.")
    rounded = (2 * truth + number.place) // (2 * number.place)
    if transposed(number.digits, str(rounded)):
        return Diagnosis("transposed digits", "Two digits that stand beside each other are swapped.")
    return None


def rounded_more(number: WrittenNumber, truth: int | Fraction) -> bool:
    """Whether the number is right if its last noughts are no digits."""
    noughts = len(number.digits) - len(number.digits.rstrip("0"))
    coarse = WrittenNumber(number.value, number.place * 10**noughts, number.digits)
    return noughts > 0 and 2 * abs(coarse.value - truth) <= coarse.place


def transposed(written: str, right: str) -> bool:
    """Whether two neighbouring digits are swapped."""
    if len(written) != len(right) or written == right:
        return False
    at = next(at for at, (one, other) in enumerate(zip(written, right, strict=True)) if one != other)
    return written[at : at + 2] == right[at : at + 2][::-1] and written[at + 2 :] == right[at + 2 :]


def _of_sizes(answer: WrittenSizes, truth: Any) -> Diagnosis | None:
    truth = truth if isinstance(truth, tuple) else (truth,)
    shape = answer.as_shape(truth)
    if shape is None or not all(isinstance(size, int) for size in (*shape, *truth)):
        return None
    wrong = [(one, other) for one, other in zip(shape, truth, strict=True) if one != other]
    if wrong and all(transposed(str(one), str(other)) for one, other in wrong):
        return Diagnosis("transposed digits", "Two digits that stand beside each other are swapped.")
    return None
