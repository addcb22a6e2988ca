"""Sizes of the tensors of an ONNX model: onnx's own inference, node by node, with the batch known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archcalc.errors import UserError
from archcalc.imports.onnx_checks import fits
from archcalc.imports.onnx_inputs import BATCH, Batch
from archcalc.imports.onnx_scope import GraphScope, described
from archcalc.imports.onnx_tensors import OnnxTensor, checked, sizes_of, tensor_type
from archcalc.structs import Struct
from archcalc.words import quote

Types = Mapping[str, tuple[Any, "tuple[int, ...] | None"]]
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
            schema = onnx.defs.get_schema(operation, version, domain)
        except Exception:  # of a class of its own for each version of onnx
            return None
        attributes: dict[str, Any] = {name: one.type for name, one in schema.attributes.items()}
        inputs = [(one.name, one.option == one.option.Variadic) for one in schema.inputs]
        attributes = {name: one.value for name, one in attributes.items()}
        counts = (schema.min_input, schema.max_input)
        return cls(schema, counts, (schema.min_output, schema.max_output), attributes, inputs)


class Shapes:
    """Finds the types of nodes' outputs."""

    def __init__(self, graph: Any, batch: Batch) -> None:
        self.batch = batch
        self.file = {value.name: value.type for value in (*graph.value_info, *graph.output)}
        self.faults = 0
        self.schemas: dict[tuple[str, int, str], _Schema | None] = {}

    def infer(
        self, node: Any, inputs: Sequence[OnnxTensor | None], attributes: Mapping[str, Any], scope: GraphScope
    ) -> Types:
        """Return the types of a node's outputs, by inference, else as the file says them."""
        import onnx
        from onnx import numpy_helper, shape_inference

        schema = self.schema(node, scope)
        declared = self.declared(node, inputs)
        if schema is None:
            return declared
        inputs = self._with_batch(node, inputs, attributes)
        given = {name: one.type for name, one in zip(node.input, inputs, strict=False) if one is not None}
        data = {
            name: numpy_helper.from_array(one.data, name)
            for name, one in zip(node.input, inputs, strict=False)
            if one is not None and one.data is not None and one.data.dtype.kind in "iubf"
        }
        opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in scope.opsets.items()]
        if not fits(node, inputs, attributes, schema.outputs):
            self.faults += 1
            return declared
        try:
            types = shape_inference.infer_node_outputs(schema.schema, node, given, data, opset_imports=opsets)
        except Exception:  # whatever the C++ code makes of a wrong node
            self.faults += 1
            return declared
        found = {}
        for name in node.output:
            type = types.get(name)
            sizes = sizes_of(type) if type is not None else None
            if sizes is None:
                sizes = self._known(node, inputs, type) or declared.get(name, (None, None))[1]
            if type is None or (sizes is not None and sizes_of(type) is None):
                element = type.tensor_type.elem_type if type is not None else 0
                first = next((one.element for one in inputs if one is not None), 1)
                type = tensor_type(element or first, sizes)
            if sizes is None:
                self.faults += 1
            else:
                checked(sizes, f"the output of {described(node)}")
                if scope.parent is None and not scope.depth:
                    self.compare(name, sizes)
            found[name] = type, sizes
        return found

    @staticmethod
    def _known(node: Any, inputs: Sequence[OnnxTensor | None], type: Any) -> tuple[int, ...] | None:
        """Return the sizes of operations whose inference onnx lacks."""
        if node.op_type in ("GroupNormalization", "MeanVarianceNormalization") and inputs and inputs[0] is not None:
            return inputs[0].sizes
        return None

    def schema(self, node: Any, scope: GraphScope) -> Any:
        """Return the schema of a node's operator; None if ONNX has none.

        Raises `UserError` if the node has another number of inputs, or an attribute of another type.
        """
        domain = "" if node.domain == "ai.onnx" else node.domain
        key = node.op_type, scope.opsets.get(domain, 0), domain
        if key not in self.schemas:
            self.schemas[key] = _Schema.of(*key)
        known = self.schemas[key]
        if known is None:
            return None
        least, most = known.counts
        if not least <= len(node.input) <= most:
            raise UserError(f"{described(node)} has {len(node.input)} inputs, at least {least} are expected")
        for one in node.attribute:
            if one.type != known.attributes.get(one.name, one.type):
                raise UserError(f"{described(node)} has the attribute {quote(one.name)} of a wrong type")
        return known

    def declared(self, node: Any, inputs: Sequence[OnnxTensor | None]) -> Types:
        """Return the types that the file says, with the batch."""
        has_batch = any(
            one is not None and one.sizes and one.source is not None and self.batch.axis(one.sizes)[0] is not None
            for one in inputs
        )
        return {name: self._as_declared(self.file.get(name), has_batch) for name in node.output if name}

    def _as_declared(self, type: Any, has_batch: bool) -> tuple[Any, tuple[int, ...] | None]:
        if type is None or not type.HasField("tensor_type"):
            return type or tensor_type(0, None), None
        element = type.tensor_type.elem_type
        if not type.tensor_type.HasField("shape"):
            return tensor_type(element, None), None
        sizes: list[int] = []
        for at, dim in enumerate(type.tensor_type.shape.dim):
            size = dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else 0
            if self.batch.symbol and dim.dim_param == self.batch.symbol:
                size = BATCH
            if at == 0 and has_batch and self.batch.is_prime and self.batch.fixed and size == self.batch.fixed:
                size = BATCH
            if not size:
                return tensor_type(element, None), None
            sizes.append(size)
        if math.prod(sizes) > 2**53:
            return tensor_type(element, None), None
        return tensor_type(element, sizes), tuple(sizes)

    def compare(self, name: str, sizes: tuple[int, ...]) -> None:
        """Count a fault if the file says other sizes: then the batch was followed wrongly."""
        said = sizes_of(self.file[name]) if name in self.file else None
        if said is None or 0 in said:
            return
        axis, _ = self.batch.axis(sizes)
        expected = math.prod(sizes)
        if axis is not None and self.batch.is_prime:
            expected = expected // BATCH * (self.batch.fixed or 1)
        self.faults += len(said) != len(sizes) or math.prod(said) != expected

    def repaired(self, node: Any, inputs: list[OnnxTensor | None]) -> list[OnnxTensor | None]:
        """Return the inputs of a node with the batch in the sizes that it asks for, where the file has fixed them."""
        import numpy

        if not inputs or inputs[0] is None or inputs[0].sizes is None or not self.batch.is_prime:
            return inputs
        sizes = inputs[0].sizes
        at = {"Reshape": 1, "Expand": 1, "Resize": 3}.get(node.op_type)
        if at is None or len(inputs) <= at:
            return inputs
        asked = inputs[at]
        if asked is None or asked.data is None or asked.data.ndim != 1:
            return inputs
        new = [int(size) for size in asked.data]
        if node.op_type == "Reshape":
            wanted = self.batch.target(sizes, new)
        elif len(new) < len(sizes):
            return inputs
        else:
            wanted, added = list(new), len(new) - len(sizes)
            for axis, size in enumerate(sizes):
                if size and size % BATCH == 0 and new[added + axis] == size // BATCH * (self.batch.fixed or 1):
                    wanted[added + axis] = size
        if wanted == new:
            return inputs
        changed = replace(asked, data=numpy.asarray(wanted, "i8"))
        return [changed if n == at else one for n, one in enumerate(inputs)]

    def _with_batch(
        self, node: Any, inputs: Sequence[OnnxTensor | None], attributes: Mapping[str, Any]
    ) -> Sequence[OnnxTensor | None]:
        """Return the inputs of a `Concat` with the batch also in those that are the same for all samples."""
        if node.op_type != "Concat" or not self.batch.is_prime:
            return inputs
        shapes = [one.sizes for one in inputs if one is not None and one.sizes]
        axes = {self.batch.axis(sizes) for sizes in shapes} - {(None, 1)}
        if len(axes) != 1 or len(shapes) < len(inputs):
            return inputs
        ((axis, folded),) = axes
        joined = attributes.get("axis", 0)
        if axis is None or (joined % len(shapes[0]) if joined < 0 else joined) == axis:
            return inputs
        found: list[OnnxTensor | None] = []
        for one in inputs:
            assert one is not None
            sizes = one.sizes or ()
            if axis < len(sizes) and sizes[axis] == (self.batch.fixed or 1):
                sizes = (*sizes[:axis], BATCH * folded, *sizes[axis + 1 :])
                one = replace(one, type=tensor_type(one.element, sizes), sizes=sizes, data=None)
            found.append(one)
        return found

    def named(self, node: Any, inputs: Sequence[OnnxTensor | None], scope: GraphScope) -> dict[str, Any]:
        """Return the inputs of a node by the names of its schema; those of a variadic one as a list."""
        schema = self.schema(node, scope)
        if schema is None:
            return {str(at): one for at, one in enumerate(inputs) if one is not None}
        found: dict[str, Any] = {}
        for at, one in enumerate(inputs):
            if one is None or not schema.inputs:
                continue
            name, is_variadic = schema.inputs[min(at, len(schema.inputs) - 1)]
            if is_variadic:
                found.setdefault(name, []).append(one)
            else:
                found[name] = one
        if node.op_type == "BatchNormalization":
            found.update({f"input_{name}": found.pop(name) for name in ("mean", "var") if name in found})
        return found

    def by_name(
        self, node: Any, inputs: Sequence[OnnxTensor | None], scope: GraphScope
    ) -> dict[str, list[tuple[int, ...]]]:
        """Return the sizes of a node's inputs by the names of its schema."""
        return sizes_by_name(self.named(node, inputs, scope))


def sizes_by_name(named: Mapping[str, Any]) -> dict[str, list[tuple[int, ...]]]:
    """Return the sizes of tensors by name; without those whose sizes are not known."""
    found = {}
    for name, value in named.items():
        tensors = value if isinstance(value, list) else [value]
        sizes = [one.sizes for one in tensors]
        if None not in sizes:
            found[name] = sizes
    return found
