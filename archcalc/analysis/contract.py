"""The JSON contract: plain data, every layer, nothing folded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcalc.analysis import Analysis, LayerCosts, Totals
from archcalc.receptive.fields import ReceptiveField


def as_dict(analysis: Analysis) -> dict[str, Any]:
    """An analysis as plain data. Shapes are per sample, counts and bytes for the batch.

    `layers` and `totals` are the network that does inference; auxiliary layers stand under `auxiliary`. The backward
    pass is there where the convention counts it.
    """
    counts_backward = analysis.convention.backward is not None
    network = analysis.network
    shapes = {name: list(shape) for name, shape in network.inputs.items()}
    result: dict[str, Any] = {
        "network": network.name,
        "input": next(iter(shapes.values())) if len(shapes) == 1 else shapes,
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "convention": analysis.convention.name,
        "layers": _layers(analysis.rows, counts_backward),
        "totals": _costs(analysis.totals, counts_backward),
        "unaligned": list(analysis.unaligned),
    }
    if analysis.expected_training_macs is not None:
        result["expected_training_macs"] = analysis.expected_training_macs
    if analysis.auxiliary:
        result["auxiliary"] = {
            "layers": _layers(analysis.auxiliary, counts_backward),
            "totals": _costs(analysis.auxiliary_totals, counts_backward),
        }
    return result


def _layers(rows: Iterable[LayerCosts], counts_backward: bool) -> list[dict[str, Any]]:
    return [_layer(row, counts_backward) for row in rows]


def _layer(row: LayerCosts, counts_backward: bool) -> dict[str, Any]:
    layer = row.layer
    data: dict[str, Any] = {
        "name": row.name,
        "op": layer.op.kind,
        "arguments": {name: getattr(layer.op, name) for name in layer.op.arguments},
        "inputs": list(layer.inputs),
        "input_shapes": [list(shape) for shape in row.input_shapes],
        "output_shape": list(row.output_shape),
        **_costs(row, counts_backward),
        "receptive_field": _field(row.receptive_field),
    }
    if layer.shares:
        data["shares"] = layer.shares
    if layer.train:
        data["train"] = True
    return data


def _field(field: ReceptiveField) -> dict[str, Any]:
    return {
        "size": [number(value) for value in field.size],
        "stride": [number(value) for value in field.stride],
        "padding": [number(value) for value in field.padding],
        "global": field.sees_all,
        "aligned": field.aligned,
    }


def number(value: Any) -> Any:
    """A number that JSON has: a fraction (after upsampling) as a float."""
    return value if value is None or isinstance(value, int) else float(value)


def _costs(costs: LayerCosts | Totals, counts_backward: bool) -> dict[str, int]:
    data = {
        "params": costs.params,
        "weights": costs.weights,
        "biases": costs.biases,
        "buffers": costs.buffers,
        "macs": costs.macs,
        "flops": costs.flops,
        "memory_bytes": costs.memory,
        "bytes_read": costs.bytes_read,
        "bytes_written": costs.bytes_written,
        "backward_macs": costs.backward_macs,
    }
    if counts_backward:
        data |= {"backward_flops": costs.backward_flops, "step_flops": costs.step_flops}
    return data
