"""The data of a report: everything that its script needs, counted by every convention."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from archcalc.analysis import CONVENTIONS, Analysis, LayerCosts, analyze
from archcalc.analysis.depth import depth
from archcalc.memory.estimating import estimate_note
from archcalc.memory.heap import by_layer
from archcalc.memory.inference import timeline
from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.contract import number
from archcalc.quantities.quantity import Cost, field_text
from archcalc.quantities.table import COSTS, REPORTED
from archcalc.receptive.fields import FieldPropagation
from archcalc.render.drawing.colors import PALE
from archcalc.render.drawing.words import describe
from archcalc.render.report.derivations import Derivations
from archcalc.structs import replace
from archcalc.units import BYTES
from archcalc.words import printable

LARGEST_STAGE = 0.9
"""A stage with more of the work than this contains the others and is not a stage itself."""
MOST_STAGE_NAMES = 3


def report_data(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as plain data, with layers in the order of execution.

    A quantity that depends on the convention is a list, with a number for each of `conventions`.
    """
    network = analysis.network
    others = {
        name: analysis
        if name == analysis.convention.name
        else analyze(network, replace(analysis.counting, convention=name))
        for name in CONVENTIONS
    }
    counted = {name: {row.name: row for row in (*other.rows, *other.auxiliary)} for name, other in others.items()}
    rows = counted[analysis.convention.name]
    sources = _Sources()
    derivations = Derivations(analysis, others)
    places = {layer.name: index for index, layer in enumerate(network.layers)}
    return {
        "network": printable(network.name),
        "title": printable(network.about.title),
        "source": printable(network.about.source),
        "notes": printable(network.about.notes),
        "inputs": {printable(name): shape_text(shape) for name, shape in network.inputs.items()},
        "batch": analysis.batch,
        "dtype": analysis.dtype,
        "itemsize": number(analysis.counting.itemsize),
        "convention": analysis.convention.name,
        "conventions": [_convention(other) for other in others.values()],
        "metrics": [_metric(COSTS[key]) for key in REPORTED],
        "depth": depth(analysis.rows),
        "unaligned": [printable(name) for name in analysis.unaligned],
        "fills": PALE,
        "layers": [
            {
                **_layer(rows[layer.name], [counted[name][layer.name] for name in others], sources),
                "stage": stage,
                "derivations": derivations.of(layer),
            }
            for layer, stage in zip(network.layers, _stages(analysis), strict=True)
        ],
        "main_path": [places[layer.name] for layer in main_path(network, analysis.fields.propagation)],
        "derivations": derivations.entries(),
        "timeline": _timeline(analysis),
        "sources": sources.texts(),
    }


def _convention(analysis: Analysis) -> dict[str, Any]:
    convention, itemsize = analysis.convention, analysis.counting.itemsize
    return {
        "name": convention.name,
        "says": convention.says,
        "memory": convention.memory_says.format(itemsize=itemsize),
    }


def _metric(cost: Cost) -> dict[str, Any]:
    return {
        "key": cost.key,
        "title": cost.title,
        "heading": cost.headed(unit=cost.units[0]),
        "in_bytes": cost.units is BYTES,
    }


def _timeline(analysis: Analysis) -> dict[str, Any]:
    """Return the memory of live tensors at inference, with a number for each layer."""
    moments = by_layer(timeline(analysis))
    return {
        "layers": [printable(moment.layer) for moment in moments],
        "bytes": [moment.live_bytes for moment in moments],
        "alive": [moment.tensors for moment in moments],
        "estimated": printable(estimate_note(analysis.network)),
    }


def main_path(network: Network, propagation: FieldPropagation) -> list[Layer]:
    """Return the layers from an input to the first output, at each join by the input with the largest field.

    Layers without spatial dimensions, such as a gate, are on it only if there is no other way.
    """

    def seen(name: str) -> tuple[bool, Any]:
        field = propagation[name]
        return None not in field.stride, max(field.size, default=0)

    path: list[Layer] = []
    name = network.outputs[0]
    while name not in network.inputs:
        layer = network[name]
        path.append(layer)
        name = max(layer.inputs, key=seen)
    return path[::-1]


def _layer(row: LayerCosts, counted: list[LayerCosts], sources: _Sources) -> dict[str, Any]:
    layer, field = row.layer, row.receptive_field
    return {
        "name": printable(layer.name),
        "op": layer.op.kind,
        "category": layer.op.category,
        "says": describe(row),
        "inputs": [printable(name) for name in layer.inputs],
        "input": [shape_text(shape) for shape in row.input_shapes],
        "output": shape_text(row.output_shape),
        "arguments": {name: printable(str(value)) for name, value in layer.op.given.items()},
        "tensors": {name or "(itself)": shape_text(shape) for name, shape in layer.op.weights().items()},
        "shares": printable(layer.shares or ", ".join(map(str, layer.ties.values()))),
        **{
            key: list(map(COSTS[key].of_costs, counted)) if COSTS[key].by_convention else COSTS[key].of_costs(row)
            for key in (*REPORTED, "bytes_read", "bytes_written")
        },
        "rf": [number(size) for size in field.size],
        "rf_text": field_text(field) if field.size else "",
        "rf_stride": [number(step) for step in field.stride],
        "rf_all": field.is_global,
        "auxiliary": layer.auxiliary,
        "place": sources.place(row),
    }


def _stages(analysis: Analysis) -> list[str]:
    """Return the stage of every layer: its outermost groups, as few names as needed to separate the work."""
    work = {row.name: row.macs for row in analysis.rows}
    layers = analysis.network.layers
    stages: list[str] = []
    for names in range(1, MOST_STAGE_NAMES + 1):
        stages = [printable(".".join(layer.name.split(".")[:names])) for layer in layers]
        shares: dict[str, int] = {}
        for layer, stage in zip(layers, stages, strict=True):
            shares[stage] = shares.get(stage, 0) + work.get(layer.name, 0)
        if max(shares.values(), default=0) <= LARGEST_STAGE * sum(shares.values()):
            break
    return stages


class _Sources:
    """The texts that layers were made of, each once."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, list[str]]] = {}

    def place(self, row: LayerCosts) -> list[int] | None:
        """Return the number of a text, and of its line from 1, in which a layer is written."""
        place = row.layer.place
        if place is None:
            return None
        index, _ = self.files.setdefault(place.file, (len(self.files), list(place.lines)))
        return [index, place.line + 1]

    def texts(self) -> list[dict[str, Any]]:
        """Return name and lines of every text, in the order of `place`; of a path only the last part."""
        return [
            {"file": printable(PurePath(file).name), "lines": [printable(line.rstrip("\r")) for line in lines]}
            for file, (_, lines) in self.files.items()
        ]
