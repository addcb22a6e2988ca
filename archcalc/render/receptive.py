"""Receptive fields as text, Markdown, CSV and JSON: a line for each layer, or all about one unit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.contract import number
from archcalc.receptive.alignment import Misalignment, misalignments
from archcalc.receptive.fields import ReceptiveField, Span
from archcalc.receptive.regions import Interval, Region, RegionTracer
from archcalc.render.cells import Cells, table
from archcalc.render.text import wrap
from archcalc.render.writers.csv import csv_text
from archcalc.render.writers.xlsx import workbook
from archcalc.words import printable

NAMES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}
"""What positions along the dimensions of an input are called."""
CONVENTION = (
    "Pixels count from 0, and an interval holds both its ends. Unit i sees stride·i − padding … "
    "stride·i − padding + size − 1; centre: that of unit 0's interval."
)


@dataclass(frozen=True)
class Report:
    """What is said of a network's layers, and of one unit of each if one was chosen."""

    network: Network
    tracer: RegionTracer
    layers: tuple[Layer, ...]
    unit: tuple[int, ...] | None = None

    def field(self, layer: Layer) -> ReceptiveField:
        """The layer's receptive field."""
        return self.tracer.propagation[layer.name]

    def boxes(self, layer: Layer) -> list[Region]:
        """What the chosen unit sees of each input; nothing where none was chosen."""
        return [] if self.unit is None else self.tracer.regions(layer.name, self.unit)

    def joins(self) -> list[Misalignment]:
        """The joins before these layers where the network stops being aligned."""
        order = {layer.name: at for at, layer in enumerate(self.network.layers)}
        last = max(order[layer.name] for layer in self.layers)
        marked = any(not self.field(layer).aligned for layer in self.layers)
        found = misalignments(self.network, self.tracer.propagation) if marked else []
        return [join for join in found if order[join.join] <= last]


def centre(field: ReceptiveField) -> tuple[Any, ...]:
    """The centre of what unit 0 sees, along each dimension; None where positions have no place."""
    return tuple(
        None if padding is None else Fraction(size - 1, 2) - padding
        for size, padding in zip(field.size, field.padding, strict=True)
    )


def render_fields(report: Report, format: str) -> str | bytes:
    """The report in `text`, `markdown`, `csv`, `json` or `xlsx`."""
    if format == "json":
        return json.dumps(_data(report), indent=1, ensure_ascii=False) + "\n"
    if format == "csv":
        return csv_text(_numbers(report))
    if format == "xlsx":
        return workbook(_numbers(report), report.network.name)
    body = table(_rows(report), format)
    blank = "\n" if format == "markdown" else ""
    notes = _notes(report)
    lines = notes if format == "markdown" else [line for note in notes for line in wrap(note, 100)]
    title = f"{report.network.name} · input {_inputs(report.network)}"
    return f"{printable(title)}\n{blank}{body}{blank}" + f"\n{blank}".join(map(printable, lines)) + "\n"


def _inputs(network: Network) -> str:
    shapes = network.inputs
    return ", ".join((f"{name} " if len(shapes) > 1 else "") + shape_text(shape) for name, shape in shapes.items())


def _rows(report: Report) -> Cells:
    heading = ["layer", "output", "size", "stride", "padding", "centre", "remarks"]
    if report.unit is not None:
        heading[6:6] = ["raw box", "box in the input"]
    rows = [heading]
    for layer in report.layers:
        field = report.field(layer)
        cells = [
            layer.name,
            shape_text(layer.output_shape),
            _per_dimension(field.size),
            _per_dimension(field.stride),
            _per_dimension(field.padding),
            _per_dimension(centre(field)),
        ]
        if report.unit is not None:
            boxes = report.boxes(layer)
            cells.append(_each(boxes, lambda box: [side.unclipped for side in box.intervals]))
            cells.append(_each(boxes, lambda box: [side.clipped for side in box.intervals]))
        rows.append([*cells, ", ".join(_remarks(field))])
    return rows


def _remarks(field: ReceptiveField) -> list[str]:
    return [*(["global"] if field.is_global else []), *([] if field.aligned else ["unaligned"])]


