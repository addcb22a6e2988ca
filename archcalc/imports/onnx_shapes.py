"""Sizes of the tensors of an ONNX model: onnx's own inference, node by node, with the batch known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.imports.batch import BATCH, has_batch
from archcalc.imports.onnx_checks import fits
from archcalc.imports.onnx_inputs import Batch
from archcalc.imports.onnx_scope import OnnxNode, described
from archcalc.imports.onnx_tensors import OnnxTensor, checked, sizes_of, tensor_type
from archcalc.structs import Struct
from archcalc.words import quote

Types = Mapping[str, tuple[Any, "Shape | None"]]
"""Name of an output to its `TypeProto` and its sizes; None if they are not known."""


class _Schema(Struct):
    """What is asked of onnx's schema of an operator."""

    schema: Any
    counts: tuple[int, int]
    """The smallest and the largest number of inputs."""
    outputs: tuple[int, int]
    """The smallest and the largest number of outputs."""
    attributes: Mapping[str, int]
    """Name to the number of its type."""
    inputs: Sequence[tuple[str, bool]]
    """Names, and True for one that takes any number of tensors."""

    @classmethod
    def of(cls, operation: str, version: int, domain: str) -> _Schema | None:
        """Return what is asked; None if ONNX has no such operator."""
        import onnx

        try:
            schema: Any = onnx.defs.get_schema(operation, version, domain)
        except Exception:  # of a class of its own for each version of onnx
            return None
        return cls(
            schema,
            counts=(schema.min_input, schema.max_input),
            outputs=(schema.min_output, schema.max_output),
            attributes={name: attribute.type.value for name, attribute in schema.attributes.items()},
            inputs=[(argument.name, argument.option == argument.option.Variadic) for argument in schema.inputs],
        )


