"""The steps of a convolution whose filters are computed, on a tape (`archcalc.runtime.modules.plain.DynamicConv`)."""

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arithmetic import Dim, Shape
from archcalc.ops.layout import Layout, Order, elementwise
from archcalc.ops.tape.layouts import remade, reshaped
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor


class Filtering(NamedTuple):
    """A convolution with filters for every sample, as its steps need it."""

    padding: Sequence[tuple[Dim, Dim]]
    output: Shape
    """With the batch."""
    bias: bool
    trained: bool


def dynamic_convolution(tape: Tape, inputs: Sequence[TapeTensor], op: Filtering) -> TapeTensor:
    """Run the module: the samples' channels are those of one sample, in groups."""
    samples, channels, *sizes = op.output
    x, filters = inputs
    every = _of_one_sample(tape, _padded(tape, x, op.padding))
    biases = [_repeated(tape, tape.weight(channels, op.trained), samples)] if op.bias else []
    own = _of_one_sample(tape, filters)
    made = tape.tensor(Layout.in_order((samples * channels, *sizes)))
    shapes = (every.layout.sizes, own.layout.sizes)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        of_x, *others = wanted
        found = [tape.tensor(Layout.in_order(shapes[0])) if of_x else None]
        # The kernel computes the gradients of filters and biases together.
        found.append(tape.tensor(Layout.in_order(shapes[1])) if any(others) else None)
        return [*found, *(tape.new(samples * channels) if is_wanted else None for is_wanted in others[1:])]

    tape.step([every, own, *biases], [made], rule, [every, own])
    del every, own, biases
    return reshaped(tape, made, op.output)


def _padded(tape: Tape, x: TapeTensor, padding: Sequence[tuple[Dim, Dim]]) -> TapeTensor:
    """Return the input with zeros around it, which is a copy even if none are added."""
    before = x.layout.sizes
    sizes = (*before[:2], *(n + sum(pair) for n, pair in zip(before[2:], padding, strict=True)))
    layout = Order.IMAGE.of([x.layout], sizes) if any(map(any, padding)) else elementwise([x.layout])
    return remade(tape, x, layout)


def _of_one_sample(tape: Tape, x: TapeTensor) -> TapeTensor:
    samples, channels, *sizes = x.layout.sizes
    return reshaped(tape, x, (samples * channels, *sizes))


def _repeated(tape: Tape, bias: TapeTensor, count: Dim) -> TapeTensor:
    return tape.compute(bias, bias.elements * count)
