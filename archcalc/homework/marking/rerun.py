"""Recompute a row of the table on other inputs or with a mistake, by archcalc's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcalc.analysis import Counting, analyze
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.homework.key import AnswerKey
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.structs import replace

Change = Callable[[Operator], Operator | None]
"""Return an operator with a mistake in it; None if the mistake cannot be made."""
SENSELESS = (ValueError, TypeError, LookupError, ArithmeticError)
"""What a rule raises on senseless sizes."""


class Reruns:
    """A row as mistakes change it, computed once for all questions.

    Args:
        key: the homework.
        row: a row of it, or a part of one.
        shapes: output shapes of other layers, per sample, where they differ from the true ones.
    """

    def __init__(self, key: AnswerKey, row: TableRow, shapes: Mapping[str, Shape]) -> None:
        self.key = key
        self.row = row
        self.shapes = shapes
        self._known: dict[tuple[Any, ...], TableRow | None] = {}

    def with_mistakes(self, *changes: Change, **counting: Any) -> TableRow | None:
        """Return the row after mistakes, or counted in another way; None if a mistake cannot be made."""
        index = (*changes, *sorted(counting.items()))
        if index not in self._known:
            counted = replace(self.key.analysis.counting, **counting)
            self._known[index] = self._counted(self.network(_joined(changes)), counted)
        return self._known[index]

    def counted_on(self, output: Shape | None) -> TableRow | None:
        """Return the row counted on an output shape; None if a rule refuses it."""
        index = ("output", output)
        if index not in self._known:
            self._known[index] = self._counted(self.network(output=output), self.key.analysis.counting)
        return self._known[index]

    def _counted(self, network: Network | None, counting: Counting) -> TableRow | None:
        if network is None:
            return None
        try:
            again = analyze(network, counting)
        except SENSELESS:
            return None
        return TableRow(self.row.name, list(again.rows), self.row.of_group)

    def network(self, change: Change | None = None, output: Shape | None = None) -> Network | None:
        """Return the layers of the row as a network; None if a rule refuses them or no layer allows the mistake.

        Args:
            change: a mistake, applied to every layer of the row that allows it.
            output: the output shape to count costs with, instead of the one that the rule gives.
        """
        network = self.key.network
        given: dict[str, Shape] = {}
        made: dict[str, Shape] = {}
        layers = []
        changed = False
        try:
            for costs in self.row.layers:
                layer = costs.layer
                for source in layer.inputs:
                    if source not in made:
                        given[source] = self.shapes.get(source) or network.shape_of(source)
                inputs = tuple(made.get(source) or given[source] for source in layer.inputs)
                op = layer.op if inputs == layer.op.inputs else layer.op.remade(inputs, layer.op.given)
                mistaken = change(op) if change is not None else None
                changed = changed or mistaken is not None
                op = mistaken or op
                if output is not None and len(op.output) == len(output):
                    op = op.with_output(output)
                layers.append(layer.rewired(op, layer.inputs))
                made[layer.name] = op.output
            if change is not None and not changed:
                return None
            axes = {source: network.axes[source] for source in given}
            return Network(network.name, given, tuple(layers), (layers[-1].name,), input_axes=axes)
        except SENSELESS:
            return None


def _joined(changes: tuple[Change, ...]) -> Change | None:
    """Return the change that makes all mistakes that can be made; its result is None if the last one cannot."""
    if len(changes) < 2:
        return changes[0] if changes else None

    def change(op: Operator) -> Operator | None:
        for earlier in changes[:-1]:
            op = earlier(op) or op
        return changes[-1](op)

    return change
