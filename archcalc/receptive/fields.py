"""Receptive fields: the input region that can influence one output position.

Along each dimension of the input it is an interval, exact for every position whose region does not reach a border
(`archcalc.receptive.parts`). A window widens it, and a join takes the hull. After upsampling, neighbors may see regions
of different sizes. Positions count from 0.

The terms size, effective stride, effective padding and center are those of Araujo, Norris and Sim, *Computing Receptive
Fields of Convolutional Neural Networks*, Distill, 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import lcm, prod
from typing import Any, NamedTuple

from archcalc.arithmetic import Shape, ratio
from archcalc.network import Network
from archcalc.receptive.digits import sizes_of
from archcalc.receptive.parts import Field, Interval, seen_at
from archcalc.receptive.propagation import FieldState, Propagation, Term, extents_of
from archcalc.receptive.recurrence import Recurrence

MOST_UNITS = 65536
"""Units whose sizes are compared where terms are beside each other."""


class ReceptiveField(NamedTuple):
    """The receptive field of a layer, one number per spatial dimension of the input."""

    size: tuple[Any, ...]
    """Positions seen along the spatial path, by the unit that sees most.

    The input's size where no such path is left, 0 where nothing is seen.
    """
    smallest: tuple[Any, ...]
    """Positions seen by the unit that sees least; equal to `size` where all units agree."""
    stride: tuple[Any, ...]
    """Effective stride in input positions; None after the dimension is gone (global pooling, linear)."""
    padding: tuple[Any, ...]
    """Effective padding: how far the field of position 0 extends beyond the input.

    None as for `stride`, and where no one value is true of all positions.
    """
    center: tuple[Any, ...]
    """Center of the field of position 0; None as for `padding`."""
    is_global: bool
    """True if the layer depends on the whole input, by global pooling, a linear layer, attention or a gate."""
    aligned: bool
    """True if all paths to the layer have the same effective stride and center."""
    fields: tuple[Field | None, ...] = ()
    """The parts along each dimension: what each position sees."""

    @property
    def exact(self) -> bool:
        """True if every size is exact; False if it is an upper bound."""
        return all(part.exact for field in self.fields for part in field or ())


class FieldPropagation(Propagation):
    """The receptive field of every layer, by its name."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.fields: dict[Any, ReceptiveField] = {}

    def __getitem__(self, name: str) -> ReceptiveField:
        """Return the receptive field of the layer of that name."""
        source = self.source[name]
        state = self.views[source][name]
        shape = self.network.shape_of(name)
        known = self.fields.get((id(state), shape))
        if known is None:
            is_global = any(view[name].whole for view in self.views.values() if name in view)
            counts: Mapping[int, Any] = {}
            if state.split or len(state.terms) > 1 or not all(map(_is_steady, state.terms)):
                state, words = self.units(name, source)
                counts = sizes_of(words)
            known = _published(state, counts, extents_of(self.network, source), is_global)
            self.fields[id(self.views[source][name]), shape] = known
        return known


def _is_steady(term: Term) -> bool:
    """Return True if every unit sees an interval of one size, at one place beside its own."""
    return all(len(field) == 1 and len(field[0].first) == 1 for field in term.values())


class _Published(NamedTuple):
    """The published terms of a field along one dimension."""

    size: Any
    smallest: Any
    stride: Any = None
    padding: Any = None
    center: Any = None
    field: Field | None = None


def _published(state: FieldState, counts: Mapping[int, Any], extents: Shape, is_global: bool) -> ReceptiveField:
    """Return a state in the published terms; ``counts`` are the positions along dimensions that take turns."""
    found = []
    for dimension, extent in enumerate(extents):
        field = state.field(dimension)
        if field is None:
            size = extent if dimension in state.whole else 0
            found.append(_Published(size, size))
        else:
            found.append(_terms(field, counts.get(dimension, 1)))
    if len(state.terms) > 1:
        ranges = _sizes_of_terms(state, [counts.get(dimension, 1) for dimension in range(len(extents))])
        found = [field._replace(smallest=least, size=most) for field, (least, most) in zip(found, ranges, strict=True)]
    if not found:
        return ReceptiveField((), (), (), (), (), is_global, state.aligned)
    sizes, smallest, stride, padding, center, fields = zip(*found, strict=True)
    return ReceptiveField(sizes, smallest, stride, padding, center, is_global, state.aligned, fields)


