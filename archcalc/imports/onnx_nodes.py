"""The nodes of an ONNX model, one after another: constants are folded, the others become layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archcalc.arithmetic import Shape, product
from archcalc.errors import UserError
from archcalc.imports.builder import NetworkBuilder
from archcalc.imports.onnx_attention import with_attention
from archcalc.imports.onnx_folding import RULES, fold
from archcalc.imports.onnx_inputs import Batch
from archcalc.imports.onnx_layers import Layers
from archcalc.imports.onnx_names import legal, module_path
from archcalc.imports.onnx_scope import GraphScope, attributes_of, bound_node, described, names_taken, nested, subgraphs
from archcalc.imports.onnx_shapes import Shapes
from archcalc.imports.onnx_tensors import INTEGERS, OnnxTensor, StoredTensor, checked, read_data, tensor_type
from archcalc.imports.onnx_work import OPAQUE, multiply_adds
from archcalc.network import Network
from archcalc.ops.calls import Operand
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
        self.folder = folder
        self.inputs = inputs
        self.batch = batch
        self.names = {raw: legal(raw) or f"input{at}" for at, raw in enumerate(inputs)}
        if len(set(self.names.values())) < len(inputs):
            self.names = {raw: f"input{at}" for at, raw in enumerate(inputs)}
        shapes = {self.names[raw]: self._per_sample(sizes) for raw, sizes in inputs.items()}
        self.builder = NetworkBuilder(name, shapes)
        self.layers = Layers(self.builder, batch)
        self.shapes = Shapes(model.graph, batch)
        self.functions = {(one.domain, one.name, one.overload): one for one in model.functions}
        self.opsets = {_domain(one.domain): one.version for one in model.opset_import}
        self.scope = GraphScope(self.opsets)
        self.takers = Counter(name for node in model.graph.node for name in names_taken(node))
        self.takers.update(value.name for value in model.graph.output)
        self.count = 0
        self.done: set[str] = set()
        """First outputs of the nodes that became part of the layer of another."""

    @property
    def faults(self) -> int:
        """How many nodes have no shape, or another than the file says."""
        return self.shapes.faults

    def _per_sample(self, sizes: Shape) -> Shape:
        return Operand("", sizes, *self.batch.axis(sizes)).shape

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
        sources = []
        for value in self.model.graph.output:
            found = self.scope.values.get(value.name)
            if found is None:
                raise UserError(f"no node gives the output {quote(value.name)}")
            sources.append(found.source or self.layers.constant(found, value.name))
        for name, owner in self.builder.layers.owners.items():
            raw = self.layers.names.raw(name)
            if raw != str(owner):
                self.builder.layers.renames[str(owner)] = raw
        sources = [source for source in sources if source not in self.builder.layers.inputs]
        layers = self.builder.layers
        layers.untie_vectors()
        layers.every, names = with_attention(layers.every, sources)
        return self.builder.network([names.get(source, source) for source in sources])

    def _leaves(self) -> None:
        """Count the nodes in each module."""
        for node in self.model.graph.node:
            path = module_path(node) if node.op_type != "Constant" else None
            while path:
                self.layers.leaves[path] += 1
                path = path.rpartition(".")[0]

    def _initializers(self, graph: Any, scope: GraphScope) -> None:
        for tensor in graph.initializer:
            if tensor.name not in scope.values:
                scope.values[tensor.name] = self.stored(tensor, tensor.name, False)
            elif tensor.name not in self.inputs:
                raise UserError(f"two stored tensors have the name {quote(tensor.name)}")
        for sparse in graph.sparse_initializer:
            sizes = checked(sparse.dims, f"the stored tensor {quote(sparse.values.name)}")
            type = tensor_type(sparse.values.data_type, sizes)
            stored = StoredTensor(sparse.values.name, sizes, True)
            scope.values[stored.name] = OnnxTensor(type, sizes, origins=(stored,))

    def stored(self, tensor: Any, name: str, in_node: bool) -> OnnxTensor:
        """Return a tensor that the file stores."""
        sizes = checked(tensor.dims, f"the stored tensor {quote(name)}")
        found = OnnxTensor(tensor_type(tensor.data_type, sizes), sizes)
        if found.element in INTEGERS or found.count <= 16:
            found.data = read_data(tensor, sizes, self.folder)
        elif tensor.data_location == 1:
            from archcalc.imports.onnx_model import external_bytes

            external_bytes(tensor, self.folder, 0)  # only looks where it is
        found.origins = (StoredTensor(name, sizes, found.is_real, in_node),)
        return found

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
        attributes = attributes_of(node)
        given = self._given(node, inputs, attributes, scope)
        if given is None:
            given = self._layers(node, inputs, attributes, scope)
        for name, value in zip(node.output, given, strict=False):
            if name:
                scope.set(name, value, node)

    def _given(
        self, node: Any, inputs: list[Any], attributes: dict[str, Any], scope: GraphScope
    ) -> list[OnnxTensor] | None:
        """Return the outputs of a node that needs no layer; None for others."""
        schema = self.shapes.schema(node, scope)  # which refuses a wrong number of inputs
        operation = node.op_type if _domain(node.domain) == "" and schema is not None else ""
        if operation == "If":
            return self._branch(node, inputs, scope)
        if subgraphs(node):
            return None
        if operation == "Constant":
            return self._constant(node, attributes)
        first = inputs[0] if inputs else None
        if operation in ("Shape", "Size") and first is not None and first.sizes is not None:
            return [_sizes_as_data(operation, first.sizes, attributes)]
        if operation == "Pad" and first is not None and first.source is not None and _adds_nothing(inputs, attributes):
            return [OnnxTensor(first.type, first.sizes, first.source)]
        if operation in SAME and first is not None and first.source is not None:
            element = attributes.get("to", first.element) if operation == "Cast" else first.element
            element = inputs[1].element if operation == "CastLike" and len(inputs) > 1 and inputs[1] else element
            return [OnnxTensor(tensor_type(element, first.sizes), first.sizes, first.source)]
        if operation == "CastLike" and first is not None and len(inputs) > 1 and inputs[1] is not None:
            element = inputs[1].element
            return [replace(first, type=tensor_type(element, first.sizes))]
        if any(one is not None and one.source is not None for one in inputs):
            return None
        return self._folded(node, operation, inputs, attributes, scope)

    def _folded(
        self, node: Any, operation: str, inputs: list[Any], attributes: dict[str, Any], scope: GraphScope
    ) -> list[OnnxTensor] | None:
        """Return the outputs of a node that depends on constants alone; None if their sizes are not known."""
        present = [one for one in inputs if one is not None]
        origins = tuple(dict.fromkeys(origin for one in present for origin in one.origins))
        from_sizes = any(one.from_sizes for one in present)
        macs = sum(one.macs for one in present)
        if operation in RULES and all(one.data is not None for one in present):
            plain = {**attributes, "outputs": len(node.output)}
            if "value" in plain:
                plain["value"] = read_data(plain["value"], tuple(plain["value"].dims), self.folder)
            arrays = fold(operation, [one and one.data for one in inputs], plain)
            if arrays is not None and operation == "ConstantOfShape":
                return [replace(self._filled(node, present[0], attributes), data=arrays[0])]
            if arrays is not None:
                return [_of_array(one, origins, from_sizes, macs) for one in arrays]
        if operation == "ConstantOfShape" and inputs and inputs[0] is not None and inputs[0].data is not None:
            return [self._filled(node, inputs[0], attributes)]
        if operation in OPAQUE or operation == "":
            return None
        types = self.shapes.infer(node, inputs, attributes, scope)
        found: list[OnnxTensor] = []
        for name in node.output:
            type, sizes = types.get(name, (tensor_type(0, None), None))
            if name and sizes is None:
                return None
            value = OnnxTensor(type, sizes, origins=origins, from_sizes=from_sizes)
            named = self.shapes.by_name(node, inputs, scope)
            work = multiply_adds(operation, named, sizes or (), attributes)
            if work is None:
                return None
            value.macs = macs + (0 if found else work)
            if operation == "DequantizeLinear" and inputs and inputs[0] is not None:
                value.origins = tuple(StoredTensor(one.name, one.sizes, True, one.in_node) for one in inputs[0].origins)
            found.append(value)
        return found

    def _constant(self, node: Any, attributes: Mapping[str, Any]) -> list[OnnxTensor] | None:
        """Return the value of a node `Constant`."""
        import numpy

        name = node.output[0] if node.output else ""
        if "value" in attributes and hasattr(attributes["value"], "dims"):
            return [self.stored(attributes["value"], name, True)]
        for key, kind in (("value_int", "i8"), ("value_ints", "i8"), ("value_float", "f4"), ("value_floats", "f4")):
            if key in attributes:
                found = _of_array(numpy.asarray(attributes[key], kind), (), False, 0)
                found.origins = (StoredTensor(name, found.sizes or (), found.is_real, True),)
                return [found]
        return None

    def _filled(self, node: Any, shape: OnnxTensor, attributes: Mapping[str, Any]) -> OnnxTensor:
        """Return the tensor of a node `ConstantOfShape`."""
        sizes = checked([int(size) for size in shape.data.ravel()], f"the output of {described(node)}")
        value = attributes.get("value")
        found = OnnxTensor(tensor_type(value.data_type if value is not None else 1, sizes), sizes)
        found.from_sizes = shape.from_sizes
        if not shape.from_sizes:
            made = any(one.is_made for one in shape.origins)
            found.origins = (StoredTensor(node.output[0], sizes, found.is_real, made),)
        return found

    def _layers(self, node: Any, inputs: list[Any], attributes: dict[str, Any], scope: GraphScope) -> list[OnnxTensor]:
        """Return the outputs of a node that becomes layers."""
        path = module_path(node)
        name = legal(node.name) if path is None and scope.path is None else ""
        place = (scope.path if path is None else path) or "", name
        is_unknown = _domain(node.domain) or self.shapes.schema(node, scope) is None
        if is_unknown or node.op_type in OPAQUE or subgraphs(node):
            types = self.shapes.declared(node, inputs)
            return self.layers.opaque(node, [*inputs, *self._captured(node, scope)], types, place)
        _of_version(node.op_type, scope.opsets.get(_domain(node.domain), 0), inputs, attributes)
        inputs = self.shapes.repaired(node, inputs)
        types = self.shapes.infer(node, inputs, attributes, scope)
        named = self.shapes.named(node, inputs, scope)
        fused = self._bias(node, inputs, scope)
        if fused is not None:
            named["bias"] = fused
        used = [at for at, one in enumerate(node.output) if one and (self.takers[one] or not scope.is_main)]
        found = self.layers.of(node, named, attributes, types, place, used)
        if fused is not None:
            scope.set(next(iter(self.takers_of[node.output[0]])).output[0], found[0], node)
        return found

    @property
    def takers_of(self) -> Mapping[str, list[Any]]:
        """Tensor of the main graph to the nodes that take it, if it is the output of a `MatMul`."""
        if not hasattr(self, "_takers_of"):
            found: dict[str, list[Any]] = {
                node.output[0]: [] for node in self.model.graph.node if node.op_type == "MatMul" and node.output
            }
            for node in self.model.graph.node:
                for name in node.input:
                    if name in found:
                        found[name].append(node)
            self._takers_of = found
        return self._takers_of

    def _bias(self, node: Any, inputs: Sequence[Any], scope: GraphScope) -> OnnxTensor | None:
        """Return the stored vector that the only taker of a product with a stored matrix adds to it."""
        if node.op_type != "MatMul" or scope is not self.scope or len(inputs) != 2 or self.takers[node.output[0]] != 1:
            return None
        matrix = inputs[1]
        takers = self.takers_of[node.output[0]]
        if not takers or takers[0].op_type != "Add" or len(takers[0].input) != 2 or not takers[0].output:
            return None
        if matrix is None or matrix.source is not None or not matrix.origins or len(matrix.sizes or ()) != 2:
            return None
        other = next((name for name in takers[0].input if name != node.output[0]), "")
        bias = scope.values.get(other)
        if bias is None or bias.source is not None or bias.sizes != matrix.sizes[1:] or not bias.origins:
            return None
        if takers[0].output[0] in scope.values or not bias.is_real or bias.macs:
            return None
        if len(bias.origins) != 1 or product(bias.origins[0].sizes) != bias.count:
            return None
        self.done.add(takers[0].output[0])
        return bias

    def _captured(self, node: Any, scope: GraphScope) -> list[OnnxTensor]:
        """Return the tensors around a node that its subgraphs take, and those that they store."""
        graphs = list(nested(node))
        if not graphs:
            return []
        found: dict[str, OnnxTensor | None] = {}
        inside: set[str] = set()
        for graph in graphs:
            self._count(len(graph.node))
            for tensor in graph.initializer:
                found[tensor.name] = self.stored(tensor, tensor.name, False)
            for one in graph.node:
                inside.update(one.output)
                for attribute in one.attribute if one.op_type == "Constant" else ():
                    if attribute.HasField("t") and one.output:
                        found[one.output[0]] = self.stored(attribute.t, one.output[0], True)
            inside.update(value.name for value in graph.input)
        for name in names_taken(node):
            if name and name not in inside and name not in found and name not in node.input:
                found[name] = scope.get(name, node)
        return [one for one in found.values() if one is not None]

    def _branch(self, node: Any, inputs: Sequence[Any], scope: GraphScope) -> list[OnnxTensor] | None:
        """Return the outputs of the branch of an `If` whose condition is known; None if it is not."""
        condition = inputs[0] if inputs else None
        if condition is None or condition.data is None or condition.data.size != 1:
            return None
        wanted = "then_branch" if condition.data.ravel()[0] else "else_branch"
        graph = next((one.g for one in node.attribute if one.name == wanted and one.HasField("g")), None)
        if graph is None:
            return None
        inner = GraphScope(scope.opsets, scope, scope.attributes, module_path(node) or scope.path, scope.depth + 1)
        self._initializers(graph, inner)
        self._nodes(graph.node, inner)
        found = [inner.get(value.name, node) for value in graph.output]
        return [one for one in found if one is not None]

    def _function(self, node: Any, function: Any, scope: GraphScope) -> None:
        """Read the body of a function where it is called."""
        attributes = {one.name: one for one in function.attribute_proto}
        attributes.update({one.name: one for one in node.attribute})
        opsets = {_domain(one.domain): one.version for one in function.opset_import} or scope.opsets
        path = module_path(node)
        inner = GraphScope(opsets, None, attributes, scope.path if path is None else path, scope.depth + 1)
        if inner.path is None:
            inner.path = legal(node.name) or legal(node.op_type)
        given = [*node.input, *[""] * len(function.input)]
        for name, own in zip(function.input, given, strict=False):
            inner.values[name] = scope.get(own, node) if own else None
        self._nodes([bound_node(one, attributes) for one in function.node], inner)
        for name, own in zip(node.output, function.output, strict=False):
            if name:
                scope.set(name, inner.get(own, node), node)


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _adds_nothing(inputs: Sequence[OnnxTensor | None], attributes: Mapping[str, Any]) -> bool:
    """Return True for a `Pad` by no element."""
    asked = inputs[1].data if len(inputs) > 1 and inputs[1] is not None else attributes.get("pads")
    return asked is not None and not any(int(amount) for amount in asked)


def _of_version(operation: str, version: int, inputs: Sequence[OnnxTensor | None], attributes: dict[str, Any]) -> None:
    """Say in the attributes what an old version of an operation means without saying it."""
    if operation in ("Softmax", "LogSoftmax", "Hardmax") and version < 13:
        sizes = (inputs[0].sizes if inputs and inputs[0] is not None else None) or ()
        axis = attributes.get("axis", 1)
        rest = sizes[axis + 1 :] if axis != -1 else ()
        # All axes from this one on are taken together; it is no operator of archcalc's if there are several.
        attributes["axis"] = axis if all(size == 1 for size in rest) else None
    elif operation == "Resize" and version < 11:
        attributes.update(coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def _sizes_as_data(operation: str, sizes: Shape, attributes: Mapping[str, Any]) -> OnnxTensor:
    import numpy

    if operation == "Size":
        array = numpy.asarray(int(numpy.prod(sizes, dtype=object) if sizes else 1), "i8")
    else:
        array = numpy.asarray(sizes[attributes.get("start", 0) : attributes.get("end")], "i8")
    return _of_array(array, (), True, 0)


def _of_array(array: Any, origins: tuple[StoredTensor, ...], from_sizes: bool, macs: int) -> OnnxTensor:
    from onnx.helper import np_dtype_to_tensor_dtype

    return OnnxTensor(
        tensor_type(np_dtype_to_tensor_dtype(array.dtype), array.shape),
        tuple(array.shape),
        data=array,
        origins=origins,
        macs=macs,
        from_sizes=from_sizes,
    )
