"""The steps that PyTorch takes for circular padding and for standardized filters, on a tape."""

from collections.abc import Sequence

from archcalc.arithmetic import Dim, Shape, product
from archcalc.ops.tape.tape import Tape
from archcalc.ops.tape.tensors import Gradients, TapeTensor, last


def circular(tape: Tape, x: TapeTensor, shape: Shape, amounts: Sequence[tuple[Dim, Dim]]) -> TapeTensor:
    """Return a tensor `[batch, C, …]` with padding: the input and then each side are copied into a new tensor.

    Autograd gives every copy into a part its own copy of the gradient (`CopySlices`).
    """
    sizes = [n + before + after for n, (before, after) in zip(shape[2:], amounts, strict=True)]
    around = shape[0] * shape[1]
    elements = around * product(sizes)
    padded = tape.new(elements)
    inside = x
    for _ in amounts:
        inside = tape.view(inside, inside.elements)
    _copy_into(tape, padded, inside)
    del inside
    for size, pair in reversed(list(zip(sizes, amounts, strict=True))):
        for amount in pair:
            if amount > 0:
                _copy_into(tape, padded, tape.view(padded, elements // size * amount))
    return padded


def _copy_into(tape: Tape, whole: TapeTensor, part: TapeTensor) -> None:
    """Copy a tensor into a part of another."""
    sizes = (whole.elements, part.elements)

    def rule(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        rest, copied = map(tape.new, sizes)
        if wanted[0]:
            tape.new(sizes[1])  # zeros, which are freed at once
        return [rest, copied]

    tape.step([whole, part], [whole], rule)


def standardized(tape: Tape, weight: TapeTensor, filters: Dim) -> tuple[TapeTensor, list[TapeTensor]]:
    """Return the filters with mean 0 and variance 1, and what lives until the convolution has run."""
    elements = weight.elements
    own = tape.view(weight)
    spread, middle = tape.new(filters), tape.new(filters)

    def of_both(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        mean, centered, factor = tape.new(filters), tape.new(elements), tape.new(filters)
        of_spread = last([mean, centered, factor, tape.new(elements)])
        del mean, centered, factor
        of_middle = tape.new(elements)
        del of_middle
        return [of_spread]

    tape.step([own], [spread, middle], of_both, [own])
    centered = tape.new(elements)

    def of_difference(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        negative = tape.new(elements)
        return [given[0], last([negative, tape.new(filters)])]

    tape.step([own, middle], [centered], of_difference)
    shifted = tape.new(filters)
    tape.step([spread], [shifted], lambda given, _: [given[0]])
    factor = tape.new(filters)

    def of_root(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        power, half = tape.new(filters), tape.new(filters)
        return [last([power, half, tape.new(filters)])]

    tape.step([shifted], [factor], of_root, [factor])
    del shifted
    scaled = tape.new(elements)

    def of_product(given: Gradients, wanted: Sequence[bool]) -> Gradients:
        of_centered, repeated = tape.new(elements), tape.new(elements)
        return [of_centered, last([repeated, tape.new(filters)])]

    tape.step([centered, factor], [scaled], of_product, [centered, factor])
    return tape.view(scaled), [own, spread, middle]


def in_own_order(tape: Tape, weight: TapeTensor) -> TapeTensor:
    """Return the filters, whose gradient is channels last and is copied into their order."""
    made, elements = TapeTensor(weight.storage, weight.elements), weight.elements
    tape.step([weight], [made], lambda given, _: [tape.new(elements)])
    return made


def convolution(tape: Tape, x: TapeTensor, weight: TapeTensor, bias: TapeTensor | None, elements: Dim) -> TapeTensor:
    """Return a convolution; autograd saves its input and its filters."""
    made = tape.new(elements)
    inputs = [x, weight, *([bias] if bias is not None else ())]
    sizes = [value.elements for value in inputs]
    tape.step(inputs, [made], lambda _, wanted: tape.each_new(sizes, wanted), [x, weight])
    return made
