"""The names of an assertion: a network's totals, and its layers and operators by name.

The names are the keys of `FACTS`, the units of `UNITS`, and the records ``layer``, ``kind`` and ``param``:
`layer['conv1'].params` (a layer, or a group with its layers summed), `kind['conv'].macs` (all layers of an operator).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archcalc.analysis import Analysis, LayerCosts
from archcalc.analysis.rows import TableRow
from archcalc.language.values import Record, ShapeValue
from archcalc.memory.estimating import estimated
from archcalc.ops import registry
from archcalc.quantities.quantity import FieldPart, Quantity, Shape, Share
from archcalc.quantities.table import COLUMNS, FACTS

UNITS = {
    **{symbol: 1000**power for power, symbol in enumerate(("k", "M", "G", "T"), 1)},
    **{f"{symbol}B": 1000**power for power, symbol in enumerate(("k", "M", "G"), 1)},
    **{f"{symbol}iB": 1024**power for power, symbol in enumerate(("K", "M", "G"), 1)},
}
"""Words for powers of 1000 and 1024: `macs <= 600 * M`, `peak_memory <= 24 * GiB`."""


RECORDS = {
    "layer": "a layer or a group by name: layer['conv1'].params",
    "kind": "all layers of an operator: kind['conv'].macs, kind['conv'].layers",
    "param": "a parameter of the spec: param['depths'][2]",
}


class Facts(Mapping[str, Any]):
    """The variables of an expression over one analysis; each is computed when it is asked."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self._known: dict[str, Any] = dict(UNITS)
        self._known["layer"] = Record(analysis.network.name, _Parts(analysis))
        self._known["kind"] = Record(analysis.network.name, _Kinds(analysis))
        self._known["param"] = Record(analysis.network.name, analysis.network.parameters)

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = _value(FACTS[name], FACTS[name].of_network(self.analysis))
        return self._known[name]

    def estimates(self, name: str) -> bool:
        """Return True if a quantity is only an estimate, because the memory of a layer is not modelled."""
        return name in FACTS and FACTS[name].is_simulated and bool(estimated(self.analysis.network))

    def __iter__(self) -> Iterator[str]:
        return iter((*FACTS, *RECORDS, *UNITS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Parts(Mapping[str, Record]):
    """Layers and groups by name."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.rows = {row.name: row for row in (*analysis.rows, *analysis.auxiliary)}
        self.groups = analysis.network.groups

    def __getitem__(self, name: str) -> Record:
        if name in self.rows:
            return _record(name, [self.rows[name]], self.analysis)
        inside = [row for row in self.rows.values() if row.name.startswith(f"{name}.")]
        if not inside:
            raise KeyError(name)
        return _record(name, inside, self.analysis)

    def __iter__(self) -> Iterator[str]:
        return iter((*self.rows, *self.groups))

    def __len__(self) -> int:
        return len(self.rows) + len(self.groups)


class _Kinds(Mapping[str, Record]):
    """Layers by operator."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.rows: dict[str, list[LayerCosts]] = {kind: [] for kind in registry()}
        for row in analysis.rows:
            self.rows[row.layer.op.kind].append(row)

    def __getitem__(self, kind: str) -> Record:
        return _record(kind, self.rows[kind], self.analysis)

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def _record(name: str, rows: Sequence[LayerCosts], analysis: Analysis) -> Record:
    """Return the quantities of some layers: sums, the first one's input, the last one's output and field."""
    row = TableRow(name, list(rows), of_group=len(rows) > 1)
    asked = (
        quantity for quantity in COLUMNS.values() if not isinstance(quantity, Share) and quantity.is_counted(analysis)
    )
    values = {quantity: _value(quantity, quantity.of_rows(row)) for quantity in asked}
    # A global receptive field has no numbers but can be asked; a layer without a window has no kernel.
    has_field = {quantity for quantity in values if rows and isinstance(quantity, FieldPart)}
    return Record(
        name, {quantity.key: value for quantity, value in values.items() if value is not None or quantity in has_field}
    )


def _value(quantity: Quantity, value: Any) -> Any:
    """Return a value with which expressions compute."""
    return ShapeValue(value) if isinstance(quantity, Shape) and value is not None else value
