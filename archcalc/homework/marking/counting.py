"""Mistakes in counting: biases, positions, units, other columns and layers, and the recurrence of receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import product
from archcalc.dtypes import BITS
from archcalc.homework.answers.kinds import Found
from archcalc.homework.grade import Diagnosis
from archcalc.homework.marking.case import Case
from archcalc.homework.questions import QUESTIONS
from archcalc.ops.operator import Operator

BATCHES = (16, 32, 64, 128, 256)
"""Batches that training usually has."""


def of_counting(case: Case) -> Found:
    """Yield what the question's own mistakes in counting give."""
    yield from _OF_QUESTION.get(case.question.key, _of_amount)(case)
    yield from of_samples(case) if case.question.has_total else ()


def _ops(case: Case) -> list[Operator]:
    return [costs.layer.op for costs in case.base.layers]


def _of_operations(case: Case) -> Found:
    costs = case.base.costs
    yield Diagnosis("counted twice", "A multiply-add is counted as two operations."), case.amount + costs.macs
    yield Diagnosis("counted twice", "An operation is counted as two."), 2 * case.amount
    yield Diagnosis("counted once", "A multiply-add is counted as one operation."), case.amount - costs.macs
    batch = case.key.analysis.batch
    added = batch * sum(op.work().get("add", 0) for op in _ops(case) if getattr(op, "bias", False))
    yield Diagnosis("bias counted", "The additions of the bias are counted."), case.amount + added
    outputs = batch * sum(product(op.output) for op in _ops(case) if op.work().get("mac"))
    says = "The additions are counted too, without the first of each sum."
    yield Diagnosis("additions counted", says), case.amount + costs.macs - outputs
    says = "The output's positions are left out: the window is applied at each of them."
    yield Diagnosis("positions ignored", says), case.base.costs.weights
    yield Diagnosis("positions ignored", says), case.base.costs.params
    if case.key.symbols:
        return
    if costs.weights:
        says = "One filter is counted. There is one for each output channel."
        yield Diagnosis("one filter", says), Fraction(case.amount, case.base.output_shape[0])
    groups = getattr(case.base.head.layer.op, "groups", 1)
    if groups > 1:
        yield Diagnosis("groups twice", "The groups divide the channels twice."), Fraction(case.amount, groups)
    sides = case.base.output_shape[1:]
    if len(sides) > 1 and isinstance(case.amount, int) and sides[-1]:
        says = "Only one side of the output is counted."
        yield Diagnosis("one side", says), Fraction(case.amount, sides[-1])


def _of_params(case: Case) -> Found:
    shapes = [shape for op in _ops(case) for shape in op.buffers().values() if shape]
    statistics = sum(map(product, shapes))
    says = "The running statistics are counted, but they are not trained."
    yield Diagnosis("statistics counted", says), case.amount + statistics
    yield from _of_amount(case)
    if case.key.symbols:
        return
    op, costs = case.base.head.layer.op, case.base.costs
    positions = product(case.base.output_shape[1:])
    channels, inputs = case.base.output_shape[0], op.x[0]
    if costs.weights and getattr(op, "bias", False):
        says = "One bias is counted for the layer. It has one for each output channel."
        yield Diagnosis("one bias", says), costs.weights + 1
        says = "A bias is counted for each kernel slice. There is one for each output channel."
        yield Diagnosis("a bias a slice", says), costs.weights + channels * inputs
        says = "A bias is counted for each input channel. There is one for each output channel."
        yield Diagnosis("a bias an input channel", says), costs.weights + inputs
        says = "A bias is counted for each position. The positions share it."
        yield Diagnosis("a bias a position", says), costs.weights + channels * positions
    if costs.weights and positions > 1:
        says = "The weights are counted at each position. The positions share them."
        yield Diagnosis("not shared", says), case.amount * positions
    if costs.weights:
        says = "One filter is counted. There is one for each output channel."
        yield Diagnosis("one filter", says), Fraction(1, 1) * costs.weights / channels + int(bool(costs.biases))
    groups = getattr(op, "groups", 1)
    if groups > 1:
        says = "The groups divide the channels twice."
        yield Diagnosis("groups twice", says), Fraction(costs.weights, groups) + costs.biases
    kernel = op.hyperparameters().get("kernel")
    if not costs.params and isinstance(kernel, tuple):
        says = "A pooling layer has no parameters."
        for count in (prod(kernel), prod(kernel) * inputs, inputs, 2 * inputs, prod(kernel) * inputs + inputs):
            yield Diagnosis("pool with parameters", says), count
    before = _map_before(case)
    if before is not None and costs.weights and len(op.x) == 1:
        shape, word = before
        says = "The layer's input has an element for each position, not only for each channel."
        rows = (
            (shape[0], "only channels", says),
            (product(shape), "other input", f"The layer's input is taken to be the map {word}."),
        )
        for size, name, text in rows:
            yield Diagnosis(name, text), channels * size + costs.biases
            yield Diagnosis(name, text), channels * size


