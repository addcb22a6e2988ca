"""Receptive fields as a document: every layer, or one unit of a layer with the region that it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.network import Layer
from archcalc.ops.vocabulary import shape_text
from archcalc.quantities.quantity import field_text
from archcalc.receptive.alignment import Misalignment
from archcalc.receptive.fields import ReceptiveField
from archcalc.receptive.parts import Field, Part, seen_at
from archcalc.receptive.reach import centers, first_to_see_all, smallest_input
from archcalc.receptive.regions import Interval, Region
from archcalc.render.document import Column, Document, Section, Table, word_column
from archcalc.render.receptive_report import Report, center_of_unit, report_data
from archcalc.render.table import inputs_text
from archcalc.words import counted

if TYPE_CHECKING:
    from archcalc.runtime.effective import EffectiveField

NAMES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}
"""The names of positions along the dimensions of an input."""
CONVENTION = (
    "Positions count from 0, and an interval includes both its ends. Unit i sees stride·i − padding … "
    "stride·i − padding + size − 1; center: that of unit 0's interval."
)
NO_DIMENSIONS = "The input has no spatial dimensions, so that there are no receptive fields."
BY_TURNS = (
    "After upsampling, neighbors may see intervals of different sizes or places by turns. Then the size is a range, "
    "and padding or center is –; --format json has the interval of each."
)
BOUND = "bound: an upper bound of what units see, because their pattern is too long or joins maps laid end to end."
MOST_TURNS = 8
"""The longest pattern whose intervals are shown for one layer."""


class _Row(NamedTuple):
    """A layer, with the region of an input that the chosen unit sees if one was chosen."""

    layer: Layer
    field: ReceptiveField
    box: Region | None = None


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
        Column(
            "size",
            lambda row: field_text(row.field) if row.field.size else "",
            tuple(f"{key}_{name}" for key in ("size", "smallest") for name in names),
            lambda row: [*_padded(row.field.size, len(names)), *_padded(row.field.smallest, len(names))],
            rank=0,
        ),
        _per_dimension("stride", names, lambda row: row.field.stride, lambda row: map(_jumps, row.field.fields)),
        _per_dimension("padding", names, lambda row: row.field.padding),
        _per_dimension("center", names, lambda row: row.field.center),
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
            ("global", "aligned", "exact"),
            lambda row: (row.field.is_global, row.field.aligned, row.field.exact),
            right=False,
            rank=0,
            is_optional=True,
        )
    )
    title = f"{report.network.name} · input {inputs_text(report.network)}"
    table = Table(title, tuple(columns), (Section(rows),), tuple(_notes(report)))
    return Document(report.network.name, (table,), lambda: report_data(report))


def _per_dimension(
    term: str,
    names: Sequence[str],
    read: Callable[[_Row], Sequence[Any]],
    show: Callable[[_Row], Iterable[str]] | None = None,
) -> Column:
    """Return a column of a number for each dimension: `7`, or `7×5` if they differ; `–` if there is none."""

    def text(row: _Row) -> str:
        texts = list(show(row)) if show else ["–" if value is None else _number(value) for value in read(row)]
        return texts[0] if len(set(texts)) == 1 else "×".join(texts)

    keys = tuple(f"{term}_{name}" for name in names)
    return Column(term, text, keys, lambda row: _padded(read(row), len(names)), rank=0)


def _jumps(field: Field | None) -> str:
    """Return the stride, or those of all paths if they differ."""
    return "–" if field is None else ", ".join(_number(part.jump) for part in field)


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
    marks = {"global": field.is_global, "unaligned": not field.aligned, "bound": not field.exact}
    return [word for word, is_so in marks.items() if is_so]


def _number(value: Any) -> str:
    """Return an integer, or a decimal of at most four digits if it is exact (halves, quarters), else a fraction."""
    exact = Fraction(value)
    text = f"{float(exact):.4f}".rstrip("0").rstrip(".")
    return text if Fraction(text) == exact else str(exact)


def _interval(interval: Interval | None) -> str:
    return "nothing" if interval is None else f"{interval[0]}…{interval[1]}"


def _notes(report: Report) -> list[str]:
    if not any(len(shape) > 1 for shape in report.network.inputs.values()):
        return [NO_DIMENSIONS]
    notes = [CONVENTION]
    fields = [report.field(layer) for layer in report.layers]
    if any(field.is_global for field in fields):
        notes.append(
            "global: the field is the whole input, through global pooling, a linear layer, attention or a gate. The "
            "size is that of the spatial path, if there is one."
        )
    if any(_takes_turns(field) for field in fields):
        notes.append(BY_TURNS)
    if not all(field.exact for field in fields):
        notes.append(BOUND)
    notes += [_misalignment(join) for join in report.joins()]
    if report.unit is None:
        return notes + _of_network(report)
    [layer] = report.layers
    for box in report.boxes(layer):
        notes += _words(box, report)
    if report.effective is not None:
        notes.append(_strength(report.effective, report.boxes(layer)[0]))
    return notes + _of_neighbors(report, layer)


def _strength(field: EffectiveField, region: Region) -> str:
    """Return a sentence on the effective field, beside the region."""
    spread = ", ".join(f"{own:.1f}" for own in field.deviation)
    middle = ", ".join(f"{own:.1f}" for own in field.center)
    whole = region.count ** (1 / len(region.intervals))
    return (
        f"effective, over {field.runs} initializations: the squared gradient has its mean at {middle} and a standard "
        f"deviation of {spread} positions; {field.size:.0f} positions to a side have more than 4.55 % of the largest "
        f"gradient, where {whole:.0f} are seen."
    )


def _takes_turns(field: ReceptiveField) -> bool:
    return any(own is not None and (len(own) > 1 or own[0].period > 1) for own in field.fields)


def _of_network(report: Report) -> list[str]:
    """Return sentences on the layer that first sees all, and on the input that the last layer's field needs."""
    notes = []
    first = first_to_see_all(report.tracer, report.layers)
    if first is not None:
        notes.append(f"{first.name} is the first layer whose middle unit sees the whole input.")
    spatial = [layer for layer in report.layers if layer.name and None not in report.field(layer).stride]
    return notes + ([_of_input(report, spatial[-1])] if spatial and report.field(spatial[-1]).size else [])


