"""The nodes of an ONNX model, one after another: constants are folded, the others become layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.errors import UserError
from archcalc.imports.builder import NetworkBuilder
from archcalc.imports.onnx_attention import with_attention
from archcalc.imports.onnx_constants import ConstantReader
from archcalc.imports.onnx_folding import fold
from archcalc.imports.onnx_inputs import Batch
from archcalc.imports.onnx_layers import LayerMaker
from archcalc.imports.onnx_names import legal, module_path
from archcalc.imports.onnx_scope import (
    GraphScope,
    OnnxNode,
    attributes_of,
    bound_node,
    domain_of,
    names_taken,
    nested,
    subgraphs,
)
from archcalc.imports.onnx_shapes import Shapes
from archcalc.imports.onnx_tensors import OnnxTensor, StoredTensor, checked, tensor_type
from archcalc.imports.onnx_work import OPAQUE
from archcalc.network import Network
from archcalc.words import quote

MOST_NODES = 100_000
"""The most nodes that are read, with those of the functions that are called."""
SAME = frozenset(["Identity", "Cast", "CastLike", "BitCast"])
"""Operations that give what they take, or the same in another type."""


class Reading:
    """Reads a model for given sizes of its inputs."""

    def __init__(self, model: Any, folder: Path, name: str, inputs: Mapping[str, Shape], batch: Batch) -> None:
        if len(model.graph.node) > MOST_NODES:
            raise UserError(f"it has more than {MOST_NODES:,} nodes")
        self.model = model
        self.inputs = inputs
        self.names = {raw: legal(raw) or f"input{index}" for index, raw in enumerate(inputs)}
        if len(set(self.names.values())) < len(inputs):
            self.names = {raw: f"input{index}" for index, raw in enumerate(inputs)}
        shapes = {self.names[raw]: batch.operand(sizes).shape for raw, sizes in inputs.items()}
        self.builder = NetworkBuilder(name, shapes)
        self.maker = LayerMaker(self.builder, batch)
        self.shapes = Shapes(model.graph, batch)
        self.constants = ConstantReader(self.shapes, folder)
        self.functions = {(function.domain, function.name, function.overload): function for function in model.functions}
        self.opsets = {domain_of(opset): opset.version for opset in model.opset_import}
        self.scope = GraphScope(self.opsets)
        self.takers: dict[str, list[Any]] = defaultdict(list)
        """Tensor of the main graph to what takes it: nodes, with their subgraphs, and outputs."""
        for node in model.graph.node:
            for taken in names_taken(node):
                self.takers[taken].append(node)
        for value in model.graph.output:
            self.takers[value.name].append(value)
        self.count = 0
        self.done: set[str] = set()
        """First outputs of the nodes that became part of the layer of another."""

    @property
    def faults(self) -> int:
        """How many nodes have no shape, or another than the file says."""
        return self.shapes.faults

    def read(self) -> None:
        """Read all nodes."""
        graph = self.model.graph
        types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
        for raw, sizes in self.inputs.items():
            value = OnnxTensor(tensor_type(types.get(raw, 1), sizes), sizes, self.names[raw])
            self.scope.set(raw, value, graph)
        self._initializers(graph, self.scope)
        self._leaves()
        self._nodes(graph.node, self.scope)
        for output in graph.output:
            found = self.scope.values.get(output.name)
            if found is not None and found.sizes is not None:
                self.shapes.compare(output.name, found.sizes)

    def network(self) -> Network:
        """Return the network of what was read."""
        layers = self.builder.layers
        sources = []
        for value in self.model.graph.output:
            found = self.scope.values.get(value.name)
            if found is None:
                raise UserError(f"no node gives the output {quote(value.name)}")
            sources.append(found.source or self.maker.constant(found, value.name))
        for name, owner in layers.owners.items():
            raw = self.maker.names.raw.get(name, name)
            if raw != str(owner):
                layers.renames[str(owner)] = raw
        sources = [source for source in sources if source not in layers.inputs]
        layers.untie_vectors()
        layers.every, names = with_attention(layers.every, sources)
        return self.builder.network([names.get(source, source) for source in sources])

    def _leaves(self) -> None:
        """Count the nodes in each module."""
        for node in self.model.graph.node:
            path = module_path(node) if node.op_type != "Constant" else None
            while path:
                self.maker.leaves[path] += 1
                path = path.rpartition(".")[0]

    def _initializers(self, graph: Any, scope: GraphScope) -> None:
        for tensor in graph.initializer:
            if tensor.name not in scope.values:
                scope.values[tensor.name] = self.constants.stored(tensor, tensor.name)
            elif tensor.name not in self.inputs:
                raise UserError(f"two stored tensors have the name {quote(tensor.name)}")
        for sparse in graph.sparse_initializer:
            sizes = checked(sparse.dims, f"the stored tensor {quote(sparse.values.name)}")
            type = tensor_type(sparse.values.data_type, sizes)
            stored = StoredTensor(sparse.values.name, sizes, True)
            scope.values[stored.name] = OnnxTensor(type, sizes, origins=(stored,))

    def _nodes(self, nodes: Sequence[Any], scope: GraphScope) -> None:
        for node in nodes:
            self._count(1 if scope is self.scope else 1 + node.ByteSize() // 1024)
            if not (node.output and node.output[0] in self.done and scope is self.scope):
                self._node(node, scope)

    def _count(self, nodes: int) -> None:
        """Count nodes that are read, those of a function again for each of its calls."""
        self.count += nodes
        if self.count > MOST_NODES:
            raise UserError(f"it has more than {MOST_NODES:,} nodes, with those of its functions")

    def _node(self, node: Any, scope: GraphScope) -> None:
        function = self.functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            self._function(node, function, scope)
            return
        inputs = [scope.get(name, node) if name else None for name in node.input]
        read = OnnxNode(node, inputs, attributes_of(node), scope)
        given = self._given(read)
        if given is None:
            given = self._layers(read)
        for name, value in zip(node.output, given, strict=False):
            if name:
                scope.set(name, value, node)

    def _given(self, node: OnnxNode) -> list[OnnxTensor] | None:
        """Return the outputs of a node that needs no layer; None for others."""
        schema = self.shapes.schema(node)  # which refuses a wrong number of inputs
        operation = node.operation if node.domain == "" and schema is not None else ""
        if operation == "If":
            return self._branch(node)
        if subgraphs(node.proto):
            return None
        passed = _passed_on(node, operation)
        return self.constants.outputs(node, operation) if passed is None else [passed]

    def _layers(self, node: OnnxNode) -> list[OnnxTensor]:
        """Return the outputs of a node that becomes layers."""
        proto, scope = node.proto, node.scope
        path = module_path(proto)
        name = legal(proto.name) if path is None and scope.path is None else ""
        place = (scope.path if path is None else path) or "", name
        if node.domain or self.shapes.schema(node) is None or node.operation in OPAQUE or subgraphs(proto):
            tensors = [*node.present, *self._captured(node)]
            return self.maker.opaque(node, tensors, self.shapes.declared(node), place)
        _say_defaults(node)
        node = self.shapes.repaired(node)
        types, named = self.shapes.infer(node), self.shapes.named(node)
        fused = self._bias(node)
        if fused is not None:
            named["bias"] = fused[0]
        used = [
            index for index, output in enumerate(proto.output) if output and (self.takers[output] or not scope.is_main)
        ]
        found = self.maker.of(node, named, types, place, used)
        if fused is not None:
            self.done.add(fused[1])
            scope.set(fused[1], found[0], proto)
        return found

    def _bias(self, node: OnnxNode) -> tuple[OnnxTensor, str] | None:
        """Return the stored vector that the only taker of a product with a stored matrix adds, and the sum's name."""
        if node.operation != "MatMul" or node.scope is not self.scope or len(node.inputs) != 2:
            return None
        matrix, product_name = node.inputs[1], node.proto.output[0]
        if len(self.takers[product_name]) != 1:
            return None
        (taker,) = self.takers[product_name]
        if getattr(taker, "op_type", "") != "Add" or len(taker.input) != 2 or not taker.output:
            return None
        if matrix is None or matrix.source is not None or not matrix.origins or len(matrix.sizes or ()) != 2:
            return None
        other = next((name for name in taker.input if name != product_name), "")
        bias = self.scope.values.get(other)
        if bias is None or bias.source is not None or bias.sizes != (matrix.sizes or ())[1:] or not bias.origins:
            return None
        if taker.output[0] in self.scope.values or not bias.is_real or bias.macs:
            return None
        if len(bias.origins) != 1 or product(bias.origins[0].sizes) != bias.count:
            return None
        return bias, taker.output[0]

    def _captured(self, node: OnnxNode) -> list[OnnxTensor]:
        """Return the tensors around a node that its subgraphs take, and those that they store."""
        graphs = list(nested(node.proto))
        if not graphs:
            return []
        found: dict[str, OnnxTensor | None] = {}
        inside: set[str] = set()
        for graph in graphs:
            self._count(len(graph.node))
            for tensor in graph.initializer:
                found[tensor.name] = self.constants.stored(tensor, tensor.name)
            for inner in graph.node:
                inside.update(inner.output)
                for attribute in inner.attribute if inner.op_type == "Constant" else ():
                    if attribute.HasField("t") and inner.output:
                        found[inner.output[0]] = self.constants.stored(attribute.t, inner.output[0], True)
            inside.update(value.name for value in graph.input)
        for name in names_taken(node.proto):
            if name and name not in inside and name not in found and name not in node.proto.input:
                found[name] = node.scope.get(name, node.proto)
        return [value for value in found.values() if value is not None]

    def _branch(self, node: OnnxNode) -> list[OnnxTensor] | None:
        """Return the outputs of the branch of an `If` whose condition is known; None if it is not."""
        condition, scope, proto = node.first, node.scope, node.proto
        if condition is None or condition.data is None or condition.data.size != 1:
            return None
        wanted = "then_branch" if condition.data.ravel()[0] else "else_branch"
        graph = next(
            (attribute.g for attribute in proto.attribute if attribute.name == wanted and attribute.HasField("g")), None
        )
        if graph is None:
            return None
        inner = GraphScope(scope.opsets, scope, scope.attributes, module_path(proto) or scope.path, scope.depth + 1)
        self._initializers(graph, inner)
        self._nodes(graph.node, inner)
        found = [inner.get(value.name, proto) for value in graph.output]
        return [tensor for tensor in found if tensor is not None]

    def _function(self, node: Any, function: Any, scope: GraphScope) -> None:
        """Read the body of a function where it is called."""
        attributes = {attribute.name: attribute for attribute in function.attribute_proto}
        attributes.update({attribute.name: attribute for attribute in node.attribute})
        opsets = {domain_of(opset): opset.version for opset in function.opset_import} or scope.opsets
        path = module_path(node)
        inner = GraphScope(opsets, None, attributes, scope.path if path is None else path, scope.depth + 1)
        if inner.path is None:
            inner.path = legal(node.name) or legal(node.op_type)
        given = [*node.input, *[""] * len(function.input)]
        for name, own in zip(function.input, given, strict=False):
            inner.values[name] = scope.get(own, node) if own else None
        self._nodes([bound_node(body_node, attributes) for body_node in function.node], inner)
        for name, own in zip(node.output, function.output, strict=False):
            if name:
                scope.set(name, inner.get(own, node), node)


