"""Calls of PyTorch and ONNX that are several operators here."""

from __future__ import annotations

from archcalc.imports.rows import by_rows, viewed
from archcalc.ops.calls import Call, Operand, Stored, is_number
from archcalc.structs import replace


def parts_of(call: Call) -> Call | Operand | None:
    """Return what a call is, as calls that have calls among their arguments; None for a call that is one operator.

    A bias is added to a product with computed weights, or if it is computed. `addcmul` adds a product, and `1 - x` is
    `-x + 1`. A `clamp` with tensors for its bounds is a `maximum` and a `minimum`. Copies get an axis.
    """
    rows = by_rows(call)
    if rows is not None:
        return rows
    if call.operation == "linear" and call.get("bias") is not None and not _is_layer(call):
        product = replace(call, arguments={**call.arguments, "bias": None})
        return Call("add", {"self": product, "other": call.arguments["bias"]}, call.output)
    if call.operation == "addcmul" and call.get("value", 1) == 1:
        product = Call("mul", {"self": call.arguments["tensor1"], "other": call.arguments["tensor2"]}, call.output)
        return Call("add", {"self": product, "other": call.arguments["self"]}, call.output)
    if call.operation == "clamp" and all(isinstance(call.get(end), (Operand, Stored)) for end in ("min", "max")):
        above = Call("maximum", {"self": call.arguments["self"], "other": call.arguments["min"]}, call.output)
        return Call("minimum", {"self": above, "other": call.arguments["max"]}, call.output)
    if call.operation == "repeat_interleave":
        return _with_copies(call)
    if call.operation == "rsub" and call.get("alpha", 1) == 1:
        return _subtracted(call, "neg", "add")
    if call.operation == "Sub" and is_number(call.get("A")) and isinstance(call.get("B"), Operand):
        return _subtracted(call, "Neg", "Add")
    if call.operation == "slice_scatter":
        return _written(call)
    if call.operation in ("matmul", "linear"):
        return _of_vector(call)
    return _of_samples(call) if call.operation in ("conv1d", "conv2d", "conv3d") else None


def _with_copies(call: Call) -> Call | None:
    """Return copies beside each other, of samples or along one of their axes, as those along an axis of their own."""
    x, dim = call.x, call.get("dim")
    if x.folded == 1 < call.output.folded:
        batch, *sizes = x.sizes
        return Call("expand", {"self": viewed(x, Operand("", (batch, 1, *sizes)))}, call.output)
    if not isinstance(dim, int) or len(call.operands) > 1:
        return None
    dim %= len(x.sizes)
    if dim == x.batch or x.sizes[dim] == 1:
        return None
    before, after = x.sizes[: dim + 1], x.sizes[dim + 1 :]
    moved = x.batch if x.batch is None or x.batch < dim else x.batch + 1
    single = x._replace(source="", sizes=(*before, 1, *after), batch=moved)
    many = single._replace(sizes=(*before, call.output.sizes[dim] // x.sizes[dim], *after))
    return viewed(Call("expand", {"self": viewed(x, single)}, many), call.output)


def _subtracted(call: Call, negation: str, sum_of: str) -> Call | None:
    """Return a number or a tensor minus the call's first operand."""
    other = call.get("other", call.get("A"))
    if isinstance(other, Operand):
        return Call("sub", {"self": other, "other": call.x}, call.output)
    return Call(sum_of, {"self": Call(negation, {"self": call.x}, call.output), "other": other}, call.output)


def _written(call: Call) -> Call | Operand | None:
    """Return a tensor with another in the place of a part of it: what is before, the other, and what is after."""
    whole, part, dim = call.arguments["self"], call.arguments["src"], call.get("dim", 0)
    if not isinstance(part, Operand) or call.get("step", 1) != 1:
        return None
    if (part.batch, part.folded) != (call.output.batch, call.output.folded):
        return None
    size = call.output.sizes[dim]
    start, end, _ = slice(call.get("start"), call.get("end")).indices(size)
    if (start, end) == (0, size):
        return part

    def kept(first: int, last: int) -> Call:
        sizes = list(call.output.sizes)
        sizes[dim] = last - first
        output = call.output._replace(source="", sizes=tuple(sizes))
        return Call("slice", {"self": whole, "dim": dim, "start": first, "end": last}, output)

    before = [kept(0, start)] if start else []
    after = [kept(end, size)] if end < size else []
    return Call("cat", {"tensors": [*before, part, *after], "dim": dim}, call.output)


def _is_layer(call: Call) -> bool:
    """Return True for a linear call whose weights and bias are trained tensors, as those of a linear layer."""
    tensors = (call.arguments["weight"], call.arguments["bias"])
    return all(isinstance(tensor, Stored) and tensor.trained for tensor in tensors)


def _of_vector(call: Call) -> Call | None:
    """Return a vector times a matrix that is no weight of a linear layer, as the product of a matrix of one row."""
    name = "other" if call.operation == "matmul" else "weight"
    matrix, x = call.get(name), call.x
    is_matrix = isinstance(matrix, Stored) or (isinstance(matrix, Operand) and matrix.batch is None)
    is_layer = name == "weight" and isinstance(matrix, Stored) and matrix.trained
    if not is_matrix or is_layer or (x.batch, x.folded, len(x.sizes)) != (0, 1, 2):
        return None
    (batch, inner), (_, columns) = x.sizes, call.output.sizes
    row = viewed(x, Operand("", (batch, 1, inner)))
    product = Call(call.operation, {"self": row, name: matrix}, Operand("", (batch, 1, columns)))
    return viewed(product, call.output)


def _of_samples(call: Call) -> Call | None:
    """Return a convolution in which the channels of all samples stand beside each other, each with its own filters.

    It is a convolution of each sample with filters that are computed (Yang et al., *CondConv*, 2019).
    """
    x, filters, output = call.x, call.get("weight"), call.output
    if not isinstance(filters, Operand) or filters.batch != 0 or call.get("bias") is not None:
        return None
    if any((operand.batch, operand.sizes[0]) != (1, 1) or operand.folded == 1 for operand in (x, output)):
        return None
    batch = x.sizes[1] // x.folded
    image, made = (Operand("", (batch, operand.folded, *operand.sizes[2:])) for operand in (x, output))
    arguments = {"self": viewed(x, image), **call.arguments, "groups": call.get("groups", 1) // batch}
    del arguments["input"]
    return viewed(Call(call.operation, arguments, made), output)