def _map_before(case: Case) -> tuple[Any, str] | None:
    """Return the map that a flattening layer before the row takes, for the row's mistakes."""
    network = case.key.network
    source = case.base.head.layer.inputs[0]
    while source not in network.inputs and len(network[source].op.x) == 1:
        source = network[source].inputs[0]
    if source in network.inputs or len(network[source].op.output) != 1:
        return None
    flattened = network[source].op.x
    before = network[source].inputs[0]
    return (flattened, "") if before in network.inputs else (network[before].op.x, f"before {before}")


def _of_memory(case: Case) -> Found:
    size = case.key.analysis.counting.itemsize
    says = "This is the memory of the parameters, not of the output."
    yield Diagnosis("weights instead of output", says), case.base.costs.params * size
    yield Diagnosis("elements", "These are elements, not bytes."), case.amount * Fraction(1, size)
    for dtype in ("float64", "float16"):
        says = f"A number is taken as {BITS[dtype]} bits."
        yield Diagnosis("bytes of a number", says), case.value(dtype=dtype)
    channels = case.base.output_shape[0]
    if len(case.base.output_shape) > 1 and isinstance(case.amount, int):
        yield Diagnosis("one map", "One map is counted, not one for each channel."), Fraction(case.amount, channels)
    parameters = case.base.costs.params * size
    given = sum(map(product, case.base.input_shapes)) * size * case.key.analysis.batch
    if parameters:
        yield Diagnosis("weights too", "The parameters are counted too."), case.amount + parameters
        yield Diagnosis("weights too", "The weights are counted too."), case.amount + case.base.costs.weights * size
    yield Diagnosis("input too", "The layer's input is counted too."), case.amount + given
    yield Diagnosis("gradients too", "The gradients are counted too."), 2 * case.amount
    yield Diagnosis("input instead of output", "This is the memory of the layer's input."), given


def of_conventions(case: Case) -> Found:
    """Yield what the other conventions count."""
    for name in CONVENTIONS if case.question.key in ("flops", "macs", "memory") else ():
        yield Diagnosis("other convention", f"This is the count of the convention {name}."), case.value(convention=name)


