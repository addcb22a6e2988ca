"""The steps of a mixture of experts, on a tape (`archcalc.runtime.modules.plain.MixtureOfExperts`)."""

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.arithmetic import Dim
from archcalc.ops.tape.layouts import reshaped
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor, last, view_of

INDEX_BYTES = 8
"""Bytes of the number of an expert."""


class Experts(NamedTuple):
    """A mixture of experts, as its steps need it."""

    width: Dim
    experts: Dim
    active: int
    features: Dim
    normalized: bool
    trained: bool


def mixture(tape: Tape, given: TapeTensor, op: Experts) -> TapeTensor:
    """Run the module: the router, then the first expert of every token, the second, and so on."""
    batch, rows, width = given.layout.sizes
    count = batch * rows
    tokens = reshaped(tape, given, (count, width))
    sizes = (op.experts, 2 * op.experts * op.features, op.experts * op.features)
    router, gate_up, down = (tape.weight(size * width, op.trained) for size in sizes)
    chances, picked = _routed(tape, tokens, router, op)
    result = tape.new(count * width)
    inside = outside = halves = made = None
    for _ in range(op.active):
        inside, outside = (
            _looked_up(tape, gate_up, picked, 2 * count * op.features * width),
            _looked_up(tape, down, picked, count * width * op.features),
        )
        column = reshaped(tape, tokens, (count, width, 1))
        halves = tape.parts(_product(tape, inside, column, 2 * count * op.features), (1, 1))
        del column
        gated = tape.multiply(tape.compute(halves[0], saves=[halves[0]]), halves[1])
        made = tape.view(_product(tape, outside, gated, count * width), count * width)
        del gated
        result = tape.add(result, _weighted(tape, chances, made, count))
    del inside, outside, halves, made
    return tape.view(result)


def _routed(tape: Tape, tokens: TapeTensor, router: TapeTensor, op: Experts) -> tuple[TapeTensor, TapeTensor]:
    """Return the chances of the largest experts of every token, and the numbers of these."""
    count = tokens.layout.sizes[0]
    every, some = count * op.experts, count * op.active
    chances = tape.compute(tape.matrix_product(tokens, router, every), saves_output=True)
    largest, picked = tape.new(some), tape.new(0, INDEX_BYTES * some)

    tape.step([chances], [largest], lambda given, _: [_added_to_zeros(tape, every)], [picked])
    del chances
    if not op.normalized:
        return largest, picked
    total = tape.new(count)
    tape.step([largest], [total], lambda given, _: [view_of(given[0], some)])
    made = tape.new(some)

    def of_quotient(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        again, twice, negative = tape.new(some), tape.new(some), tape.new(some)
        repeated = last([again, twice, negative, tape.new(some)])
        del again, twice, negative
        own = tape.new(some)
        return [own, _summed(tape, repeated, count)]

    tape.step([largest, total], [made], of_quotient, [largest, total])
    return made, picked


def _added_to_zeros(tape: Tape, elements: Dim) -> TapeTensor:
    """Return a gradient that is added to zeros, for elements that were picked."""
    zeros = tape.new(elements)
    return last([zeros, tape.new(elements)])


def _summed(tape: Tape, gradient: TapeTensor, count: Dim) -> TapeTensor:
    """Return the gradient of a number for each token, which was repeated."""
    return gradient if gradient.elements == count else tape.new(count)


def _looked_up(tape: Tape, weights: TapeTensor, picked: TapeTensor, elements: Dim) -> TapeTensor:
    """Return an expert's weights for every token; backward, zeros to which the gradients are added."""
    made, size = tape.new(elements), weights.elements
    tape.step([weights], [made], lambda given, _: [_added_to_zeros(tape, size)], [picked])
    return made


def _product(tape: Tape, matrices: TapeTensor, columns: TapeTensor, elements: Dim) -> TapeTensor:
    """Return every token's matrix times its column (`bmm`)."""
    made, of_matrices, like_columns = tape.new(elements), matrices.elements, tape.like(columns)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        second = like_columns() if wanted[1] else None
        return [tape.new(of_matrices) if wanted[0] else None, second]

    saved = [matrices if columns.edge else None, columns if matrices.edge else None]
    tape.step([matrices, columns], [made], rule, saved)
    return made


def _weighted(tape: Tape, chances: TapeTensor, given: TapeTensor, count: Dim) -> TapeTensor:
    """Return what an expert gives for every token, times its chance."""
    chance = tape.view(tape.view(chances, count))
    made, elements = tape.new(given.elements), given.elements

    def rule(gradients: Gradients, wanted: Sequence[bool]) -> Gradients:
        second = tape.new(elements) if wanted[1] else None
        return [_summed(tape, tape.new(elements), count) if wanted[0] else None, second]

    saved = [chance if given.edge else None, given if chance.edge else None]
    tape.step([chance, given], [made], rule, saved)
    return made
