"""What is visible where a node of an ONNX model stands, and what its attributes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archcalc.errors import UserError
from archcalc.imports.onnx_tensors import OnnxTensor
from archcalc.words import quote

DEEPEST = 40
"""How deeply functions and subgraphs may be nested."""


@dataclass
class GraphScope:
    """The tensors of a graph, or of the body of a function."""

    opsets: Mapping[str, int]
    """Domain to the version of its operators."""
    parent: GraphScope | None = None
    """The graph around a subgraph, whose tensors it may use."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Of a function's call, as `AttributeProto`."""
    path: str | None = None
    """Path of the module that calls the function."""
    depth: int = 0
    values: dict[str, OnnxTensor | None] = field(default_factory=dict)
    """None for an input of a function that its call leaves out."""

    def __post_init__(self) -> None:
        if self.depth > DEEPEST:
            raise UserError(f"its functions or subgraphs are nested more than {DEEPEST} deep")

    @property
    def is_main(self) -> bool:
        """True for the model's own graph and its branches, False inside of a function."""
        return self.depth == 0 if self.parent is None else self.parent.is_main

    def get(self, name: str, node: Any) -> OnnxTensor | None:
        """Return a tensor. Raises `UserError` if nothing before the node gives it."""
        scope: GraphScope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        raise UserError(
            f"{described(node)} takes {quote(name)}, which no node before it gives, and which is not an input"
        )

    def set(self, name: str, value: OnnxTensor | None, node: Any) -> None:
        """Add a tensor. Raises `UserError` if another has its name."""
        if name in self.values:
            raise UserError(f"{described(node)} gives {quote(name)}, a name that another tensor has")
        self.values[name] = value


@dataclass
class OnnxNode:
    """A node where it stands: its message, the tensors that it takes, and its attributes by name."""

    proto: Any
    inputs: list[OnnxTensor | None]
    """None for those that are left out."""
    attributes: dict[str, Any]
    """As `attributes_of`."""
    scope: GraphScope

    @property
    def operation(self) -> str:
        """The name of its operation, which may be another domain's."""
        return str(self.proto.op_type)

    @property
    def domain(self) -> str:
        """Where its operation is defined; empty for ONNX's own."""
        return domain_of(self.proto)

    @property
    def first(self) -> OnnxTensor | None:
        """Its first input; None without one."""
        return self.input(0)

    def input(self, index: int) -> OnnxTensor | None:
        """Return an input; None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def present(self) -> list[OnnxTensor]:
        """The inputs that are not left out."""
        return [tensor for tensor in self.inputs if tensor is not None]


def domain_of(named: Any) -> str:
    """Return the domain of a node, a function or an import of operators; empty for ONNX's own."""
    return "" if named.domain == "ai.onnx" else str(named.domain)


def described(node: Any) -> str:
    """Return the words for a node in a message."""
    return f"the node {quote(node.name)} ({node.op_type})" if node.name else f"a node {node.op_type}"


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes of a node by name: numbers, words and lists of them, tensors as `TensorProto`."""
    from onnx import AttributeProto as Kind

    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == Kind.INT:
            found[attribute.name] = attribute.i
        elif attribute.type == Kind.FLOAT:
            # 0.1, not 0.10000000149
            found[attribute.name] = float(f"{attribute.f:.7g}") if abs(attribute.f) < 1 else attribute.f
        elif attribute.type == Kind.STRING:
            found[attribute.name] = attribute.s.decode("utf-8", "replace")
        elif attribute.type == Kind.INTS:
            found[attribute.name] = list(attribute.ints)
        elif attribute.type == Kind.FLOATS:
            found[attribute.name] = list(attribute.floats)
        elif attribute.type == Kind.STRINGS:
            found[attribute.name] = [text.decode("utf-8", "replace") for text in attribute.strings]
        elif attribute.type == Kind.TENSOR:
            found[attribute.name] = attribute.t
    return found


def subgraphs(node: Any) -> list[Any]:
    """Return the graphs among the attributes of a node."""
    return [
        graph
        for attribute in node.attribute
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs)
    ]


def nested(node: Any) -> Iterator[Any]:
    """Yield the graphs of a node and the graphs inside them."""
    pending = subgraphs(node)
    while pending:
        graph = pending.pop()
        yield graph
        pending += [inner for graph_node in graph.node for inner in subgraphs(graph_node)]


def names_taken(node: Any) -> Iterator[str]:
    """Yield the names of the tensors that a node takes, also in its subgraphs."""
    yield from node.input
    for graph in nested(node):
        for inner in graph.node:
            yield from inner.input
        yield from (value.name for value in graph.output)


def bound_node(node: Any, attributes: Mapping[str, Any]) -> Any:
    """Return a node of a function's body with the attributes that the function's call gives."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            copy.attribute.add().CopyFrom(attribute)
        elif attribute.ref_attr_name in attributes:
            added = copy.attribute.add()
            added.CopyFrom(attributes[attribute.ref_attr_name])
            added.name = attribute.name
    return copy
