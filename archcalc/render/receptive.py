"""Receptive fields as a document: every layer, or one unit of a layer with the region that it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.contract import number
from archcalc.receptive.alignment import Misalignment, misalignments
from archcalc.receptive.fields import ReceptiveField, Span
from archcalc.receptive.regions import Interval, Region, RegionTracer
from archcalc.render.document import Column, Document, Section, Table, word_column
from archcalc.render.table import inputs_text

NAMES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}
"""The names of positions along the dimensions of an input."""
CONVENTION = (
    "Positions count from 0, and an interval includes both its ends. Unit i sees stride·i − padding … "
    "stride·i − padding + size − 1; center: that of unit 0's interval."
)


@dataclass(frozen=True)
class Report:
    """The layers that are shown, and the unit of one of them if one was chosen."""

    network: Network
    tracer: RegionTracer
    layers: tuple[Layer, ...]
    unit: tuple[int, ...] | None = None

    def field(self, layer: Layer) -> ReceptiveField:
        """Return the layer's receptive field."""
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


class _Row(NamedTuple):
    """A layer, with the region of an input that the chosen unit sees if one was chosen."""

    layer: Layer
    field: ReceptiveField
    box: Region | None = None


def center(field: ReceptiveField) -> tuple[Any, ...]:
    """Return the center of unit 0's interval, along each dimension; None where positions have no place."""
    return tuple(
        None if padding is None else Fraction(size - 1, 2) - padding
        for size, padding in zip(field.size, field.padding, strict=True)
    )


def fields_document(report: Report) -> Document:
    """Return a table with a row for each layer, and for each input if a unit was chosen."""
    rows = [
        _Row(layer, report.field(layer), box) for layer in report.layers for box in (report.boxes(layer) or (None,))
    ]
    names = NAMES.get(max(len(shape) - 1 for shape in report.network.inputs.values()), ())
    columns = [
        word_column("layer", lambda row: row.layer.name, "layer", is_name=True),
        Column(
            "output",
            lambda row: shape_text(row.layer.output_shape),
            ("output",),
            lambda row: ("x".join(map(str, row.layer.output_shape)),),
            rank=0,
        ),
        _per_dimension("size", names, lambda row: row.field.size),
        _per_dimension("stride", names, lambda row: row.field.stride),
        _per_dimension("padding", names, lambda row: row.field.padding),
        _per_dimension("center", names, lambda row: center(row.field)),
    ]
    if report.unit is not None:
        if len(report.network.inputs) > 1:
            columns.append(word_column("input", lambda row: row.box.source if row.box else "", "input"))
        columns.append(_region("unclipped region", "raw_", names, lambda side: side.unclipped))
        columns.append(_region("clipped region", "", names, lambda side: side.clipped))
    columns.append(
        Column(
            "remarks",
            lambda row: ", ".join(_remarks(row.field)),
            ("global", "aligned"),
            lambda row: (row.field.is_global, row.field.aligned),
            right=False,
            rank=0,
            is_optional=True,
        )
    )
    title = f"{report.network.name} · input {inputs_text(report.network)}"
    table = Table(title, tuple(columns), (Section(rows),), tuple(_notes(report)))
    return Document(report.network.name, (table,), lambda: _data(report))


def _per_dimension(term: str, names: Sequence[str], read: Callable[[_Row], Sequence[Any]]) -> Column:
    """Return a column of a number for each dimension: `7`, or `7×5` if they differ; `–` if there is none."""

    def text(row: _Row) -> str:
        texts = ["–" if value is None else _number(value) for value in read(row)]
        return texts[0] if len(set(texts)) == 1 else "×".join(texts)

    keys = tuple(f"{term}_{name}" for name in names)
    return Column(term, text, keys, lambda row: _padded(read(row), len(names)), rank=0)


def _region(heading: str, prefix: str, names: Sequence[str], interval: Callable[[Any], Interval | None]) -> Column:
    """Return a column of an interval for each dimension, with the keys of both its ends."""

    def text(row: _Row) -> str:
        return " × ".join(_interval(interval(side)) for side in row.box.intervals) if row.box else ""

    def values(row: _Row) -> list[Any]:
        intervals = [interval(side) or (None, None) for side in row.box.intervals] if row.box else []
        return [value for end in (0, 1) for value in _padded([ends[end] for ends in intervals], len(names))]

    keys = tuple(f"{prefix}{end}_{name}" for end in ("first", "last") for name in names)
    return Column(heading, text, keys, values, rank=0)


def _padded(values: Sequence[Any], count: int) -> list[Any]:
    """Return the values, and None up to a count."""
    return [*values, *[None] * (count - len(values))]


def _remarks(field: ReceptiveField) -> list[str]:
    return [*(["global"] if field.is_global else []), *([] if field.aligned else ["unaligned"])]


def _number(value: Any) -> str:
    """Return an integer, or a decimal of at most four digits if it is exact (halves, quarters), else a fraction."""
    exact = Fraction(value)
    text = f"{float(exact):.4f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == exact else str(exact)


def _interval(interval: Interval | None) -> str:
    return "nothing" if interval is None else f"{interval[0]}…{interval[1]}"


def _notes(report: Report) -> list[str]:
    notes = [CONVENTION]
    fields = [report.field(layer) for layer in report.layers]
    if any(field.is_global for field in fields):
        notes.append(
            "global: the field is the whole input, through global pooling, a linear layer, attention or a gate. The "
            "size is that of the spatial path, if there is one."
        )
    notes += [_said(join, report) for join in report.joins()]
    if len(report.layers) == 1:
        for box in report.boxes(report.layers[0]):
            notes += _words(box, report)
    return notes


def _said(join: Misalignment, report: Report) -> str:
    """Return a sentence on a join at which a network stops being aligned, with both paths."""
    routes = " and ".join(
        f"by {' → '.join(route.layers) or 'no window'} (stride {_number(route.span.stride)}, "
        f"center {_number(_center(route.span))})"
        for route in join.routes
    )
    return (
        f"unaligned from {join.join} on: two paths come from {join.fork}, {routes}. The size is that of the hull "
        "of both."
    )


def _center(span: Span) -> Fraction:
    return Fraction(span.center) / 2


def _words(box: Region, report: Report) -> list[str]:
    """Return sentences on the region that the chosen unit sees."""
    assert report.unit is not None
    name = report.layers[0].name
    rank = len(box.intervals)
    unit = f"unit ({', '.join(map(str, report.unit))}) of {name}" if report.unit else name
    of = f" of {box.source}" if len(report.network.inputs) > 1 else ""
    if not box.has_spatial_path:
        return [f"{unit} sees the whole input{of}: there is no spatial path."]
    if any(side.clipped is None for side in box.intervals):
        return [f"{unit} sees nothing{of} but padding."]
    parts = []
    for word, side in zip(NAMES[rank], box.intervals, strict=True):
        first, last = side.clipped or (0, 0)
        gaps = f" ({len(side.seen)} of them, with gaps)" if side.gaps else ""
        is_cut = side.unclipped != side.clipped
        out = f" (unclipped {side.unclipped[0]} to {side.unclipped[1]}, into the padding)" if is_cut else ""
        parts.append(f"{word}s {first} to {last}{gaps} of 0 to {side.extent - 1}{out}")
    every = " It also sees the whole input, through a global operation." if box.is_global else ""
    return [f"{unit} sees{of} {'; '.join(parts)}.{every}"]


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
                        "center": float(_center(route.span)),
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
        "center": [None if value is None else float(value) for value in center(field)],
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