def _of_input(report: Report, layer: Layer) -> str:
    axes = report.tracer.axes(layer)
    size = smallest_input(report.field(layer), [layer.output_shape[axis] for axis in axes])
    if size is None:
        return f"No unit of {layer.name} sees its whole field: each reaches into padding."
    needed = counted(size[0], "position") if len(size) == 1 else f"{shape_text(size)} positions"
    return f"An input needs {needed} to hold the whole field of a unit of {layer.name}."


def _of_neighbors(report: Report, layer: Layer) -> list[str]:
    """Return sentences on all units of a layer: what they see by turns, and what neighbors share."""
    field = report.field(layer)
    if not field.size or None in field.stride:
        return []
    turns: dict[str, list[str]] = {}
    for name, own in zip(NAMES[len(field.size)], field.fields, strict=True):
        if own is not None and len(own) == 1 and own[0].exact and 1 < own[0].period <= MOST_TURNS:
            turns.setdefault(_turns(own[0]), []).append(f"{name}s")
    notes = [f"{' and '.join(names)} by turns: {text}." for text, names in turns.items()]
    shared = [_overlap(own) for own in field.fields]
    if all(shared):
        texts = dict.fromkeys(shared)
        notes.append(f"Neighbors share {' and '.join(str(text) for text in texts)} positions.")
    return [*notes, _of_input(report, layer)]


def _turns(part: Part) -> str:
    """Return what each residue sees: `unit 2q sees 4q − 7 … 4q + 3`."""
    units = []
    for residue, (first, last) in enumerate(zip(part.first, part.last, strict=True)):
        ends = "nothing" if first is None else f"{_linear(part.advance, first)} … {_linear(part.advance, last)}"
        units.append(f"unit {_linear(part.period, residue)} sees {ends}")
    return "; ".join(units)


def _linear(factor: int, constant: int) -> str:
    """Return `4q − 7`."""
    sign = "−" if constant < 0 else "+"
    return f"{'' if factor == 1 else factor}q" + (f" {sign} {abs(constant)}" if constant else "")


def _overlap(field: Field | None) -> str | None:
    """Return how many positions units 0 and 1 share, of how many; None where one sees nothing."""
    here, there = (seen_at(field, unit) if field else None for unit in (0, 1))
    if here is None or there is None:
        return None
    common = max(0, min(here[1], there[1]) - max(here[0], there[0]) + 1)
    size = here[1] - here[0] + 1
    return f"{_number(common)} of {_number(size)} ({100 * common / size:.0f} %)"


def _misalignment(join: Misalignment) -> str:
    """Return a sentence on a join at which a network stops being aligned, with both paths."""
    routes = " and ".join(
        f"by {' → '.join(route.layers) or 'no window'} (stride {_jumps(route.field)}, center {_centers(route.field)})"
        for route in join.routes
    )
    return (
        f"unaligned from {join.join} on: two paths come from {join.fork}, {routes}. The size is that of the hull "
        "of both."
    )


def _centers(field: Field) -> str:
    """Return the center of unit 0; of the first units, if they take turns."""
    turns = min(MOST_TURNS, max(part.period for part in field))
    found = [center_of_unit(field, unit) for unit in range(turns)]
    return ", ".join("–" if value is None else _number(value) for value in found)


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
        holes = f" ({len(side.seen)} of them, with holes)" if side.holes else ""
        is_cut = side.unclipped != side.clipped
        raw = side.unclipped or (0, -1)
        out = f" (unclipped {raw[0]} to {raw[1]}, into the padding)" if is_cut else ""
        parts.append(f"{word}s {first} to {last}{holes} of 0 to {side.extent - 1}{out}")
    every = " It also sees the whole input, through a global operation." if box.is_global else ""
    share = f" It sees {box.count:,} of the {box.box:,} positions of this box ({100 * box.share:.3g} %)."
    middles = [_number(center) for center in centers(box) if center is not None]
    middle = f" Its center is {', '.join(middles)}." if len(middles) == rank else ""
    return [f"{unit} sees{of} {'; '.join(parts)}.{share if box.share < 1 else ''}{middle}{every}"]