def _passed_on(node: OnnxNode, operation: str) -> OnnxTensor | None:
    """Return the first input, perhaps in another type, of an operation that gives no more; None for others."""
    first, like = node.first, node.input(1)
    if first is None:
        return None
    element = first.element
    if operation == "CastLike" and like is not None:
        element = like.element
    elif first.source is None:
        return None
    elif operation == "Cast":
        element = node.attributes.get("to", element)
    elif operation not in SAME and not (operation == "Pad" and _adds_nothing(node)):
        return None
    arrays = None if first.data is None else fold("Cast", [first.data], {"to": element})
    return replace(first, type=tensor_type(element, first.sizes), data=arrays and arrays[0])


def _adds_nothing(node: OnnxNode) -> bool:
    """Return True for a `Pad` by no element."""
    amounts = node.input(1)
    asked = amounts.data if amounts is not None else node.attributes.get("pads")
    return asked is not None and not any(int(amount) for amount in asked)


def _say_defaults(node: OnnxNode) -> None:
    """Say in the attributes what an old version of an operation means without saying it."""
    attributes, version = node.attributes, node.scope.opsets.get(node.domain, 0)
    if node.operation in ("Softmax", "LogSoftmax", "Hardmax") and version < 13:
        sizes = (node.first.sizes if node.first is not None else None) or ()
        axis = attributes.get("axis", 1)
        rest = sizes[axis + 1 :] if axis != -1 else ()
        # All axes from this one on are taken together; it is no operator of archcalc's if there are several.
        attributes["axis"] = axis if all(size == 1 for size in rest) else None
    elif node.operation == "Resize" and version < 11:
        attributes.update(coordinate_transformation_mode="asymmetric", nearest_mode="floor")
