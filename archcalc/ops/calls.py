"""Calls of operations of PyTorch and ONNX, as an importer shows them to the operators' classes.

An importer follows an example whose batch has a size that occurs nowhere else, so it knows which axis of each tensor is
the batch. A class that names an operation (`aten`, `onnx`) says in `from_aten` and `from_onnx` with which arguments it
is that call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape, ShapeError, product
from archcalc.structs import Struct, replace


class Stored(NamedTuple):
    """A tensor that the model stores: a weight, a buffer or a constant."""

    name: str
    """Its name in the state dict; empty for a constant."""
    shape: Shape
    trained: bool = False
    in_state: bool = True
    """False for a buffer that the state dict leaves out."""


class Operand(NamedTuple):
    """A tensor that the model computes."""

    source: str
    """The layer or network input that gives it."""
    sizes: Shape
    """All its sizes, with the batch."""
    batch: int | None = 0
    """The axis that holds the batch; None if it does not depend on it."""
    folded: int = 1
    """How many rows of that axis belong to one sample: 64 for windows that are folded into the batch."""
    inner: bool = False
    """True if the rows of one sample do not lie together there: `[L·B, …]`, of the first row of all samples first."""

    @classmethod
    def beside(cls, sizes: Shape, other: Operand) -> Operand:
        """Return a tensor that is the same for every sample as it stands beside another, with as many axes."""
        sizes = (1,) * (len(other.sizes) - len(sizes)) + tuple(sizes)
        fits = other.batch is not None and other.folded == 1 and sizes[other.batch] == 1
        return cls("", sizes, other.batch if fits else None)

    @property
    def shape(self) -> Shape:
        """Its sizes per sample. An axis that holds only the batch is left out."""
        if self.batch is None:
            return self.sizes
        inner = () if self.folded == 1 else (self.folded,)
        return (*self.sizes[: self.batch], *inner, *self.sizes[self.batch + 1 :])

    @property
    def batch_stride(self) -> int:
        """Elements from one sample to the next, if they lie in order; the batch must be one of its axes."""
        assert self.batch is not None
        inside = 1 if self.inner else self.folded
        return inside * int(product(self.sizes[self.batch + 1 :]))

    def axis(self, dim: int) -> int:
        """Return the number of an axis without the batch. Raises `ShapeError` for the batch itself."""
        dim = dim % len(self.sizes) if self.sizes else 0
        if self.batch is None or self.folded > 1 or dim < self.batch:
            if dim == self.batch:
                raise ShapeError("the axis holds the batch too")
            return dim
        if dim == self.batch:
            raise ShapeError("the axis is the batch")
        return dim - 1


class Call(Struct):
    """One call of an operation."""

    operation: str
    """Its name, without overload and trailing underscore: `conv2d`, or `Conv`."""
    arguments: Mapping[str, Any]
    """By the names of PyTorch's schema, or of ONNX: numbers, words, lists, `Operand` and `Stored`."""
    output: Operand
    item: int = 0
    """Which of its outputs is meant."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument; ``default`` if it is not given or None."""
        value = self.arguments.get(name)
        return default if value is None else value

    def of_one_row(self) -> Call:
        """Return the call with one of the rows of each operand that are folded into the batch."""
        arguments = {
            name: value._replace(folded=1) if isinstance(value, Operand) else value
            for name, value in self.arguments.items()
        }
        return replace(self, arguments=arguments, output=self.output._replace(folded=1))

    @property
    def operands(self) -> list[Operand]:
        """The computed tensors among its arguments, in order."""
        return [value for value in _flat(self.arguments.values()) if isinstance(value, Operand)]

    @property
    def inner(self) -> list[Call]:
        """The calls among its arguments, whose results it takes, in order."""
        return [value for value in _flat(self.arguments.values()) if isinstance(value, Call)]

    @property
    def stored(self) -> list[Stored]:
        """The stored tensors among its arguments, in order."""
        return [value for value in _flat(self.arguments.values()) if isinstance(value, Stored)]

    @property
    def has_one_trained(self) -> bool:
        """True if it takes one computed tensor and one stored one, which is trained."""
        return len(self.operands) == len(self.stored) == 1 and self.stored[0].trained

    @property
    def x(self) -> Operand:
        """The first operand."""
        return self.operands[0]

    def need_images(self) -> None:
        """Raise `ShapeError` unless the first axis of the first operand is the batch, and nothing else."""
        if self.x.batch != 0 or self.x.folded != 1:
            raise ShapeError("the batch is not the first axis")

    def axis(self, name: str = "dim", default: int | None = None) -> int:
        """Return an argument that is an axis of the first operand, without the batch."""
        value = self.get(name, default)
        if not isinstance(value, int):
            raise ShapeError(f"{name} is no axis")
        return self.x.axis(value)

    def axes(self, name: str = "dim") -> tuple[int, ...]:
        """Return an argument that is a list of axes, without the batch; without it, all axes."""
        value = self.get(name)
        if value is None or value == []:
            if self.x.batch is not None:
                raise ShapeError("the batch is reduced too")
            return tuple(range(len(self.x.shape)))
        return tuple(self.x.axis(dim) for dim in ([value] if isinstance(value, int) else value))

    def order(self, dims: Sequence[int]) -> tuple[int, ...]:
        """Return the order of a permutation of the first operand's axes, without the batch."""
        x = self.x
        dims = [dim % len(x.sizes) for dim in dims]
        return tuple(x.axis(dim) if dim != x.batch else dim for dim in dims if dim != x.batch or x.folded > 1)

    def window(self, *names: str) -> dict[str, Any]:
        """Return those of the arguments that are given, each with a value for every spatial dimension.

        PyTorch takes a list of one for all of them, and calls the kernel `kernel_size`.
        """
        rank = len(self.x.shape) - 1
        found = {}
        for name in names:
            value = self.get("kernel_size" if name == "kernel" else name)
            if value not in (None, []):
                found[name] = tuple(value) * (rank if len(value) == 1 else 1) if isinstance(value, list) else value
        return found

    @property
    def number(self) -> float | int | None:
        """The number that changes its only operand, as in `x + 3`; None without one, and for `3 - x` and `3 / x`."""
        found = [value for name, value in self.arguments.items() if name != "alpha" and is_number(value)]
        if len(found) != 1 or len(self.operands) != 1 or self.get("alpha", 1) != 1:
            return None
        is_first = is_number(next(iter(self.arguments.values())))
        return None if is_first and self.operation.lower() in ("sub", "div") else found[0]


def is_number(value: Any) -> bool:
    """Return True for an integer or a float, but not for a boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)) and not isinstance(value, (Operand, Stored)):
            yield from _flat(value)
        else:
            yield value
