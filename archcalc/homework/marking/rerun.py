"""Recompute a row of the table on other inputs or with a mistake, by archcalc's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archcalc.analysis import Analysis, Counting, analyze
from archcalc.analysis.rows import TableRow
from archcalc.arithmetic import Shape
from archcalc.network import Network
from archcalc.ops.operator import Operator

Change = Callable[[Operator], Operator | None]
"""Return an operator with a mistake in it; None if the mistake cannot be made."""
SENSELESS = (ValueError, TypeError, LookupError, ArithmeticError)
"""What a rule raises on senseless sizes."""


def rerun(
    analysis: Analysis,
    row: TableRow,
    shapes: Mapping[str, Shape],
    change: Change | None = None,
    output: Shape | None = None,
    counting: Counting | None = None,
) -> TableRow | None:
    """Return the row as it would be, with its costs; None if a rule refuses it or no layer allows the mistake.

    The arguments are those of `rebuilt`; ``counting`` is the way of counting, None for the analysis' own.
    """
    part = rebuilt(analysis, row, shapes, change, output)
    if part is None:
        return None
    try:
        again = analyze(part, counting or analysis.counting)
    except SENSELESS:
        return None
    return TableRow(row.name, list(again.rows), row.of_group)


def rebuilt(
    analysis: Analysis,
    row: TableRow,
    shapes: Mapping[str, Shape],
    change: Change | None = None,
    output: Shape | None = None,
) -> Network | None:
    """Return the layers of a row as a network; None if a rule refuses them or no layer allows the mistake.

    Args:
        analysis: the analysis that the row is from.
        row: the row to recompute.
        shapes: output shapes of other layers, per sample, where they differ from the true ones.
        change: a mistake, applied to every layer of the row that allows it.
        output: the output shape to count costs with, instead of the one that the rule gives.
    """
    network = analysis.network
    given: dict[str, Shape] = {}
    made: dict[str, Shape] = {}
    layers = []
    changed = False
    try:
        for costs in row.layers:
            layer = costs.layer
            for source in layer.inputs:
                if source not in made:
                    given[source] = shapes.get(source) or network.shape_of(source)
            inputs = tuple(made.get(source) or given[source] for source in layer.inputs)
            op = layer.op if inputs == layer.op.inputs else type(layer.op)(inputs, **layer.op.given)
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
