"""The difference of two networks: layers added, removed and changed, and the change of each total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archcalc.analysis.costs import Analysis, LayerCosts
from archcalc.quantities.compare import ComparisonRow, compare
from archcalc.structs import Struct


class LayerChange(Struct):
    """A layer that is in one of two networks only, or is not the same in both."""

    name: str
    before: LayerCosts | None
    """None if it was added."""
    after: LayerCosts | None
    """None if it was removed."""
    changes: tuple[str, ...] = ()
    """What changed, such as `kernel 3×3 → 5×5`; empty for a layer that was added or removed."""

    @property
    def what(self) -> str:
        """`added`, `removed` or `changed`."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def change(self, cost: str) -> int:
        """Return the change of `params`, `macs` or `memory`."""
        return int(getattr(self.after, cost, 0) or 0) - int(getattr(self.before, cost, 0) or 0)


class Difference(Struct):
    """Two networks and what is different."""

    before: Analysis
    after: Analysis
    layers: tuple[LayerChange, ...]
    """In the order of the second network; a removed layer comes before the one that followed it."""

    @property
    def totals(self) -> tuple[ComparisonRow, ...]:
        """The totals of both networks."""
        return compare([self.before, self.after]).totals

    def __bool__(self) -> bool:
        return bool(self.layers)


def difference(before: Analysis, after: Analysis) -> Difference:
    """Return what is different between two networks. Layers are matched by their names."""
    old = {row.name: row for row in (*before.rows, *before.auxiliary)}
    new = {row.name: row for row in (*after.rows, *after.auxiliary)}
    return Difference(before, after, tuple(_changes(old, new)))


def _changes(old: Mapping[str, LayerCosts], new: Mapping[str, LayerCosts]) -> Iterator[LayerChange]:
    gone = iter([(name, row) for name, row in old.items()])
    for name, row in new.items():
        if name not in old:
            yield LayerChange(name, None, row)
            continue
        for passed, former in gone:  # up to this layer
            if passed not in new:
                yield LayerChange(passed, former, None)
            if passed == name:
                break
        changes = tuple(_of_layer(old[name], row))
        if changes:
            yield LayerChange(name, old[name], row, changes)
    for passed, former in gone:
        if passed not in new:
            yield LayerChange(passed, former, None)


def _of_layer(old: LayerCosts, new: LayerCosts) -> Iterator[str]:
    """Yield what changed: the operator or its arguments, then the input layers and the output shape, or the input's."""
    before, after = old.layer, new.layer
    if before.op.kind != after.op.kind:
        yield f"{before.op.kind} → {after.op.kind}"
    else:
        for name in before.op.arguments:
            values = _text(getattr(before.op, name, None)), _text(getattr(after.op, name, None))
            if values[0] != values[1]:
                yield f"{name} {values[0]} → {values[1]}"
    if before.inputs != after.inputs:
        yield f"from {', '.join(before.inputs)} → {', '.join(after.inputs)}"
    if before.output_shape != after.output_shape:
        yield f"output {_text(before.output_shape)} → {_text(after.output_shape)}"
    elif before.op.inputs != after.op.inputs:
        shapes = (" and ".join(map(_text, op.inputs)) for op in (before.op, after.op))
        yield f"input {' → '.join(shapes)}"


def _text(value: object) -> str:
    """Return a value of an argument; sizes of equal sides as one number."""
    if isinstance(value, tuple):
        if value and all(isinstance(sizes, tuple) and sizes == value[0] and len(set(sizes)) == 1 for sizes in value):
            return str(value[0][0])
        return "×".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
