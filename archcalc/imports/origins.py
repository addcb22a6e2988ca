"""How layers of a traced module are run again where no operator says what they do: for a module that is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import fx

from archcalc.imports.mapping import Mapped
from archcalc.imports.program import ProgramValues
from archcalc.imports.replay import Replay
from archcalc.ops.calls import Operand, Stored


@dataclass
class Origins:
    """Makes the origins of layers from what a reader of an exported program has read so far."""

    known: ProgramValues
    from_stored: Mapping[Operand, Stored]
    """Outputs of layers that are stored tensors."""

    def of_call(self, node: fx.Node, output: Operand, item: int | None, mapped: Mapped) -> Replay:
        """Return the origin of a call's layer; ``item`` is the number of its output, None if it has one."""
        sources = [self.from_stored.get(operand, operand) for operand in mapped.inputs]
        taken = node.all_input_nodes
        inputs = [
            (argument, mapped.inputs[number], number)
            for argument in taken
            for number, source in enumerate(sources)
            if source == self.known.arguments.get(argument)
        ]
        made = [
            argument
            for argument in taken
            if argument in self.known.constant and argument not in {each for each, *_ in inputs}
        ]
        nodes = [
            each for argument in made for each in reversed(self.known.closure(argument)) if each.op == "call_function"
        ]
        same = [view for argument in taken for view in self._views_of_stored(argument)]
        return self._replay([*nodes, *same, node], node, output, inputs, mapped, item)

    def of_stored(self, stored: Stored, output: Operand) -> Callable[[Mapped], Replay]:
        """Return what makes the origin of a stored tensor that is used like a computed one."""
        return lambda mapped: self._replay([], self.known.placeholders[stored.name], output, [], mapped)

    def of_computed(self, closure: Sequence[fx.Node], output: Operand, mapped: Mapped) -> Replay:
        """Return the origin of a tensor that depends on stored ones alone, from the nodes that compute it."""
        nodes = [node for node in reversed(closure) if node.op == "call_function"]
        return self._replay(nodes, closure[0], output, [], mapped)

    def _views_of_stored(self, node: fx.Node) -> list[fx.Node]:
        """Return the calls that give a stored tensor as it is, in order."""
        found: list[fx.Node] = []
        while node.op == "call_function" and isinstance(self.known.values.get(node), Stored):
            found.insert(0, node)
            node = node.all_input_nodes[0]
        return found

    def _replay(
        self,
        nodes: Sequence[fx.Node],
        result: fx.Node,
        output: Operand,
        inputs: Sequence[tuple[fx.Node, Operand, int]],
        mapped: Mapped,
        item: int | None = None,
    ) -> Replay:
        known = self.known
        tensors = {
            name: (stored, known.placeholders[stored.name], known.tensors[stored.name])
            for name, stored in mapped.weights.items()
        }
        arguments = {argument for node in nodes for argument in node.all_input_nodes}
        numbers = {
            argument: known.tensors[known.stored[argument.name]]
            for argument in arguments
            if isinstance(known.values.get(argument), (int, float))
        }
        return Replay(nodes, result, output, inputs, tensors, numbers, item)
