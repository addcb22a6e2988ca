"""Tensors of an ONNX model, while it is read: what is known of each, and how a stored one is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.imports.onnx_folding import MOST
from archcalc.imports.onnx_model import external_bytes

MOST_ELEMENTS = 2**53
MOST_AXES = 32
FLOATS = frozenset([1, 10, 11, 16, *range(17, 21), 23, 24, 25, 26])
"""ONNX's numbers of the types of real numbers."""
INTEGERS = frozenset([6, 7, 9])
"""Of the types that sizes, axes and indices have: int32, int64 and bool."""
EXPORTER = re.compile(r"val_\d+|/.*/Constant_\d*_?output_\d+")
"""Names that PyTorch's exporters give to constants that they compute."""


@dataclass
class OnnxTensor:
    """What is known of a tensor."""

    type: Any
    """Its `TypeProto`."""
    sizes: Shape | None = None
    """All its sizes, with the batch; None if one is not known."""
    source: str | None = None
    """The layer or network input that gives it; None for a constant."""
    data: Any = None
    """Its numbers, if they are few and do not depend on the network's inputs."""
    origins: tuple[StoredTensor, ...] = ()
    """Of a constant: the stored tensors that it is computed from."""
    macs: int = 0
    """Of a constant: the multiply-adds that compute it."""
    from_sizes: bool = False
    """True for numbers that depend on the sizes of the network's inputs."""

    @property
    def element(self) -> int:
        """ONNX's number of the type of its elements; 0 if it is not a plain tensor."""
        return int(self.type.tensor_type.elem_type) if self.type.HasField("tensor_type") else 0

    @property
    def is_real(self) -> bool:
        return self.element in FLOATS

    @property
    def count(self) -> int:
        """Number of elements; 0 if it is not known."""
        return math.prod(self.sizes) if self.sizes is not None else 0


@dataclass(eq=False)
class StoredTensor:
    """A tensor that the file stores, as an initializer or in a node."""

    name: str
    sizes: Shape
    is_real: bool
    in_node: bool = False
    """True for the value of a node: a constant of the computation, or a weight, as it is used."""

    @property
    def is_made(self) -> bool:
        """True for a constant that the model computes with, unless it is used as a weight."""
        return self.in_node or EXPORTER.fullmatch(self.name) is not None


def checked(sizes: Sequence[int], what: str) -> Shape:
    """Return sizes. Raises `UserError` if one is below 0, or there are too many elements or axes."""
    if any(size < 0 for size in sizes):
        raise UserError(f"{what} has the size {min(sizes)}, and sizes cannot be below 0")
    if math.prod(sizes) > MOST_ELEMENTS or len(sizes) > MOST_AXES:
        raise UserError(f"{what} is too large: more than 2^53 elements, or more than {MOST_AXES} axes")
    return tuple(sizes)


def sizes_of(type: Any) -> Shape | None:
    """Return the sizes that a `TypeProto` says; None if it does not say all."""
    if not type.HasField("tensor_type") or not type.tensor_type.HasField("shape"):
        return None
    sizes = []
    for dim in type.tensor_type.shape.dim:
        if dim.WhichOneof("value") != "dim_value" or dim.dim_value < 0:
            return None
        sizes.append(dim.dim_value)
    return tuple(sizes)


def tensor_type(element: int, sizes: Sequence[int] | None) -> Any:
    """Return a `TypeProto`."""
    import onnx

    type = onnx.TypeProto()
    type.tensor_type.elem_type = element if 0 <= element < 2**31 else 0
    if sizes is not None:
        type.tensor_type.shape.SetInParent()
        for size in sizes:
            type.tensor_type.shape.dim.add().dim_value = size
    return type


def read_data(tensor: Any, sizes: Shape, folder: Path) -> Any:
    """Return the numbers of a stored tensor as an array; None if they are many, or cannot be read."""
    from onnx import TensorProto, numpy_helper

    if math.prod(sizes) > MOST:
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        content = external_bytes(tensor, folder, 16 * MOST)
        if content is None:
            return None
        copy = TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=content)
        tensor = copy
    try:
        array = numpy_helper.to_array(tensor)
    except Exception:  # of a type that NumPy lacks, or with another number of elements than it says
        return None
    return array if array.shape == sizes and array.dtype.kind in "biuf" else None
