"""What a reader of an exported program knows of its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx

from archcalc.ops.calls import Stored


class ProgramValues:
    """The tensors that a program stores, and what its nodes are, as far as they are read."""

    def __init__(self, program: Any) -> None:
        signature, nodes = program.graph_signature, program.graph.nodes
        self.stored: dict[str, str] = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        """Name of a placeholder to the name of its stored tensor."""
        self.placeholders: dict[str, fx.Node] = {
            self.stored[node.name]: node for node in nodes if node.name in self.stored
        }
        """Name of each stored tensor to its placeholder."""
        self.tensors: dict[str, Tensor] = {**program.state_dict, **program.constants}
        """Name of each stored tensor to itself."""
        self.values: dict[fx.Node, Any] = {}
        """Node to its `Operand`, `Stored`, number, or module; a list for several outputs."""
        self.constant: dict[fx.Node, Sequence[fx.Node]] = {}
        """Nodes that depend on stored tensors alone, with the nodes that they take."""
        self.arguments: dict[fx.Node, Any] = {}
        """What each node was as an argument of the last call that took it."""
        self.positions: dict[fx.Node, int] = {}
        """Order in which the nodes are read."""
        self._program = program

    def stored_at(self, node: fx.Node) -> Stored | float:
        """Return the stored tensor of a placeholder; the number, if it is a constant of one."""
        name, program = self.stored[node.name], self._program
        value = program.constants.get(name)
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta:
            return float(value) if value.is_floating_point() else int(value)
        is_trained = node.name in program.graph_signature.inputs_to_parameters
        return Stored(name, tuple(node.meta["val"].shape), is_trained, name in program.state_dict)

    def closure(self, node: fx.Node) -> list[fx.Node]:
        """Return a constant node and all that it depends on, each before what it takes."""
        found: dict[fx.Node, None] = {}
        pending = [node]
        while pending:
            current = pending.pop()
            if current not in found:
                found[current] = None
                pending += self.constant.get(current, ())
        return sorted(found, key=self.positions.__getitem__, reverse=True)