def _per_dimension(values: Sequence[Any]) -> str:
    """`7`, or `7×5` where the dimensions differ; `–` where there is none."""
    texts = ["–" if value is None else _number(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _number(value: Any) -> str:
    """A whole number, or a decimal with as few digits as say it (halves, quarters), else a fraction."""
    exact = Fraction(value)
    text = f"{float(exact):.4f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == exact else str(exact)


def _each(boxes: Sequence[Region], intervals: Any) -> str:
    return "; ".join(" × ".join(map(_interval, intervals(box))) for box in boxes)


def _interval(interval: Interval | None) -> str:
    return "nothing" if interval is None else f"{interval[0]}…{interval[1]}"


def _notes(report: Report) -> list[str]:
    notes = [CONVENTION]
    fields = [report.field(layer) for layer in report.layers]
    if any(field.is_global for field in fields):
        notes.append(
            "global: it sees the whole input, through global pooling, a linear layer, attention or a gate; the size is "
            "that along the spatial path, where one is left."
        )
    notes += [_said(join, report) for join in report.joins()]
    if len(report.layers) == 1:
        for box in report.boxes(report.layers[0]):
            notes += _words(box, report)
    return notes


def _said(join: Misalignment, report: Report) -> str:
    """The join where a network stops being aligned, with both paths."""
    routes = " and ".join(
        f"by {' → '.join(route.layers) or 'no window'} (stride {_number(route.span.stride)}, "
        f"centre {_number(_center(route.span))})"
        for route in join.routes
    )
    return (
        f"unaligned from {join.join} on: from {join.fork} come two paths, {routes}. The size is that of the hull "
        "of both."
    )


def _center(span: Span) -> Fraction:
    return Fraction(span.center) / 2


def _words(box: Region, report: Report) -> list[str]:
    """What a unit sees, in sentences."""
    assert report.unit is not None
    name = report.layers[0].name
    rank = len(box.intervals)
    unit = f"unit ({', '.join(map(str, report.unit))}) of {name}" if report.unit else name
    of = f" of {box.source}" if len(report.network.inputs) > 1 else ""
    if not box.has_spatial_path:
        return [f"{unit} sees the whole input{of}: no spatial path is left."]
    if any(side.clipped is None for side in box.intervals):
        return [f"{unit} sees nothing{of} but padding."]
    parts = []
    for word, side in zip(NAMES[rank], box.intervals, strict=True):
        first, last = side.clipped or (0, 0)
        gaps = f" ({len(side.seen)} of them, with gaps)" if side.gaps else ""
        beside = side.unclipped != side.clipped
        out = f", by the formula {side.unclipped[0]} to {side.unclipped[1]}, the rest being padding" if beside else ""
        parts.append(f"{word}s {first} to {last}{gaps} of 0 to {side.extent - 1}{out}")
    every = " Beside that, it sees the whole input through what is global." if box.is_global else ""
    return [f"{unit} sees{of} {'; '.join(parts)}.{every}"]


def _numbers(report: Report) -> list[list[Any]]:
    """For programs: a column for each number, and a line for each layer; with a unit, for each input that it sees."""
    rank = max(len(shape) - 1 for shape in report.network.inputs.values())
    names = NAMES.get(rank, ())
    terms = ("size", "stride", "padding", "centre")
    ends = ("raw_first", "raw_last", "first", "last") if report.unit is not None else ()
    heading = ["layer", "output", *(f"{term}_{name}" for term in terms for name in names), "global", "aligned"]
    rows: list[list[Any]] = [
        [*heading, *(["input"] if ends else []), *(f"{end}_{name}" for end in ends for name in names)]
    ]
    for layer in report.layers:
        field = report.field(layer)
        columns = (field.size, field.stride, field.padding, centre(field))
        line: list[Any] = [layer.name, "x".join(map(str, layer.output_shape))]
        line += [number for values in columns for number in _padded(values, rank)]
        line += [field.is_global, field.aligned]
        if not ends:
            rows.append(line)
        for box in report.boxes(layer):
            raws = [side.unclipped for side in box.intervals]
            seen = [side.clipped or (None, None) for side in box.intervals]
            bounds = [[interval[end] for interval in kind] for kind in (raws, seen) for end in (0, 1)]
            rows.append([*line, box.source, *(number for values in bounds for number in _padded(values, rank))])
    return rows


def _padded(values: Sequence[Any], rank: int) -> list[Any]:
    """The numbers, and empty cells up to the rank."""
    return [*values, *[None] * (rank - len(values))]


def _data(report: Report) -> dict[str, Any]:
    network = report.network
    shapes = {name: list(shape) for name, shape in network.inputs.items()}
    return {
        "network": network.name,
        "input": next(iter(shapes.values())) if len(shapes) == 1 else shapes,
        "coordinates": "pixels count from 0; intervals hold both ends",
        "layers": [_layer_data(layer, report) for layer in report.layers],
        "unaligned": [
            {
                "join": join.join,
                "fork": join.fork,
                "paths": [
                    {
                        "layers": list(route.layers),
                        "stride": number(route.span.stride),
                        "centre": float(_center(route.span)),
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
        "stride": [number(value) for value in field.stride],
        "padding": [number(value) for value in field.padding],
        "centre": [None if value is None else float(value) for value in centre(field)],
        "global": field.is_global,
        "aligned": field.aligned,
    }
    if report.unit is not None:
        data["unit"] = list(report.unit)
        data["boxes"] = [
            {
                "input": box.source,
                "global": box.is_global,
                "spatial_path": box.has_spatial_path,
                "raw": [list(side.unclipped) for side in box.intervals],
                "clipped": [None if side.clipped is None else list(side.clipped) for side in box.intervals],
                "positions": [len(side.seen) for side in box.intervals],
            }
            for box in report.boxes(layer)
        ]
    return data
