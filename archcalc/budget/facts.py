"""What an expression may ask of an analyzed network: its totals, and its layers and operators by name.

The names are those of `NETWORK_FACTS`, the units of `UNITS`, and the records ``layer``, ``kind`` and ``param``:
`layer['conv1'].params` (a layer, or a group with its layers summed), `kind['conv'].macs` (all layers of an operator).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archcalc.analysis.costs import ITEM_SIZES, Analysis, LayerCosts, Totals
from archcalc.analysis.depth import depth
from archcalc.arithmetic import Shape
from archcalc.language.values import Record, ShapeValue
from archcalc.memory.inference import peak
from archcalc.memory.training import training_memory
from archcalc.ops import registry
from archcalc.receptive.fields import last_placed

UNITS = {
    **{symbol: 1000**power for power, symbol in enumerate(("k", "M", "G", "T"), 1)},
    **{f"{symbol}B": 1000**power for power, symbol in enumerate(("k", "M", "G"), 1)},
    **{f"{symbol}iB": 1024**power for power, symbol in enumerate(("K", "M", "G"), 1)},
}
"""Words for powers of 1000 and 1024: `macs <= 600 * M`, `peak_memory <= 24 * GiB`."""


SUMS = ("params", "weights", "biases", "buffers", "macs", "flops", "memory")


@dataclass(frozen=True)
class Fact:
    """One thing that can be asked."""

    says: str
    of: Callable[[Analysis], Any]


def _total(name: str) -> Callable[[Analysis], Any]:
    return lambda analysis: getattr(analysis.totals, name)


def _field(part: str) -> Callable[[Analysis], Any]:
    def of(analysis: Analysis) -> Any:
        field = last_placed(row.receptive_field for row in analysis.rows)
        return None if field is None else _smallest(getattr(field, part))

    return of


NETWORK_FACTS: Mapping[str, Fact] = {
    "params": Fact("trained elements: weights and biases", _total("params")),
    "trainable": Fact("the same", _total("params")),
    "weights": Fact("trained elements but for biases", _total("weights")),
    "biases": Fact("biases", _total("biases")),
    "buffers": Fact("stored elements that are not trained", _total("buffers")),
    "macs": Fact("multiply-adds, for the batch", _total("macs")),
    "flops": Fact("operations, as the convention counts them, for the batch", _total("flops")),
    "memory": Fact("bytes of the outputs that the convention counts, for the batch", _total("memory")),
    "peak_memory": Fact(
        "bytes of all tensors alive at the worst moment of inference, weights apart",
        lambda analysis: peak(analysis).live_bytes,
    ),
    "weight_memory": Fact(
        "bytes of the trained elements", lambda analysis: analysis.totals.params * ITEM_SIZES[analysis.dtype]
    ),
    "training_memory": Fact(
        "bytes of weights, gradients and what backward keeps (plain SGD)",
        lambda analysis: training_memory(analysis).total,
    ),
    "layers": Fact("number of layers", lambda analysis: len(analysis.rows)),
    "depth": Fact("most convolutions and linear layers on one path", lambda analysis: depth(analysis.rows)),
    "rf": Fact("receptive field of the last layer whose positions have a place, its smaller side", _field("size")),
    "rf_stride": Fact("input positions between its neighbours", _field("stride")),
    "rf_padding": Fact("how far its position 0 looks out of the input", _field("padding")),
    "aligned": Fact("whether all paths have the same strides and centres", lambda analysis: not analysis.unaligned),
    "input": Fact(
        "shape of the first input: input.channels, input == [3, 32, 32]",
        lambda analysis: ShapeValue(next(iter(analysis.network.inputs.values()))),
    ),
    "output": Fact(
        "shape of the first output: output.features, output == [10]",
        lambda analysis: ShapeValue(analysis.network.shape_of(analysis.network.outputs[0])),
    ),
    "outputs": Fact("number of outputs", lambda analysis: len(analysis.network.outputs)),
    "batch": Fact("samples at once", lambda analysis: analysis.batch),
}

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
            self._known[name] = NETWORK_FACTS[name].of(self.analysis)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*NETWORK_FACTS, *RECORDS, *UNITS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Parts(Mapping[str, Record]):
    """Layers and groups by name."""

    def __init__(self, analysis: Analysis) -> None:
        self.rows = {row.name: row for row in (*analysis.rows, *analysis.auxiliary)}
        self.groups = analysis.network.groups

    def __getitem__(self, name: str) -> Record:
        if name in self.rows:
            return _record(name, [self.rows[name]])
        inside = [row for row in self.rows.values() if row.name.startswith(f"{name}.")]
        if not inside:
            raise KeyError(name)
        return _record(name, inside)

    def __iter__(self) -> Iterator[str]:
        return iter((*self.rows, *self.groups))

    def __len__(self) -> int:
        return len(self.rows) + len(self.groups)


class _Kinds(Mapping[str, Record]):
    """Layers by operator."""

    def __init__(self, analysis: Analysis) -> None:
        self.rows: dict[str, list[LayerCosts]] = {kind: [] for kind in registry()}
        for row in analysis.rows:
            self.rows[row.layer.op.kind].append(row)

    def __getitem__(self, kind: str) -> Record:
        return _record(kind, self.rows[kind])

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def _record(name: str, rows: Sequence[LayerCosts]) -> Record:
    """What can be asked of some layers: sums, the first's input, the last's output, what the last sees."""
    totals = Totals.of(rows)
    values: dict[str, Any] = {key: getattr(totals, key) for key in SUMS}
    values |= {"trainable": totals.params, "layers": len(rows), "depth": depth(rows)}
    if not rows:
        return Record(name, values)
    last = rows[-1]
    field = last.receptive_field
    values |= {
        "input": ShapeValue(rows[0].input_shapes[0]),
        "output": ShapeValue(last.output_shape),
        "rf": _smallest(field.size),
        "rf_stride": _smallest(field.stride),
        "rf_padding": _smallest(field.padding),
    }
    if len(rows) == 1:
        values |= {key: _one(value) for key, value in last.layer.op.facts().items() if value is not None}
    return Record(name, values)


def _smallest(sides: Shape) -> Any:
    """The smallest number of several dimensions; None where one of them has none."""
    return None if None in sides or not sides else min(sides)


def _one(value: Any) -> Any:
    """A number for every dimension as one number where they agree, else as a list."""
    if not isinstance(value, tuple):
        return value
    return value[0] if len(set(value)) == 1 else list(value)
