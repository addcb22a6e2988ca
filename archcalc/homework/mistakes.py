"""The usual mistakes: what each would give, computed by the rules themselves, and what to say of it.

No number stands here. A mistake is a change of an operator's declared arguments, of its inputs or of its output, with
which archcalc's own rules are run again; or another way of counting; or a slip in units or digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.costs import ITEM_SIZES
from archcalc.arithmetic import Shape, product
from archcalc.homework.answers import Amount, Answer, Sizes
from archcalc.homework.grade import Diagnosis
from archcalc.homework.key import AnswerKey
from archcalc.homework.numbers import Number, Tolerance, is_cut
from archcalc.homework.questions import QUESTIONS, Question
from archcalc.homework.rerun import Change, rerun
from archcalc.ops.operator import Operator
from archcalc.render.rows import Row


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
        if other is not None:
            other.output = op.output
        return other

    return changed


def _rounded_the_other_way(op: Operator) -> Operator | None:
    if not all(isinstance(size, int) for shape in op.inputs for size in shape):
        return None
    inputs = tuple((shape[0], *map(RoundedUp, shape[1:])) for shape in op.inputs)
    other = type(op)(inputs, **op.given)
    other.inputs, other.output = op.inputs, tuple(map(int, other.output))
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
    other = _again(op)
    other.output = (op.output[0], *(size - 1 for size in op.output[1:]))
    return other


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
    other = _again(op)
    other.output = (channels, *before)
    return other


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


def candidates(
    key: AnswerKey, row: Row, question: Question, shapes: Mapping[str, Shape]
) -> list[tuple[Diagnosis, Any]]:
    """What the usual mistakes would give for a row that is fed with these shapes, the likeliest first."""
    base = rerun(key.analysis, row, shapes) if shapes else row
    if base is None:
        return []
    found = [*_of_rules(key, row, question, shapes), *_of_counting(key, row, question, shapes)]
    if question.has_total:
        found += _of_units(key, question, question.value(base))
    found += [*_of_place(key, row, question), *_of_columns(key, base, question)]
    return [(diagnosis, value) for diagnosis, value in found if value is not None]


def _of_rules(
    key: AnswerKey, row: Row, question: Question, shapes: Mapping[str, Shape]
) -> Iterator[tuple[Diagnosis, Any]]:
    for mistake in MISTAKES:
        other = rerun(key.analysis, row, shapes, mistake.change)
        if other is not None and question.sort != "field":
            yield Diagnosis(mistake.name, mistake.says), question.value(other)


def _of_counting(
    key: AnswerKey, row: Row, question: Question, shapes: Mapping[str, Shape]
) -> Iterator[tuple[Diagnosis, Any]]:
    """Another way of counting the same."""
    if not question.has_total:
        return
    base = rerun(key.analysis, row, shapes) if shapes else row
    if base is None:
        return
    costs, batch = base.costs, key.analysis.batch
    amount = question.value(base)
    if question.key in ("flops", "macs"):
        yield Diagnosis("counted twice", "A multiply-add is counted as two operations."), amount + costs.macs
        yield Diagnosis("counted once", "A multiply-add is counted as one operation."), amount - costs.macs
        added = [one.layer.op.work().get("add", 0) for one in base.layers if getattr(one.layer.op, "bias", False)]
        yield Diagnosis("bias counted", "The additions of the bias are counted."), amount + batch * sum(added)
    if question.key == "params":
        shapes_of = [shape for one in base.layers for shape in one.layer.op.buffers().values() if shape]
        yield (
            Diagnosis("statistics counted", "Running statistics are not trained."),
            amount + sum(map(product, shapes_of)),
        )
    if question.key == "memory":
        yield (
            Diagnosis("weights instead of output", "This is the memory of the parameters, not of the output."),
            (costs.params * ITEM_SIZES[key.analysis.dtype]),
        )
        says = "These are elements, not bytes." if ITEM_SIZES[key.analysis.dtype] > 1 else ""
        yield Diagnosis("elements", says), Fraction(1, ITEM_SIZES[key.analysis.dtype]) * amount
        for dtype in ("float64", "float16"):
            bits = 8 * ITEM_SIZES[dtype]
            other = rerun(key.analysis, row, shapes, dtype=dtype)
            yield (
                Diagnosis("bytes of a number", f"A number is taken to have {bits} bits."),
                other and question.value(other),
            )
    if len(row.layers) > 1 and not row.of_group:
        head = Row(base.name, base.layers[:1])
        yield Diagnosis("head only", "What follows the layer in its row is left out."), question.value(head)
    if batch > 1:
        single = rerun(key.analysis, row, shapes, batch=1)
        yield (
            Diagnosis("batch ignored", f"It is that of one sample, not of {batch}."),
            single and question.value(single),
        )
    if question.key in ("flops", "memory"):
        for name in CONVENTIONS:
            other = rerun(key.analysis, row, shapes, convention=name)
            yield (
                Diagnosis("other convention", f"This is what the convention {name} counts."),
                other and question.value(other),
            )


def _of_units(key: AnswerKey, question: Question, amount: Any) -> Iterator[tuple[Diagnosis, Any]]:
    """Thousands that were lost or found; KB of 1000 bytes are looked for with the unit that was written."""
    if question.sort == "bytes":
        for power in (1, 2):
            for size in (1024, 1000):
                factor = Fraction(size) ** power
                yield (
                    Diagnosis("unit", "The unit is another: look at the heading and at what you wrote."),
                    amount * factor,
                )
                yield (
                    Diagnosis("unit", "The unit is another: look at the heading and at what you wrote."),
                    amount / factor,
                )
        yield Diagnosis("bits", "These are bits, not bytes."), amount * 8
        return
    for power in (3, 6, 9):
        says = f"It is off by a factor of {1000 ** (power // 3):,}: look at the unit."
        yield Diagnosis("unit", says), amount * 10**power
        yield Diagnosis("unit", says), amount * Fraction(1, 10**power)


def _of_place(key: AnswerKey, row: Row, question: Question) -> Iterator[tuple[Diagnosis, Any]]:
    """The number of a neighbour."""
    for before, after in pairwise(key.layers):
        for one, other, word in ((before, after, "before"), (after, before, "after")):
            if other is row:
                name = f"layer {word}"
                yield Diagnosis(name, f"This is the number of {one.name}, the layer {word}."), key.answer(one, question)


def _of_columns(key: AnswerKey, row: Row, question: Question) -> Iterator[tuple[Diagnosis, Any]]:
    """The number of another column of the same row."""
    if question.has_total:
        for other in ("params", "macs", "flops", "memory"):
            if other != question.key and QUESTIONS[other].sort == question.sort:
                heading = QUESTIONS[other].heading
                yield Diagnosis("other column", f"This is the number of {heading}."), QUESTIONS[other].value(row)
        yield Diagnosis("elements of the output", "These are the elements of the output."), product(row.output_shape)


# -- which of them was made


def diagnose(
    answer: Answer, truth: Any, question: Question, possible: list[tuple[Diagnosis, Any]], tolerance: Tolerance
) -> Diagnosis | None:
    """The mistake that gives what was written, if a usual one does."""
    number = answer.number if isinstance(answer, Amount) else None
    if number is not None and isinstance(truth, (int, Fraction)) and number.value == 0:
        return Diagnosis("nought", "A nought is written, and it is not nothing.")
    for diagnosis, value in possible:
        if _differs(value, truth) and answer.fits(value, question, tolerance):
            return diagnosis
    if isinstance(answer, Sizes):
        return _of_sizes(answer, truth)
    if number is None or not isinstance(truth, (int, Fraction)):
        return None
    return _of_digits(number, truth, answer, tolerance, question)


def _differs(value: Any, truth: Any) -> bool:
    return bool(value != truth)


def _of_digits(
    number: Number, truth: int | Fraction, answer: Amount, tolerance: Tolerance, question: Question
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


def rounded_more(number: Number, truth: int | Fraction) -> bool:
    """Whether the number is right if its last noughts are no digits."""
    noughts = len(number.digits) - len(number.digits.rstrip("0"))
    coarse = Number(number.value, number.place * 10**noughts, number.digits)
    return noughts > 0 and 2 * abs(coarse.value - truth) <= coarse.place


def transposed(written: str, right: str) -> bool:
    """Whether two neighbouring digits are swapped."""
    if len(written) != len(right) or written == right:
        return False
    at = next(at for at, (one, other) in enumerate(zip(written, right, strict=True)) if one != other)
    return written[at : at + 2] == right[at : at + 2][::-1] and written[at + 2 :] == right[at + 2 :]


def _of_sizes(answer: Sizes, truth: Any) -> Diagnosis | None:
    truth = truth if isinstance(truth, tuple) else (truth,)
    shape = answer.as_shape(truth)
    if shape is None or not all(isinstance(size, int) for size in (*shape, *truth)):
        return None
    wrong = [(one, other) for one, other in zip(shape, truth, strict=True) if one != other]
    if wrong and all(transposed(str(one), str(other)) for one, other in wrong):
        return Diagnosis("transposed digits", "Two digits that stand beside each other are swapped.")
    return None
