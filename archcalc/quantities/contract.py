"""The JSON contract: an analysis as plain data, with every layer in its own row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcalc.analysis import Analysis, LayerCosts, Totals
from archcalc.network import Network
from archcalc.ops.naming import AxisNames
from archcalc.quantities.table import COSTS
from archcalc.receptive.fields import ReceptiveField


def input_shapes(network: Network) -> Any:
    """Return the shape of the input; of several, a shape for each name."""
    return _alone({name: list(shape) for name, shape in network.inputs.items()})


def _alone(by_name: dict[str, Any]) -> Any:
    """Return the only value of a dictionary; the dictionary if it has several."""
    return next(iter(by_name.values())) if len(by_name) == 1 else by_name


def as_dict(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as plain data. Shapes are per sample, counts and bytes for the whole batch.

    `layers` and `totals` are those of inference; auxiliary layers are under `auxiliary`. The backward pass is included
    if the convention counts it.
    """
    network = analysis.network
    axes = {name: _axes(network.axes[name]) for name in network.inputs}
    result: dict[str, Any] = {
        "network": network.name,
        "input": input_shapes(network),
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "convention": analysis.convention.name,
        "layers": _layers(analysis.rows, analysis),
        "totals": _costs(analysis.totals, analysis),
        "unaligned": list(analysis.unaligned),
        "input_axes": _alone(axes),
    }
    if analysis.expected_training_macs is not None:
        result["expected_training_macs"] = analysis.expected_training_macs
    if analysis.unknown_work:
        result["unknown_work"] = list(analysis.unknown_work)
    if network.uncalled:
        result["uncalled"] = dict(network.uncalled)
    if analysis.auxiliary:
        result["auxiliary"] = {
            "layers": _layers(analysis.auxiliary, analysis),
            "totals": _costs(analysis.auxiliary_totals, analysis),
        }
    return result


def _layers(rows: Iterable[LayerCosts], analysis: Analysis) -> list[dict[str, Any]]:
    return [_layer(row, analysis) for row in rows]


def _layer(row: LayerCosts, analysis: Analysis) -> dict[str, Any]:
    layer = row.layer
    data: dict[str, Any] = {
        "name": row.name,
        "op": layer.op.kind,
        "arguments": {name: getattr(layer.op, name) for name in layer.op.arguments},
        "inputs": list(layer.inputs),
        "input_shapes": [list(shape) for shape in row.input_shapes],
        "output_shape": list(row.output_shape),
        "axes": _axes(row.output_axes),
        **_costs(row, analysis),
        "receptive_field": _field(row.receptive_field),
    }
    if layer.op.exactness != "exact":
        data["exactness"] = layer.op.exactness
    if layer.shares:
        data["shares"] = layer.shares
    if layer.ties:
        data["ties"] = {name: str(ref) for name, ref in layer.ties.items()}
    if layer.train:
        data["train"] = True
    if layer.dtype:
        data["dtype"] = layer.dtype
    if layer.is_frozen:
        data["trainable"] = False
    return data


def _axes(names: AxisNames) -> list[str | None]:
    """Return the names of axes for JSON: null for one that is unknown."""
    return [name or None for name in names]


def _field(field: ReceptiveField) -> dict[str, Any]:
    return {
        "size": [number(value) for value in field.size],
        "smallest": [number(value) for value in field.smallest],
        "stride": [number(value) for value in field.stride],
        "padding": [number(value) for value in field.padding],
        "global": field.is_global,
        "aligned": field.aligned,
    }


def number(value: Any) -> Any:
    """Return a number for JSON: a fraction (after upsampling) becomes a float."""
    return value if value is None or isinstance(value, int) else float(value)


def _costs(costs: LayerCosts | Totals, analysis: Analysis) -> dict[str, int]:
    return {quantity.data_key: quantity.of_costs(costs) for quantity in COSTS.values() if quantity.is_counted(analysis)}