def _terms(field: Field, count: Any) -> _Published:
    """Return the terms of a field along a dimension of so many positions."""
    [part, *others] = field
    if len(part.first) == 1 and part.first[0] is not None and not others:
        first, last = part.first[0], part.last[0]
        size = (last - first) // 1 + 1
        if not part.exact:
            return _Published(size, size, part.advance, field=field)
        return _Published(size, size, part.advance, -first, ratio(first + last, 2), field)
    lengths = {_length(seen_at(field, position)) for position in range(min(count, _period([field])))}
    offsets = part.offsets() if not others and part.exact else []
    firsts = {first for first, _ in offsets}
    centers = {ratio(first + last, 2) for first, last in offsets}
    return _Published(
        size=max(lengths),
        smallest=(min if all(own.exact for own in field) else max)(lengths),  # a bound says only how many at most
        stride=min((own.jump for own in field), key=abs) if others else part.jump,
        padding=-firsts.pop() if len(firsts) == 1 else None,
        center=centers.pop() if len(centers) == 1 else None,
        field=field,
    )


def _sizes_of_terms(state: FieldState, counts: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the smallest and the largest size along each dimension, of units that see what several terms say."""
    fields = [[term[dimension] for term in state.terms if dimension in term] for dimension in range(len(counts))]
    spans = [min(count, _period(own)) for count, own in zip(counts, fields, strict=True)]
    if prod(spans) > MOST_UNITS:
        hulls = [state.field(dimension) for dimension in range(len(counts))]
        found = [_terms(hull, count) if hull else _Published(0, 0) for hull, count in zip(hulls, counts, strict=True)]
        return [(field.size, field.size) for field in found]
    regions = [region_of(state.terms, dict(enumerate(unit))) for unit in product(*map(range, spans))]
    lengths = [[_length(region.get(dimension)) for region in regions] for dimension in range(len(counts))]
    return [(min(own), max(own)) for own in lengths]


def _period(fields: Sequence[Field]) -> Any:
    """Return after how many positions sizes repeat; more than there are if parts move against each other."""
    parts = [part for field in fields for part in field]
    if len({part.jump for part in parts}) > 1:
        return 1 << 30
    return lcm(*(part.period for part in parts))


def _length(interval: Interval | None) -> Any:
    """Return the positions in an interval; if its ends are fractions, as many as it may have."""
    return 0 if interval is None else (interval[1] - interval[0]) // 1 + 1


def region_of(terms: Iterable[Term], unit: Mapping[int, int]) -> dict[int, Interval]:
    """Return the interval that a unit sees along each dimension, padding included; empty if it sees nothing."""
    found: dict[int, Interval] = {}
    for term in terms:
        seen = {dimension: seen_at(field, unit[dimension]) for dimension, field in term.items() if dimension in unit}
        if None in seen.values():
            continue
        for dimension, interval in seen.items():
            assert interval is not None
            before = found.get(dimension, interval)
            found[dimension] = min(before[0], interval[0]), max(before[1], interval[1])
    return found


class Fields:
    """The receptive field of every layer, by its name; computed when the first is asked for."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def bounds(self) -> Recurrence:
        """The sizes by the recurrence that papers publish."""
        return Recurrence(self.network)

    @cached_property
    def propagation(self) -> FieldPropagation:
        """The computation through the whole network."""
        return FieldPropagation(self.network)

    def __getitem__(self, name: str) -> ReceptiveField:
        return self.propagation[name]
