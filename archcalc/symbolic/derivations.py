"""Derivations: an operator's rule run over traced numbers, written as on a blackboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import lcm
from typing import Any

from archcalc.analysis.conventions import Convention
from archcalc.analysis.counting import DEFAULT, Counting
from archcalc.arithmetic import ShapeError, product
from archcalc.errors import RefusedCall, UserError
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops.naming import AxisNames
from archcalc.ops.operator import Operator
from archcalc.ops.reads import Reads
from archcalc.receptive.fields import FieldPropagation
from archcalc.receptive.parts import Field, Part, join, seen_at
from archcalc.receptive.propagation import FieldState
from archcalc.structs import Struct
from archcalc.symbolic.symbolic_layer import (
    INPUT_PLACE,
    ITEMSIZE,
    OTHER_PLACE,
    OUTPUT_PLACE,
    SAMPLES,
    CallAxes,
    Line,
    Meaning,
    SymbolicLayer,
    worked_out,
)
from archcalc.symbolic.terms import NumberTerm, Quotient, SymbolTerm, Term, steps
from archcalc.symbolic.traced import Guard, Trace, Undecided, polynomial_of
from archcalc.words import in_one_line, nearest_or_all, quote

DERIVED = ("output", "memory", "params", "macs", "flops", "rf")
Ties = tuple[tuple[str, WeightRef], ...]
"""The tied weights of a layer, and the tensors that they are."""


class Explanation(Struct):
    """The derivation of one quantity of one layer."""

    layer: str
    quantity: str
    heading: str
    lines: tuple[Line, ...]


def explain(
    network: Network,
    name: str,
    quantities: Sequence[str] = DERIVED,
    counting: Counting = DEFAULT,
    *,
    propagation: FieldPropagation | None = None,
) -> list[Explanation]:
    """Return the derivations of a layer's quantities, in the order asked.

    Args:
        network: the network of the layer.
        name: full name of the layer.
        quantities: keys out of `DERIVED`.
        counting: batch, dtype and convention; counts are for the whole batch, memory is in bytes.
        propagation: receptive fields of the network, to reuse for many layers.

    Raises:
        UnknownLayer: for an unknown layer.
        UserError: for an unknown quantity.
    """
    layer = network[name]
    found = []
    for quantity in quantities:
        if quantity not in DERIVED:
            raise UserError(f"unknown quantity {quote(quantity)}{nearest_or_all(quantity, DERIVED)}")
        if quantity == "rf":
            heading, lines = _receptive(propagation or FieldPropagation(network), layer)
        else:
            axes = CallAxes(tuple(network.axes[source] for source in layer.inputs), network.axes[name])
            ties = tuple(layer.ties.items())
            heading, lines = _derived(layer.op, axes, layer.shares, ties, quantity, counting)
        found.append(Explanation(name, quantity, heading, tuple(lines)))
    return found


@lru_cache(maxsize=4096)
def _derived(
    op: Operator, axes: CallAxes, shares: str | None, ties: Ties, quantity: str, counting: Counting
) -> tuple[str, list[Line]]:
    """Return heading and lines of a derivation that depends only on the operator call and what its axes are."""
    subject = _subject_of(op, axes)
    if quantity == "output":
        return "output shape", _sizes(subject)
    subject.name_output()
    samples = subject.symbol("N", -1, counting.batch, SAMPLES) if counting.batch > 1 else 1
    if quantity == "memory":
        return _memory(op, subject, samples, counting)
    if quantity == "params":
        return _params(shares, dict(ties), subject)
    if quantity == "macs":
        return _macs(subject, samples)
    return _flops(subject, samples, counting.rule)


def _subject_of(op: Operator, axes: CallAxes | None = None) -> SymbolicLayer:
    return SymbolicLayer(type(op), op.inputs, op.given, Trace(), axes, op.output)


def meanings_of(op: Operator, inputs: tuple[AxisNames, ...], output: AxisNames) -> dict[str, Meaning]:
    """Return what each letter means in the derivations of an operator call: sizes and arguments."""
    subject = _subject_of(op, CallAxes(inputs, output))
    subject.name_output()
    made = zip(subject.output_names, subject.made, strict=True)
    return {**{letter: Meaning(name, "output") for letter, name in made}, **subject.meaning}


def _sizes(subject: SymbolicLayer) -> list[Line]:
    """Return a line for each output size; a size with the same derivation as another refers to it."""
    lines: list[Line] = []
    known: dict[tuple[Term, ...], str] = {}
    sizes = list(zip(subject.output_names, subject.derived, strict=True))
    sides = [size for size in sizes if size[0] in ("D'", "H'", "W'")]
    for name, size in (*(size for size in sizes if size not in sides), *reversed(sides)):  # the height is as the width
        line = subject.line(name, size)
        same = known.setdefault(line.terms[1:], name)
        if line.terms and isinstance(line.terms[0], SymbolTerm) and line.terms[0].name == name:
            line = Line(name, line.terms[1:])
        lines.append(Line(name, (SymbolTerm(same), line.terms[-1])) if same != name and len(line.terms) > 3 else line)
    return lines


def _memory(op: Operator, subject: SymbolicLayer, samples: Any, counting: Counting) -> tuple[str, list[Line]]:
    rule = counting.rule
    heading = f"memory of the output ({rule.name}, {counting.dtype})"
    if op.category in rule.in_place:
        return heading, [Line("memory", (NumberTerm(0),), "B", f"{op.category} works in place")]
    size = subject.symbol("B", OTHER_PLACE, counting.itemsize, ITEMSIZE)
    total = samples * subject.op.elements * size
    line = subject.line("memory", total, "B")
    in_bytes = polynomial_of(total).evaluate(subject.trace.values)
    return heading, [line, Line("memory", tuple(steps(Quotient(NumberTerm(in_bytes), NumberTerm(1024)))), "KiB")]


def _params(shares: str | None, ties: Mapping[str, WeightRef], subject: SymbolicLayer) -> tuple[str, list[Line]]:
    if shares is not None:
        return "parameters", [Line("params", (NumberTerm(0),), "", f"the weights are those of {shares}")]
    shapes = {name: shape for name, shape in subject.op.weights().items() if name not in ties}
    lines = [Line(name, (NumberTerm(0),), "", f"it is {ref}") for name, ref in ties.items()]
    if len(shapes) > 1:
        lines += [subject.line(name or "weight", product(shape)) for name, shape in shapes.items()]
    if not shapes:
        return "parameters", [*lines, Line("params", (NumberTerm(0),))]
    return "parameters", [*lines, subject.line("params", sum(map(product, shapes.values())))]


def _macs(subject: SymbolicLayer, samples: Any) -> tuple[str, list[Line]]:
    work, once = subject.op.work(), subject.op.work_per_batch()
    macs = samples * (work.get("mac", 0) + work.get("matmul", 0)) + once.get("mac", 0)
    return "multiply-adds", [subject.line("MACs", macs)]


def _flops(subject: SymbolicLayer, samples: Any, rule: Convention) -> tuple[str, list[Line]]:
    op = subject.op
    flops = samples * rule.flops(op, op.work()) + rule.flops_per_batch(op, op.work_per_batch())
    return f"{rule.name} FLOPs", [subject.line("FLOPs", flops)]


@lru_cache(maxsize=512)
def _accesses_of(op: Operator) -> tuple[SymbolicLayer, Sequence[Sequence[Any]]]:
    """Return an operator call over symbols, and how it accesses each input."""
    subject = _subject_of(op)
    subject.name_output()
    return subject, subject.op.accesses()


def _receptive(propagation: FieldPropagation, layer: Layer) -> tuple[str, list[Line]]:
    heading = "receptive field"
    field = propagation[layer.name].fields
    if not field:
        return heading, [Line("", remark="the input has no spatial dimensions")]
    dimension = max((number for number, own in enumerate(field) if own is not None), default=None)
    if dimension is None:
        return heading, [Line("R'", remark="every position sees the whole input")]
    view = propagation.views[propagation.source[layer.name]]
    inputs = [(number, view[source]) for number, source in enumerate(layer.inputs) if source in view]
    subject, accesses = _accesses_of(layer.op)
    found: Field = ()
    for number, state in inputs:
        suffix = str(number + 1) if len(inputs) > 1 else ""
        seen = _symbolic(subject, state, accesses[number], dimension, suffix)
        found = join(found, seen) if seen else found
    if not found:  # a grid says what is read
        return heading, [Line("R'", remark="every position may see the whole input")]
    own = field[dimension] or ()
    if any(part.period > 1 for part in (*found, *own)) or len(own) > 1:
        lines = _by_unit(subject, own, propagation[layer.name].size[dimension])
    else:
        [part] = found
        lines = [subject.line("R'", part.last[0] - part.first[0] + 1), subject.line("J'", part.advance)]
    if dimension in view[layer.name].whole:
        lines.append(Line("R'", remark="along the spatial path; a gate or attention sees the whole input"))
    elif None in field:
        lines.append(Line("R'", remark="along one dimension; along another every position sees the whole input"))
    return heading, lines


def _symbolic(subject: SymbolicLayer, state: FieldState, access: Sequence[Any], dimension: int, suffix: str) -> Field:
    """Return the field after an operator, in symbols for that before it; empty if the dimension is lost."""
    axis = next(
        (axis for axis, word in enumerate(state.axes) if any(digit.dimension == dimension for digit in word)), None
    )
    before = state.field(dimension)
    if before is None or axis is None:
        return ()
    if len(before) > 1 or before[0].period > 1:
        return before
    [(first,)], [(last,)] = [part.first for part in before], [part.last for part in before]
    jump = subject.symbol(f"J{suffix}", INPUT_PLACE + 8, before[0].jump, Meaning("effective stride", "input"))
    size = subject.symbol(f"R{suffix}", INPUT_PLACE + 7, last - first + 1, Meaning("receptive field size", "input"))
    start = subject.symbol(f"A{suffix}", INPUT_PLACE + 9, first, Meaning("first position seen", "input"))
    seen = Part(jump, (start,), (start + size - 1,))
    look = access[axis]
    return (seen.through(look),) if isinstance(look, Reads) else (seen,)


def _by_unit(subject: SymbolicLayer, field: Field, size: int) -> list[Line]:
    """Return the size of the unit that sees most, from the ends of what it sees."""
    period = lcm(*(part.period for part in field))
    units = ((unit, seen) for unit in range(period) if (seen := seen_at(field, unit)) is not None)
    unit, (first, last) = next((seen for seen in units if seen[1][1] - seen[1][0] + 1 == size), (0, (0, size - 1)))
    end = subject.symbol("B'", OUTPUT_PLACE + 8, last, Meaning("last position that the unit sees"))
    start = subject.symbol("A'", OUTPUT_PLACE + 9, first, Meaning("first position that the unit sees"))
    [part, *others] = field
    lines = [
        subject.line("R'", end - start + 1),
        Line("R'", remark=f"of unit {unit}, which sees most; units repeat after {period}"),
        Line("J'", tuple(steps(Quotient(NumberTerm(part.advance), NumberTerm(part.period))))),
    ]
    return [*lines, *(Line("J'", remark="paths have other strides too") for _ in others[:1])]


def explain_failure(call: RefusedCall) -> list[Explanation]:
    """Return the condition that an operator call fails, and the output sizes that the rule would give."""
    trace = Trace()
    lines: list[Line] = []
    try:
        SymbolicLayer(call.kind, call.inputs, call.given, trace)
    except ShapeError as error:
        lines.append(Line("", remark=in_one_line(str(error))))
        if trace.guards:
            lines += _failing(list(trace.guards)[-1], trace)
    try:
        subject = SymbolicLayer(call.kind, call.inputs, call.given, Undecided())
    except (TypeError, ValueError):
        return [Explanation(call.layer, "failure", "why it fails", tuple(lines))]
    found = [Explanation(call.layer, "failure", "why it fails", tuple(lines))]
    return [*found, Explanation(call.layer, "output", "output shape without this condition", tuple(_sizes(subject)))]


def _failing(guard: Guard, trace: Trace) -> list[Line]:
    """Return lines with both sides of a failed condition."""
    words = {"==": "equal", "!=": "different", ">=": "not below", "<": "below"}[guard.relation]
    sides = [worked_out(trace.number(side), trace) for side in (guard.left, guard.right)]
    return [
        Line("left", sides[0]),
        Line("right", sides[1], remark=f"the left side is {words} {'to' if guard.relation == '==' else 'the right'}"),
    ]
