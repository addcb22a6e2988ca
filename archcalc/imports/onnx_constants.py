"""The constants of an ONNX model: tensors that it stores, and what nodes compute of these, or of sizes, alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.imports.onnx_folding import RULES, fold
from archcalc.imports.onnx_model import external_bytes
from archcalc.imports.onnx_scope import OnnxNode, described
from archcalc.imports.onnx_shapes import Shapes, sizes_by_name, type_in
from archcalc.imports.onnx_tensors import INTEGERS, OnnxTensor, StoredTensor, checked, read_data, tensor_type
from archcalc.imports.onnx_work import OPAQUE, multiply_adds
from archcalc.words import quote

FEW = 16
"""Elements of a stored tensor of real numbers up to which the numbers are read."""
VALUES = {"value_int": "i8", "value_ints": "i8", "value_float": "f4", "value_floats": "f4"}
"""Attributes of a node `Constant` that are numbers, with their types."""


class ConstantReader:
    """Reads stored tensors, and computes the nodes that depend on constants alone."""

    def __init__(self, shapes: Shapes, folder: Path) -> None:
        self.shapes = shapes
        self.folder = folder

    def stored(self, tensor: Any, name: str, in_node: bool = False) -> OnnxTensor:
        """Return a tensor that the file stores."""
        sizes = checked(tensor.dims, f"the stored tensor {quote(name)}")
        found = OnnxTensor(tensor_type(tensor.data_type, sizes), sizes)
        if found.element in INTEGERS or found.count <= FEW:
            found.data = read_data(tensor, sizes, self.folder)
        elif tensor.data_location == tensor.EXTERNAL:
            external_bytes(tensor, self.folder, 0)  # only looks where it is
        found.origins = (StoredTensor(name, sizes, found.is_real, in_node),)
        return found

    def outputs(self, node: OnnxNode, operation: str) -> list[OnnxTensor] | None:
        """Return the outputs of a node that depends on constants or sizes alone; None for any other node.

        ``operation`` is the node's, empty if it is not ONNX's own.
        """
        if operation == "Constant":
            return self._constant(node)
        first, present = node.first, node.present
        if operation in ("Shape", "Size") and first is not None and first.sizes is not None:
            return [_of_sizes(node, first.sizes)]
        if any(tensor.source is not None for tensor in present):
            return None
        known = {
            "origins": tuple(dict.fromkeys(origin for tensor in present for origin in tensor.origins)),
            "from_sizes": any(tensor.from_sizes for tensor in present),
            "macs": sum(tensor.macs for tensor in present),
        }
        arrays = self._folded(node, operation)
        if operation == "ConstantOfShape" and first is not None and first.data is not None:
            filled = _filled(node, first)
            return [filled if arrays is None else replace(filled, data=arrays[0])]
        if arrays is not None:
            return [_of_array(array, **known) for array in arrays]
        return self._sized(node, operation, known)

    def _constant(self, node: OnnxNode) -> list[OnnxTensor] | None:
        """Return the value of a node `Constant`."""
        import numpy

        name, attributes = next(iter(node.proto.output), ""), node.attributes
        if hasattr(attributes.get("value"), "dims"):
            return [self.stored(attributes["value"], name, in_node=True)]
        for key, kind in VALUES.items():
            if key in attributes:
                found = _of_array(numpy.asarray(attributes[key], kind))
                found.origins = (StoredTensor(name, found.sizes or (), found.is_real, True),)
                return [found]
        return None

    def _folded(self, node: OnnxNode, operation: str) -> list[Any] | None:
        """Return the numbers of a node's outputs; None if those of an input are not known, or they are many."""
        if operation not in RULES or any(tensor.data is None for tensor in node.present):
            return None
        plain = {**node.attributes, "outputs": len(node.proto.output)}
        if "value" in plain:
            plain["value"] = read_data(plain["value"], tuple(plain["value"].dims), self.folder)
        return fold(operation, [tensor and tensor.data for tensor in node.inputs], plain)

    def _sized(self, node: OnnxNode, operation: str, known: Mapping[str, Any]) -> list[OnnxTensor] | None:
        """Return the outputs of a node without their numbers; None if their sizes or their work are not known."""
        if operation in OPAQUE or operation == "":
            return None
        types, taken = self.shapes.infer(node), sizes_by_name(self.shapes.named(node))
        found: list[OnnxTensor] = []
        for name in node.proto.output:
            type, sizes = type_in(types, name)
            work = multiply_adds(operation, taken, sizes or (), node.attributes)
            if work is None or (name and sizes is None):
                return None
            value = OnnxTensor(type, sizes, **known)
            value.macs += 0 if found else work
            if operation == "DequantizeLinear" and node.first is not None:
                value.origins = tuple(
                    StoredTensor(origin.name, origin.sizes, True, origin.in_node) for origin in node.first.origins
                )
            found.append(value)
        return found


def _filled(node: OnnxNode, shape: OnnxTensor) -> OnnxTensor:
    """Return the tensor of a node `ConstantOfShape`, without its numbers."""
    sizes = checked([int(size) for size in shape.data.ravel()], f"the output of {described(node.proto)}")
    value = node.attributes.get("value")
    found = OnnxTensor(tensor_type(value.data_type if value is not None else 1, sizes), sizes)
    found.from_sizes = shape.from_sizes
    if not shape.from_sizes:
        made = any(origin.is_made for origin in shape.origins)
        found.origins = (StoredTensor(node.proto.output[0], sizes, found.is_real, made),)
    return found


def _of_sizes(node: OnnxNode, sizes: Shape) -> OnnxTensor:
    """Return the output of a node `Shape` or `Size`."""
    import numpy

    part = sizes[node.attributes.get("start", 0) : node.attributes.get("end")]
    return _of_array(numpy.asarray(math.prod(sizes) if node.operation == "Size" else part, "i8"), from_sizes=True)


def _of_array(array: Any, **known: Any) -> OnnxTensor:
    """Return a constant of known numbers, with other attributes of `OnnxTensor`."""
    from onnx.helper import np_dtype_to_tensor_dtype

    element = np_dtype_to_tensor_dtype(array.dtype)
    return OnnxTensor(tensor_type(element, array.shape), tuple(array.shape), data=array, **known)
