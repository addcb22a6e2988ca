"""The rows of a table: layers, layers with what follows them folded in, or groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from archcalc.analysis import LayerCosts, Totals
from archcalc.arithmetic import Shape
from archcalc.ops.naming import AxisNames
from archcalc.receptive.fields import ReceptiveField
from archcalc.structs import Struct

FOLDED = frozenset({"activation", "normalization", "regularization"})
"""Categories that the lectures include in the row of the layer before them."""


class TableRow(Struct):
    """A row of a table: one layer, or several with their costs summed."""

    name: str
    layers: list[LayerCosts]
    of_group: bool = False
    """True if it is the row of a group."""

    @property
    def head(self) -> LayerCosts:
        """The layer that the row is named after."""
        return self.layers[0]

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The input shapes of its first layer."""
        return self.head.input_shapes

    @property
    def output_shape(self) -> Shape:
        """The output shape of its last layer."""
        return self.layers[-1].output_shape

    @property
    def input_axes(self) -> tuple[AxisNames, ...]:
        """The names of the axes of its first layer's inputs."""
        return self.head.input_axes

    @property
    def output_axes(self) -> AxisNames:
        """The names of the axes of its last layer's output."""
        return self.layers[-1].output_axes

    @property
    def receptive_field(self) -> ReceptiveField:
        """The receptive field of its last layer."""
        return self.layers[-1].receptive_field

    @property
    def label(self) -> str:
        """The name with a mark where numbers are not computed: `magic (opaque)`, `total, with 1 opaque layer`."""
        marks = Counter(row.layer.op.exactness for row in self.layers)
        del marks["exact"]
        if not marks:
            return self.name
        if not self.of_group:
            return f"{self.name} ({', '.join(marks)})"
        counted = [f"{count} {mark} layer{'s' if count > 1 else ''}" for mark, count in marks.items()]
        return f"{self.name}, with {' and '.join(counted)}"

    @property
    def work_is_known(self) -> bool:
        """False if its counts of work are lower bounds, because those of a layer are not known."""
        return all(row.layer.op.work_is_known for row in self.layers)

    @cached_property
    def costs(self) -> Totals:
        """The sums over its layers."""
        return Totals.of(self.layers)


def choose_rows(layers: Iterable[LayerCosts], *, fold: bool, depth: int | None = None) -> list[TableRow]:
    """Return the rows of a table. Their sums do not depend on the options.

    Args:
        layers: costs of layers, in the order of execution.
        fold: add activation, normalization and dropout to the row of the layer that they follow.
        depth: number of names in a layer's path at which deeper layers are joined into a row of their group.
    """
    rows: dict[str, TableRow] = {}
    row_of: dict[str, str] = {}
    for costs in layers:
        layer = costs.layer
        parts = layer.name.split(".")
        deep = depth is not None and len(parts) > depth
        key = ".".join(parts[:depth]) if deep else layer.name
        if not deep and fold and layer.op.category in FOLDED:
            key = row_of.get(layer.inputs[0], key)
        row_of[layer.name] = key
        row = rows.setdefault(key, TableRow(key, [], deep))
        row.layers.append(costs)
    return list(rows.values())
