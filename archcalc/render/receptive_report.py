"""What is asked of receptive fields, and the answer as plain data."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archcalc.network import Layer, Network
from archcalc.quantities.contract import input_shapes, number
from archcalc.receptive.alignment import Misalignment, misalignments
from archcalc.receptive.fields import ReceptiveField
from archcalc.receptive.parts import Field, Part, seen_at
from archcalc.receptive.reach import centers
from archcalc.receptive.regions import Region, RegionTracer, runs
from archcalc.structs import Struct

if TYPE_CHECKING:
    from archcalc.runtime.effective import EffectiveField


class Report(Struct):
    """The layers that are shown, and the unit of one of them if one was chosen."""

    network: Network
    tracer: RegionTracer
    layers: tuple[Layer, ...]
    unit: tuple[int, ...] | None = None
    effective: EffectiveField | None = None
    """How strongly the unit depends on each position; None if it was not measured."""

    def field(self, layer: Layer) -> ReceptiveField:
        return self.tracer.propagation[layer.name]

    def boxes(self, layer: Layer) -> list[Region]:
        """Return the regions of each input that the chosen unit sees; none if no unit was chosen."""
        return [] if self.unit is None else self.tracer.regions(layer.name, self.unit)

    def joins(self) -> list[Misalignment]:
        """Return the joins before these layers at which the network stops being aligned."""
        order = {layer.name: index for index, layer in enumerate(self.network.layers)}
        last = max(order[layer.name] for layer in self.layers)
        marked = any(not self.field(layer).aligned for layer in self.layers)
        found = misalignments(self.network, self.tracer.propagation) if marked else []
        return [join for join in found if order[join.join] <= last]


def center_of_unit(field: Field, unit: int) -> Fraction | None:
    """Return the middle of what a unit sees along one dimension, in input positions; None if it sees nothing."""
    seen = seen_at(field, unit)
    return None if seen is None else Fraction(seen[0] + seen[1]) / 2


def report_data(report: Report) -> dict[str, Any]:
    """Return the data of `archcalc rf --format json`."""
    network = report.network
    return {
        "network": network.name,
        "input": input_shapes(network),
        "coordinates": "pixels count from 0; intervals hold both ends",
        "layers": [_layer_data(layer, report) for layer in report.layers],
        "unaligned": [
            {
                "join": join.join,
                "fork": join.fork,
                "paths": [
                    {
                        "layers": list(route.layers),
                        "stride": number(min((part.jump for part in route.field), key=abs)),
                        "center": number(center_of_unit(route.field, 0)),
                    }
                    for route in join.routes
                ],
            }
            for join in report.joins()
        ],
    }


def _layer_data(layer: Layer, report: Report) -> dict[str, Any]:
    field = report.field(layer)
    data: dict[str, Any] = {
        "name": layer.name,
        "output_shape": list(layer.output_shape),
        "size": [number(value) for value in field.size],
        "smallest": [number(value) for value in field.smallest],
        "stride": [number(value) for value in field.stride],
        "padding": [number(value) for value in field.padding],
        "center": [None if value is None else float(value) for value in field.center],
        "global": field.is_global,
        "aligned": field.aligned,
        "exact": field.exact,
        "intervals": [None if own is None else [_part_data(part) for part in own] for own in field.fields],
    }
    if report.unit is not None:
        data["unit"] = list(report.unit)
        data["boxes"] = [
            {
                "input": box.source,
                "global": box.is_global,
                "spatial_path": box.has_spatial_path,
                "raw": [None if side.unclipped is None else list(side.unclipped) for side in box.intervals],
                "clipped": [None if side.clipped is None else list(side.clipped) for side in box.intervals],
                "positions": [len(side.seen) for side in box.intervals],
                "center": [number(center) for center in centers(box)],
                "count": box.count,
                "share": box.share,
                "rectangles": [[runs(side) for side in sides] for sides in box.rectangles],
            }
            for box in report.boxes(layer)
        ]
    if report.effective is not None:
        data["effective"] = asdict(report.effective)
    return data


def _part_data(part: Part) -> dict[str, Any]:
    return {
        "period": part.period,
        "advance": number(part.advance),
        "first": [number(end) for end in part.first],
        "last": [number(end) for end in part.last],
        "exact": part.exact,
    }
