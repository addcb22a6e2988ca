"""Which operator a call is: the operators' classes are asked, one after another."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from archcalc.arithmetic import ShapeError
from archcalc.ops import registry
from archcalc.ops.calls import Call, Operand, Stored, is_number
from archcalc.ops.each import Each
from archcalc.ops.imported import Generic
from archcalc.ops.operator import Operator
from archcalc.ops.written import written_arguments

WHOLE = 1e15
"""Floats below it are integers if they have no fraction."""


class Mapped(NamedTuple):
    """What a call is in archcalc."""

    op: Operator
    inputs: Sequence[Operand]
    weights: Mapping[str, Stored]
    """The operator's names of its weights and buffers to the stored tensors."""


@cache
def known(framework: str) -> Mapping[str, Sequence[type[Operator]]]:
    """Return the operators that may be each operation of a framework: `aten` or `onnx`."""
    found: dict[str, list[type[Operator]]] = defaultdict(list)
    for operator in registry().values():
        for name in operator.__dict__.get(framework, "").split():
            found[name].append(operator)
    # An operator that has weights goes first: `x * gamma` is a layer scale, not a product.
    for operators in found.values():
        operators.sort(key=lambda operator: operator.weights is Operator.weights)
    return found


def moves_elements(operation: str, framework: str) -> bool:
    """Return True for an operation that only moves elements, as all operators say that it may be."""
    operators = known(framework).get(operation, ())
    return bool(operators) and all(operator.moves_elements for operator in operators)


def operator_of(call: Call, framework: str = "aten") -> Mapped | None:
    """Return the operator that a call is, with its inputs; None if none says so.

    Its output must have the shape of the call's, and it must use every stored tensor of the call.
    """
    for operator in known(framework).get(call.operation, ()):
        try:
            if operator.needs_images:
                call.need_images()
            arguments = getattr(operator, f"from_{framework}")(call)
            if arguments is None or (call.item and arguments.get("index") != call.item):
                continue  # another output than the first is its own only if it says which
            inputs = operator.call_inputs(call)
            op = operator([operand.shape for operand in inputs], **_plain(operator, arguments))
            weights = op.call_weights(call)
        except (ShapeError, KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError):
            continue
        if op.output == call.output.shape and _fits(op, weights, call):
            return Mapped(operator(op.inputs, **written_arguments(op)), inputs, weights)
    return None


def operator_of_rows(call: Call, framework: str, macs: int) -> Mapped | None:
    """Return what a call is whose rows an operator takes one by one, such as the boxes of an image; None if none does.

    It is that operator for each row, or generic where an operator cannot be applied so.
    """
    operands = [*call.operands, call.output]
    if any(operand.batch != 0 or operand.folded != call.output.folded for operand in operands):
        return None
    rows = call.output.folded
    mapped = operator_of(call.of_one_row(), framework) if rows > 1 else None
    if mapped is None:
        return None
    inputs = [operand._replace(folded=rows) for operand in mapped.inputs]
    try:
        op: Operator = Each([operand.shape for operand in inputs], operator={mapped.op.kind: None, **mapped.op.given})
    except ShapeError:
        op = Generic(
            [operand.shape for operand in inputs],
            shape=call.output.shape,
            operation=call.operation,
            macs=macs,
            other=rows * sum(count for name, count in mapped.op.work().items() if name not in ("mac", "matmul")),
            tensors=mapped.op.weights(),
            stored=mapped.op.buffers(),
        )
    return Mapped(op, inputs, mapped.weights)


def _plain(operator: type[Operator], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as a spec would have them: 6 for 6.0, and a default as the operator writes it."""
    found = {}
    for name, value in arguments.items():
        option = operator.arguments.get(name)
        if option is not None and is_number(value) and value == option.default:
            value = option.default
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"a spec has no number {value}")
        elif isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
            value = int(value)
        found[name] = value
    return found


def _fits(op: Operator, weights: Mapping[str, Stored], call: Call) -> bool:
    """Return True if the stored tensors of a call have the shapes of the operator's own, and all are used."""
    shapes = op.weights()
    for name, shape in shapes.items():
        if name not in weights or weights[name].shape != shape or not weights[name].trained:
            return False
    return set(map(_identity, call.stored)) <= set(map(_identity, weights.values()))


def _identity(stored: Stored) -> object:
    """Return what a stored tensor is known by: its name, whatever its shape; without one, all that is known."""
    return stored.name or stored
