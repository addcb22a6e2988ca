"""Axes that hold several rows of each sample, whose order is not in their sizes.

Windows that are folded into the batch lie sample by sample: `[64·B, …]`. Where an axis of a sequence is joined with the
batch behind it, or two batches are joined, the samples are inside: `[L·B, …]`. What takes rows of such an axis apart
takes rows of each sample, which is written as a call on an axis of their own.
"""

from __future__ import annotations

from typing import Any

from archcalc.arithmetic import product
from archcalc.ops.calls import Call, Operand
from archcalc.structs import replace

RESHAPING = frozenset(["_unsafe_view", "flatten", "reshape", "reshape_as", "squeeze", "unflatten", "unsqueeze", "view"])
PARTING = frozenset(["chunk", "slice", "split", "split_with_sizes"])


def is_inner(call: Call) -> bool:
    """Return True if the batch is the inner part of the axis of a call's output that holds it."""
    output = call.output
    if output.batch is None or output.folded == 1:
        return False
    if call.operation in RESHAPING and call.x.batch is not None:
        return bool(call.x.batch_stride == product(output.sizes[output.batch + 1 :]))
    if call.operation in PARTING:
        return call.x.inner
    along = call.get("dim", 0) if call.operation == "cat" else 0 if call.operation == "repeat" else None
    if along is not None and along % len(output.sizes) == output.batch:
        return all(operand.folded == 1 or operand.inner for operand in call.operands)
    return any(operand.inner for operand in _folded_alike(call))


def mixes_rows(call: Call) -> bool:
    """Return True if rows of one sample meet rows of another, because two tensors have them in another order."""
    return call.operation != "cat" and len({operand.inner for operand in _folded_alike(call)}) > 1


def _folded_alike(call: Call) -> list[Operand]:
    return [operand for operand in call.operands if operand.folded == call.output.folded > 1]


def by_rows(call: Call) -> Call | None:
    """Return a call that joins rows of each sample, or takes some of them, on an axis of their own; None if not one."""
    output, batch = call.output, call.output.batch
    if (
        call.operation not in PARTING | {"cat"}
        or batch is None
        or any(operand.batch != batch for operand in call.operands)
    ):
        return None
    if not call.operands or call.get("dim", 0) % len(output.sizes) != batch:
        return None
    if call.operation == "cat":
        return _joined(call) if output.inner else None
    if not call.x.inner:
        return None
    size = call.x.sizes[batch] // call.x.folded
    taken = _unfolded(call.x)
    if output.folded == 1 and (first := _first(call, size)) is not None:
        return Call("select", {"self": taken, "dim": batch, "index": first}, output)
    arguments = {name: _divided(value, size) for name, value in call.arguments.items()} | {"self": taken}
    if call.operation == "chunk":
        arguments["chunks"] = call.arguments["chunks"]
    parted = replace(call, arguments={**arguments, "dim": batch}, output=_unfolded(output))
    return viewed(parted, output)


def _joined(call: Call) -> Call:
    if all(operand.folded == 1 for operand in call.operands):
        return Call("stack", {"tensors": call.operands, "dim": call.output.batch}, call.output)
    tensors = [
        viewed(operand, _unfolded(operand)) if operand.folded == 1 else _unfolded(operand) for operand in call.operands
    ]
    joined = Call("cat", {"tensors": tensors, "dim": call.output.batch}, _unfolded(call.output))
    return viewed(joined, call.output)


def viewed(value: Operand | Call, output: Operand) -> Call:
    """Return a tensor, or what a call gives, in another shape."""
    return Call("view", {"self": value}, output)


def _unfolded(operand: Operand) -> Operand:
    """Return a tensor with an axis for the rows of a sample before that of the batch."""
    assert operand.batch is not None
    before, after = operand.sizes[: operand.batch], operand.sizes[operand.batch + 1 :]
    size = operand.sizes[operand.batch] // operand.folded
    return Operand(operand.source, (*before, operand.folded, size, *after), operand.batch + 1)


def _first(call: Call, size: int) -> int | None:
    """Return which row of each sample a part of a batch is; None if it is not told here."""
    if call.operation == "slice":
        start = call.get("start", 0)
        return int(start // size) % call.x.folded if start % size == 0 and call.get("step", 1) == 1 else None
    if call.operation == "split_with_sizes":
        return int(sum(call.arguments["split_sizes"][: call.item]) // size)
    return call.item


def _divided(value: Any, size: int) -> Any:
    """Return numbers of rows of a batch as those of a sample; others as they are."""
    if isinstance(value, list):
        return [_divided(item, size) for item in value]
    return value // size if type(value) is int and value and value % size == 0 else value