def _of_shape(case: Case) -> Found:
    shape = case.base.output_shape
    if len(shape) > 1:
        yield Diagnosis("channels missing", "The channels are missing."), tuple(shape[1:])
        yield Diagnosis("channels missing", "The channels are missing."), (shape[1],)
        yield Diagnosis("one side", "One side is missing."), shape[:2] if len(shape) > 2 else None
        says = "This is the number of elements, not the shape."
        yield Diagnosis("elements for a shape", says), (product(shape),)
    if len(shape) > 2:
        says = "The sizes are in another order than in the rest of the sheet."
        yield Diagnosis("other order", says), (*shape[1:], shape[0])
        yield Diagnosis("other order", says), (shape[-1], *shape[:-1])
    given = case.base.input_shapes
    if shape[1:] != given[0][1:] and shape[0] == given[0][0] and not case.base.costs.params:
        says = "The channels are changed. The layer keeps them."
        strides = case.base.head.layer.op.hyperparameters().get("stride") or (2,)
        for channels in (shape[0] // strides[0], shape[0] // prod(strides), 1, 2 * shape[0]):
            yield Diagnosis("channels changed", says), (channels, *shape[1:])
    if len(given) > 1 and len(shape) == 3 and all(len(each) == 3 for each in given):
        says = "The wrong sizes are added where inputs are joined."
        yield Diagnosis("joined sizes", says), (given[0][0], *(sum(each[axis] for each in given) for axis in (1, 2)))
    says = "This is the shape of the layer's input."
    yield Diagnosis("input instead of output", says), tuple(case.base.input_shapes[0])


def _of_connections(case: Case) -> Found:
    says = "Connections to padding are left out."
    yield Diagnosis("padding left out", says), QUESTIONS["connections_inside"].value(case.base)
    yield from _of_amount(case)


def _of_amount(case: Case) -> Found:
    if case.question.has_total:
        yield Diagnosis("counted twice", "Everything is counted twice."), 2 * case.amount


def _of_field(case: Case) -> Found:
    """Yield what mistakes in the recurrence R' = R + (K − 1)·J give, along a chain of layers."""
    windows = _windows(case)
    if not windows:
        return
    kernels = [kernel for kernel, _, _ in windows]
    without_pools = [window for window in windows if not window[2]]
    mistakes = (
        ("sum of kernels", "The kernels are added. Each adds K − 1 of the strides before it.", sum(kernels)),
        ("strides ignored", "The strides before a layer are left out.", 1 + sum(kernel - 1 for kernel in kernels)),
        (
            "own stride",
            "The layer's own stride is counted. Only those before it widen its field.",
            _field(windows, own=True),
        ),
        ("kernel for its steps", "K is taken for K − 1.", _field(windows, steps=0)),
        ("pools ignored", "Pooling is left out.", _field(without_pools)),
        ("last kernel", "This is the kernel of the layer.", kernels[-1]),
        ("product of kernels", "The kernels are multiplied.", prod(kernels)),
        ("area", "This is the area of the field, not its side.", _field(windows) ** 2),
        (
            "kernel added",
            "K is added. A layer adds K − 1 of the strides before it.",
            _field(windows[:-1]) + kernels[-1],
        ),
        (
            "kernels of convolutions",
            "The kernels of the convolutions are multiplied.",
            prod(kernel for kernel, _, _ in without_pools),
        ),
    )
    for name, says, value in mistakes:
        yield Diagnosis(name, says), (value,) * 2


def _windows(case: Case) -> list[tuple[int, int, bool]]:
    """Return kernel, stride and whether it is a pool, of the layers up to a row; empty if they are not a chain."""
    found: list[tuple[int, int, bool]] = []
    before: str | None = None
    for layer in case.key.network.layers:
        if before is not None and layer.inputs != (before,):
            return []
        before = layer.name
        given = layer.op.hyperparameters()
        kernel, stride = given.get("kernel"), given.get("stride")
        if isinstance(kernel, tuple) and isinstance(stride, tuple) and len(set(kernel)) == len(set(stride)) == 1:
            if not all(isinstance(size, int) for size in (*kernel, *stride)):
                return []
            found.append((kernel[0], stride[0], layer.op.category == "pooling"))
        if layer.name == case.row.head.name:
            return found
    return []


def _field(windows: Sequence[tuple[int, int, bool]], own: bool = False, steps: int = 1) -> int:
    """Return the field of a chain, with the strides before each layer, or with its own too."""
    size = jump = 1
    for kernel, stride, _ in windows:
        size += (kernel - steps) * (jump * stride if own else jump)
        jump *= stride
    return size


def of_samples(case: Case) -> Found:
    """Yield the answers for a part of the row, or of the batch."""
    if len(case.base.layers) > 1 and not case.base.of_group:
        head = TableRow(case.base.name, case.base.layers[:1])
        yield Diagnosis("head only", "The layers that follow in the same row are left out."), case.question.value(head)
    batch = case.key.analysis.batch
    if batch > 1:
        yield Diagnosis("batch ignored", f"This is the number for one sample, not for {batch}."), case.value(batch=1)
    elif case.question.key in ("flops", "macs", "memory") and not case.key.symbols:
        for batch in BATCHES:
            says = f"This is the number for a batch of {batch}. It is asked for one sample."
            yield Diagnosis("batch counted", says), batch * case.amount


def of_place(case: Case) -> Found:
    """Yield the answers of the layers before and after."""
    layers = case.key.layers
    place = case.key.places.get(case.row.name)
    for neighbor, word in ((place - 1, "before"), (place + 1, "after")) if place is not None else ():
        if 0 <= neighbor < len(layers):
            name = layers[neighbor].name
            found = Diagnosis(f"layer {word}", f"This is the number of {name}, the layer {word}.")
            yield found, case.key.answer(layers[neighbor], case.question)


def of_columns(case: Case) -> Found:
    """Yield the answers of other columns of the row."""
    for name in ("params", "macs", "flops", "memory"):
        other = QUESTIONS[name]
        if other is not case.question and (other.kind is case.question.kind or other in case.key.questions):
            yield Diagnosis("other column", f"This is the number of {other.heading}."), other.value(case.base)
    elements = product(case.base.output_shape)
    yield Diagnosis("elements of the output", "This is the number of elements of the output."), elements


def of_total(case: Case) -> Found:
    """Yield totals in which a row is left out, or counted twice."""
    for row in case.key.layers if case.row.name == "total" else ():
        part = case.key.answer(row, case.question)
        if part:
            yield Diagnosis("row left out", "The number of a row is missing in the sum."), case.amount - part
            yield Diagnosis("row twice", "The number of a row is twice in the sum."), case.amount + part


_OF_QUESTION: dict[str, Callable[[Case], Found]] = {
    "flops": _of_operations,
    "macs": _of_operations,
    "params": _of_params,
    "memory": _of_memory,
    "connections": _of_connections,
    "output": _of_shape,
    "rf": _of_field,
}
"""Mistakes in counting, by question."""