class Shapes:
    """Finds the types of nodes' outputs."""

    def __init__(self, graph: Any, batch: Batch) -> None:
        self.batch = batch
        self.file = {value.name: value.type for value in (*graph.value_info, *graph.output)}
        self.faults = 0
        self.schemas: dict[tuple[str, int, str], _Schema | None] = {}

    def infer(self, node: OnnxNode) -> Types:
        """Return the types of a node's outputs, by inference, else as the file says them."""
        import onnx
        from onnx import numpy_helper, shape_inference

        proto, scope = node.proto, node.scope
        schema = self.schema(node)
        declared = self.declared(node)
        if schema is None:
            return declared
        node = replace(node, inputs=self._with_batch(node))
        taken = {name: tensor for name, tensor in zip(proto.input, node.inputs, strict=False) if tensor is not None}
        given = {name: tensor.type for name, tensor in taken.items()}
        data = {
            name: numpy_helper.from_array(tensor.data, name)
            for name, tensor in taken.items()
            if tensor.data is not None and tensor.data.dtype.kind in "iubf"
        }
        opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in scope.opsets.items()]
        if not fits(node, schema.outputs):
            self.faults += 1
            return declared
        try:
            types = shape_inference.infer_node_outputs(schema.schema, proto, given, data, opset_imports=opsets)
        except Exception:  # whatever the C++ code makes of a wrong node
            self.faults += 1
            return declared
        found = {}
        for name in proto.output:
            type = types.get(name)
            sizes = inferred = sizes_of(type) if type is not None else None
            if sizes is None:
                sizes = self._known(node) or declared.get(name, (None, None))[1]
            if type is None or (sizes is not None and inferred is None):
                element = type.tensor_type.elem_type if type is not None else 0
                first = next((tensor.element for tensor in node.present), 1)
                type = tensor_type(element or first, sizes)
            if sizes is None:
                self.faults += 1
            else:
                checked(sizes, f"the output of {described(proto)}")
                if scope.parent is None and not scope.depth:
                    self.compare(name, sizes)
            found[name] = type, sizes
        return found

    @staticmethod
    def _known(node: OnnxNode) -> Shape | None:
        """Return the sizes of operations whose inference onnx lacks."""
        is_known = node.operation in ("GroupNormalization", "MeanVarianceNormalization") and node.first is not None
        return node.first.sizes if is_known and node.first is not None else None

    def schema(self, node: OnnxNode) -> Any:
        """Return the schema of a node's operator; None if ONNX has none.

        Raises `UserError` if the node has another number of inputs, or an attribute of another type.
        """
        key = node.operation, node.scope.opsets.get(node.domain, 0), node.domain
        if key not in self.schemas:
            self.schemas[key] = _Schema.of(*key)
        known = self.schemas[key]
        if known is None:
            return None
        least, most = known.counts
        proto = node.proto
        if not least <= len(proto.input) <= most:
            raise UserError(f"{described(proto)} has {len(proto.input)} inputs, at least {least} are expected")
        for attribute in proto.attribute:
            if attribute.type != known.attributes.get(attribute.name, attribute.type):
                raise UserError(f"{described(proto)} has the attribute {quote(attribute.name)} of a wrong type")
        return known

    def declared(self, node: OnnxNode) -> Types:
        """Return the types that the file says, with the batch."""
        takes_batch = any(
            tensor.sizes and tensor.source is not None and self.batch.axis(tensor.sizes)[0] is not None
            for tensor in node.present
        )
        return {name: self._as_declared(self.file.get(name), takes_batch) for name in node.proto.output if name}

    def _as_declared(self, type: Any, takes_batch: bool) -> tuple[Any, Shape | None]:
        if type is None or not type.HasField("tensor_type"):
            return type or tensor_type(0, None), None
        element = type.tensor_type.elem_type
        if not type.tensor_type.HasField("shape"):
            return tensor_type(element, None), None
        sizes: list[int] = []
        for axis, dim in enumerate(type.tensor_type.shape.dim):
            size = dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else 0
            if self.batch.symbol and dim.dim_param == self.batch.symbol:
                size = BATCH
            if axis == 0 and takes_batch and self.batch.is_prime and self.batch.fixed and size == self.batch.fixed:
                size = BATCH
            if not size:
                return tensor_type(element, None), None
            sizes.append(size)
        if math.prod(sizes) > 2**53:
            return tensor_type(element, None), None
        return tensor_type(element, sizes), tuple(sizes)

    def compare(self, name: str, sizes: Shape) -> None:
        """Count a fault if the file says other sizes: then the batch was followed wrongly."""
        said = sizes_of(self.file[name]) if name in self.file else None
        if said is None or 0 in said:
            return
        axis, _ = self.batch.axis(sizes)
        expected = math.prod(sizes)
        if axis is not None and self.batch.is_prime:
            expected = expected // BATCH * (self.batch.fixed or 1)
        self.faults += len(said) != len(sizes) or math.prod(said) != expected

    def repaired(self, node: OnnxNode) -> OnnxNode:
        """Return a node with the batch in the sizes that it asks for, where the file has fixed them."""
        import numpy

        index = {"Reshape": 1, "Expand": 1, "Resize": 3}.get(node.operation)
        if index is None or node.first is None or node.first.sizes is None or not self.batch.is_prime:
            return node
        sizes, asked = node.first.sizes, node.input(index)
        if asked is None or asked.data is None or asked.data.ndim != 1:
            return node
        new = [int(size) for size in asked.data]
        if node.operation == "Reshape":
            wanted = self.batch.target(sizes, new)
        elif len(new) < len(sizes):
            return node
        else:
            wanted, added = list(new), len(new) - len(sizes)
            for axis, size in enumerate(sizes):
                if has_batch(size) and new[added + axis] == size // BATCH * (self.batch.fixed or 1):
                    wanted[added + axis] = size
        if wanted == new:
            return node
        changed = replace(asked, data=numpy.asarray(wanted, "i8"))
        return replace(node, inputs=[changed if n == index else tensor for n, tensor in enumerate(node.inputs)])

    def _with_batch(self, node: OnnxNode) -> list[OnnxTensor | None]:
        """Return the inputs of a `Concat` with the batch also in those that are the same for all samples."""
        if node.operation != "Concat" or not self.batch.is_prime:
            return node.inputs
        shapes = [tensor.sizes for tensor in node.present if tensor.sizes]
        axes = {self.batch.axis(sizes) for sizes in shapes} - {(None, 1)}
        if len(axes) != 1 or len(shapes) < len(node.inputs):
            return node.inputs
        ((axis, folded),) = axes
        joined = node.attributes.get("axis", 0)
        if axis is None or (joined % len(shapes[0]) if joined < 0 else joined) == axis:
            return node.inputs
        found: list[OnnxTensor | None] = []
        for tensor in node.present:
            sizes = tensor.sizes or ()
            if axis < len(sizes) and sizes[axis] == (self.batch.fixed or 1):
                sizes = (*sizes[:axis], BATCH * folded, *sizes[axis + 1 :])
                tensor = replace(tensor, type=tensor_type(tensor.element, sizes), sizes=sizes, data=None)
            found.append(tensor)
        return found

    def named(self, node: OnnxNode) -> dict[str, Any]:
        """Return the inputs of a node by the names of its schema; those of a variadic one as a list."""
        schema = self.schema(node)
        if schema is None:
            return {str(index): tensor for index, tensor in enumerate(node.inputs) if tensor is not None}
        found: dict[str, Any] = {}
        for index, tensor in enumerate(node.inputs):
            if tensor is None or not schema.inputs:
                continue
            name, is_variadic = schema.inputs[min(index, len(schema.inputs) - 1)]
            if is_variadic:
                found.setdefault(name, []).append(tensor)
            else:
                found[name] = tensor
        if node.operation == "BatchNormalization":
            found.update({f"input_{name}": found.pop(name) for name in ("mean", "var") if name in found})
        return found


def type_in(types: Types, name: str) -> tuple[Any, Shape | None]:
    """Return the type and the sizes of an output; None for sizes that are not known."""
    return types[name] if name in types else (tensor_type(0, None), None)


def tensors_in(value: Any) -> list[OnnxTensor]:
    """Return the tensors of a named input: one, or those of a variadic one."""
    return value if isinstance(value, list) else [value]


def sizes_by_name(named: Mapping[str, Any]) -> dict[str, list[Shape]]:
    """Return the sizes of tensors by name; without those whose sizes are not known."""
    found = {}
    for name, value in named.items():
        sizes = [tensor.sizes for tensor in tensors_in(value) if tensor.sizes is not None]
        if len(sizes) == len(tensors_in(value)):
            found[name] = sizes
    return found
