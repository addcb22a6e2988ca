"""The inputs of an ONNX network: their sizes, and which axis of a tensor is the batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.imports.batch import BATCH, batch_axis, has_batch
from archcalc.imports.onnx_tensors import checked
from archcalc.ops.calls import Operand
from archcalc.structs import Struct
from archcalc.words import did_you_mean, help_line, quote


class Batch(Struct):
    """How the axis of the batch is known."""

    symbol: str | None = None
    """Name of its size in the file, which may be empty; None if the file fixes it, or there is none."""
    fixed: int = 0
    """Its size in the file, if the file fixes it."""
    is_axis_0: bool = False
    """True if it keeps its size of 1, and is axis 0 of every tensor where that has the size 1."""

    @property
    def is_prime(self) -> bool:
        """True if `BATCH` takes its place."""
        return self.symbol is not None or (self.fixed > 0 and not self.is_axis_0)

    def axis(self, sizes: Sequence[int]) -> tuple[int | None, int]:
        """Return the axis that holds the batch, None without one, and how many rows of it belong to a sample."""
        if not self.is_prime:
            return (0 if self.is_axis_0 and len(sizes) > 1 and sizes[0] == 1 else None), 1
        return batch_axis(sizes)

    def operand(self, sizes: Shape, source: str = "") -> Operand:
        """Return a tensor of these sizes, with its axis for the batch."""
        return Operand(source, sizes, *self.axis(sizes))

    def target(self, sizes: Sequence[int], new: Sequence[int]) -> list[int]:
        """Return the sizes that a reshape asks for, with the batch where the file has its size fixed.

        Args:
            sizes: of the tensor that is reshaped.
            new: the sizes that the file asks for, of which one may be -1 and others 0, which keep a size.
        """
        wanted = [sizes[index] if size == 0 and index < len(sizes) else size for index, size in enumerate(new)]
        axis, folded = self.axis(sizes)
        if not self.is_prime or axis is None or any(map(has_batch, wanted)):
            return wanted
        batch = self.fixed or 1
        total, known = math.prod(sizes), math.prod(size for size in wanted if size != -1)
        if self.symbol is not None and (total == known or (-1 in wanted and known and total % known == 0)):
            return wanted
        whole = total // BATCH * batch
        if -1 in wanted and wanted.count(-1) == 1 and known and whole % known == 0:
            wanted = [whole // known if size == -1 else size for size in wanted]
        if math.prod(wanted) != whole:
            return list(new)
        before = math.prod(sizes[:axis])
        fronts = [math.prod(wanted[:index]) for index in range(len(wanted))]
        places = [
            index
            for front in dict.fromkeys((before, before * folded))  # the batch is outside or inside of what it is with
            for index, size in enumerate(wanted)
            if fronts[index] == front and size % batch == 0
        ]
        if not places:
            return list(new)
        place = next((index for index in places if wanted[index] == batch), places[0])
        if 0 < place == len(wanted) - 1 and wanted[place] != batch and wanted[place - 1] % batch == 0:
            place -= 1  # rows of all samples, not features of all samples
        wanted[place] = wanted[place] // batch * BATCH
        return wanted


def free_inputs(graph: Any) -> list[Any]:
    """Return the inputs of a graph for which it stores no tensor, in order."""
    stored = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in stored]


def network_inputs(graph: Any, given: Mapping[str, Shape], batch: Batch) -> dict[str, Shape]:
    """Return the sizes of each input, with the batch.

    Args:
        graph: the model's graph.
        given: per sample, by name; they fill sizes that the file leaves open.
        batch: where the batch is.
    """
    free = free_inputs(graph)
    names = [value.name for value in free]
    for name in given:
        if name not in names:
            raise UserError(f"the network has no input {quote(name)}{did_you_mean(name, names)}")
    symbols: dict[str, int] = {}
    for value in free:
        if value.name in given:
            symbols.update(_bound(value, given[value.name]))
    found: dict[str, Shape] = {}
    for value in free:
        if value.name in found:
            raise UserError(f"two inputs have the name {quote(value.name)}")
        found[value.name] = _sizes(value, given.get(value.name), symbols, batch, is_first=not found)
    return found


def _dims(value: Any) -> Any:
    type = value.type
    if not type.HasField("tensor_type"):
        raise UserError(f"the input {quote(value.name)} is not a tensor")
    if not type.tensor_type.HasField("shape"):
        raise UserError(f"the file does not say how many axes the input {quote(value.name)} has")
    return type.tensor_type.shape.dim


def _fixed(dim: Any) -> int | None:
    return dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value >= 0 else None


def _bound(value: Any, shape: Shape) -> dict[str, int]:
    """Return the names of sizes that a given shape binds."""
    dims = _dims(value)
    rest = dims[1:] if len(shape) == len(dims) - 1 else dims
    if len(rest) != len(shape):
        raise UserError(
            f"the input {quote(value.name)} has {len(dims)} axes with the batch, so {len(dims) - 1} sizes are "
            f"expected, got {len(shape)}"
        )
    found = {}
    for dim, size in zip(rest, shape, strict=True):
        fixed = _fixed(dim)
        if fixed is not None and fixed != size:
            raise UserError(f"the file fixes a size of the input {quote(value.name)} to {fixed}, got {size}")
        if dim.dim_param:
            found[dim.dim_param] = size
    return found


def _sizes(value: Any, shape: Shape | None, symbols: Mapping[str, int], batch: Batch, is_first: bool) -> Shape:
    dims = _dims(value)
    sizes: list[int] = []
    for axis, dim in enumerate(dims):
        size = _fixed(dim)
        own = None if shape is None else axis - (len(dims) - len(shape))
        if (
            batch.is_prime and size is not None and axis == 0 and size == batch.fixed and (is_first or len(dims) > 1)
        ) or (size is None and batch.symbol and dim.dim_param == batch.symbol):
            size = BATCH
        elif size is None and shape is not None and own is not None and own >= 0:
            size = shape[own]
        elif size is None and dim.dim_param in symbols:
            size = symbols[dim.dim_param]
        elif (
            size is None
            and batch.symbol == ""
            and axis == 1
            and not dim.dim_param
            and not is_first
            and sizes[0] != BATCH
        ):
            size = BATCH  # of a state, whose first axis is layers or directions
        elif size is None and axis == 0:
            size = BATCH if batch.is_prime and (is_first or len(dims) > 1) else 1
        if size is None:
            called = f" {quote(dim.dim_param)}" if dim.dim_param else ""
            example = ",".join(
                "224" if _fixed(sample_dim) is None else str(sample_dim.dim_value) for sample_dim in dims[1:]
            )
            raise UserError(
                f"the size{called} of axis {axis} of the input {quote(value.name)} is not fixed"
                + help_line(f"give the input's sizes: --input {value.name}={example}")
            )
        if size == 0:
            raise UserError(f"axis {axis} of the input {quote(value.name)} has the size 0")
        sizes.append(size)
    return checked(sizes, f"the input {quote(value.name)}")
