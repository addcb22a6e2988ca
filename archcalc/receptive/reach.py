"""Questions about whole networks: the input that holds a field, the first layer that sees all, what neighbors share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from archcalc.network import Layer
from archcalc.receptive.fields import ReceptiveField
from archcalc.receptive.parts import Field, seen_at
from archcalc.receptive.propagation import extents_of
from archcalc.receptive.regions import Region, RegionTracer

MOST_TRACED = 32
"""Layers that are traced back before it is given up: a stride may leave positions of the input unread for good."""


def smallest_input(field: ReceptiveField, units: Sequence[int]) -> tuple[int, ...] | None:
    """Return the fewest positions along each dimension of an input that holds the whole field of some unit.

    On a smaller input, every unit sees padding.

    Args:
        field: the receptive field of a layer.
        units: how many units the layer has along each dimension; only those are tried where paths of different
            strides meet.

    Returns:
        A size per dimension; None if positions are lost along one.
    """
    found = []
    counts = [*units, *[0] * len(field.fields)]
    for own, count in zip(field.fields, counts, strict=False):
        size = min(_holding(own, count), default=None) if own else None
        if size is None:
            return None
        found.append(size)
    return tuple(found) or None


def _holding(field: Field, count: int) -> Iterator[int]:
    """Yield the sizes of inputs that hold the field of one unit, for the first unit of each kind."""
    if len(field) == 1 and field[0].exact and field[0].advance > 0:
        [part] = field
        for first, last in zip(part.first, part.last, strict=True):
            if first is not None:
                yield last + part.advance * max(0, -(first // part.advance)) + 1
        return
    for unit in range(count):
        seen = seen_at(field, unit)
        if seen is not None and seen[0] >= 0:
            yield int(seen[1] // 1) + 1


def first_to_see_all(tracer: RegionTracer, layers: Sequence[Layer]) -> Layer | None:
    """Return the first layer whose middle unit sees the whole first input along its spatial path.

    None if there is none, or if the first `MOST_TRACED` layers whose fields are large enough leave something out.
    """
    traced = 0
    for layer in layers:
        field = tracer.propagation[layer.name]
        source = tracer.propagation.source[layer.name]
        extents = extents_of(tracer.network, source)
        if None in field.stride or not field.size or any(map(int.__lt__, map(int, field.size), extents)):
            continue
        traced += 1
        if traced > MOST_TRACED:
            return None
        regions = tracer.regions(layer.name, tracer.middle(layer.name))
        if all(region.count == prod(extents) for region in regions if region.source == source):
            return layer
    return None


def centers(region: Region) -> tuple[float | None, ...]:
    """Return the middle of a region's unclipped interval along each dimension; None where nothing is seen."""
    return tuple(None if side.unclipped is None else sum(side.unclipped) / 2 for side in region.intervals)
