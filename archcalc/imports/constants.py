"""Tensors that depend on stored ones alone: tables of positions, masks, weights that are normalized."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import fx

from archcalc.imports.builder import NetworkBuilder
from archcalc.imports.exporting import is_view
from archcalc.imports.moving import SAME
from archcalc.imports.nodes import module_path, operand_of, operation_of
from archcalc.imports.origins import Origins
from archcalc.imports.program import ProgramValues
from archcalc.imports.work import multiply_adds
from archcalc.network import Layer
from archcalc.ops.calls import Operand, Stored

ZEROS = frozenset(["zeros", "zeros_like", "new_zeros"])
VIEWS = SAME | {"expand", "permute", "reshape", "select", "slice", "transpose", "unsqueeze", "view"}


@dataclass
class Constants:
    """The constant nodes of a program, each a layer where something takes it."""

    builder: NetworkBuilder
    origins: Origins
    known: ProgramValues
    before: dict[fx.Node, Layer | None] = field(default_factory=dict)
    """Constant nodes to the layer after which they are computed; None at the start."""
    layers: dict[Any, str] = field(default_factory=dict)
    """What is computed, and the tensor that it is taken as, to its layer."""

    def __contains__(self, node: fx.Node) -> bool:
        return node in self.known.constant

    def add(self, node: fx.Node, taken: Sequence[fx.Node]) -> None:
        """Note a node that takes only constant ones and stored tensors."""
        self.known.constant[node] = taken
        self.before[node] = self.builder.layers.every[-1] if self.builder.layers.every else None

    def is_zero(self, value: Any) -> bool:
        """Return True for zeros that are made anew, and for lists of them."""
        if isinstance(value, (list, tuple)):
            return all(map(self.is_zero, value))
        if value not in self.known.constant:
            return False
        name = operation_of(value)
        return name in ZEROS or (name in VIEWS and self.is_zero(value.args[0]))

    def source(self, node: fx.Node) -> str:
        """Return the layer that gives a constant as a network's output."""
        return self.operand(node, operand_of(node.meta["val"]), "").source

    def operand(self, node: fx.Node, beside: Operand, path: str) -> Operand:
        """Return a constant as the output of a layer of its own.

        Its axes are those of the tensor ``beside`` it, so that a table for all samples goes with each of them. The
        module at ``path`` takes it. Equal views of one tensor are one layer.
        """
        operand = operand_of(node.meta["val"])
        if operand.batch is None:
            operand = Operand.beside(operand.sizes, beside)
        root, views = _root(node)
        key = (root, views, operand)
        if key not in self.layers:
            self.layers[key] = self._layer(node, root, operand, path)
        return operand._replace(source=self.layers[key])

    def _layer(self, node: fx.Node, root: fx.Node, operand: Operand, path: str) -> str:
        closure = self.known.closure(node)
        tensors = [value for value in map(self.known.values.get, closure) if isinstance(value, Stored)]
        macs = sum(multiply_adds(call) for call in closure if call.op == "call_function")
        is_one = len(tensors) == 1 and tensors[0].name
        name = tensors[0].name if is_one else f"{module_path(root)}.computed".lstrip(".")
        origin = partial(self.origins.of_computed, closure, operand)
        return self.builder.add_computed(name, operand, tensors, macs, origin, self._place(root, name, path))

    def _place(self, root: fx.Node, name: str, path: str) -> int:
        """Return where among the layers a constant belongs: where it is computed.

        A stored tensor is not computed; its layer comes before the groups that do not have it, so that they are whole.
        """
        layers = self.builder.layers.every
        if root in self.before:
            layer = self.before[root]
            places = (index + 1 for index in reversed(range(len(layers))) if layers[index] is layer)
            place = next(places, 0 if layer is None else len(layers))
            placed = set(self.layers.values())
            while place < len(layers) and layers[place].name in placed:  # in the order in which they are taken
                place += 1
            return place
        shared = _shared(name, path)
        inner = path[len(shared) :].lstrip(".").partition(".")[0]
        group = ".".join(filter(None, (shared, inner)))
        place = len(layers)
        while inner and place and f"{layers[place - 1].name}.".startswith(f"{group}."):
            place -= 1
        return place


def _shared(name: str, path: str) -> str:
    """Return the innermost module that both paths lie in."""
    found: list[str] = []
    for part, other in zip(name.split("."), path.split("."), strict=False):
        if part != other:
            break
        found.append(part)
    return ".".join(found)


def _root(node: fx.Node) -> tuple[fx.Node, tuple[Any, ...]]:
    """Return the node that computes a tensor, and the views that are taken of it."""
    views: list[Any] = []
    while len(node.all_input_nodes) == 1 and (node.target is operator.getitem or is_view(node)):
        inner = node.all_input_nodes[0]
        views.append(
            (node.target, repr([argument for argument in node.args if argument is not inner]), repr(dict(node.kwargs)))
        )
        node = inner
    return node, tuple(views)
