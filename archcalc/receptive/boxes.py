"""The box: exactly which part of the input one output unit sees, walked back layer by layer.

Along a dimension a set of positions: those that a unit looks at in its layer's input, then those that these look at,
and so on to the network's input. `raw` counts what lies in padding as if it were there, as the article's formulas do;
`seen` holds what is really seen, as a gradient measures it: what falls outside any layer's input is gone there, also
where a later window would have brought it back inside. Positions count from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import GLANCE, NOTHING, SAME_POSITION, AxisAccess, PaddingMode, Window, shape_text
from archcalc.receptive.fields import FieldPropagation

Interval = tuple[int, int]
"""The first and the last position."""


@dataclass(frozen=True)
class RegionInterval:
    """One dimension of a box."""

    extent: int
    """Size of the input along it."""
    raw: Interval
    seen: frozenset[int]
    """Positions of the input; none where only padding is seen."""

    @property
    def clipped(self) -> Interval | None:
        """The first and the last position seen; None where only padding is seen."""
        return (min(self.seen), max(self.seen)) if self.seen else None

    @property
    def gaps(self) -> bool:
        """Whether positions between the first and the last are not seen (dilation, a stride above the kernel)."""
        return bool(self.seen) and len(self.seen) != max(self.seen) - min(self.seen) + 1


@dataclass(frozen=True)
class Box:
    """What one unit sees of one input, a `RegionInterval` for each spatial dimension."""

    source: str
    """The network's input."""
    sides: tuple[RegionInterval, ...]
    sees_all: bool
    """Whether the unit also sees the whole input, through a gate, global pooling, attention or a linear layer."""
    placed: bool = True
    """Whether a spatial path is left; without one, the box is the whole input."""


@dataclass(frozen=True)
class _Glimpse:
    """What is seen along one dimension of a layer's output: the hull as if padding were there, and the positions."""

    first: Any
    last: Any
    positions: int
    """A bit for each position."""

    def through(self, window: Window, size: int) -> _Glimpse:
        """What is seen in the input, of that size, of a window at these positions."""
        low = window.positions(self.first)
        high = low if self.first == self.last else window.positions(self.last)
        first = low[0] if low else window.stride * self.first + window.first
        last = high[-1] if high else window.stride * self.last + window.last
        return _Glimpse(first, last, _looked_at(self.positions, window, size))


def _looked_at(positions: int, window: Window, size: int) -> int:
    """The bits of all input positions that windows at these positions look at."""
    everything = (1 << size) - 1
    if window.stride == 1 and window.edge is PaddingMode.NOTHING and isinstance(window.first, int):
        taps = window.positions(0)  # every position has the same window: shift all bits at once
        result = 0
        for tap in taps:
            result |= positions << tap if tap >= 0 else positions >> -tap
        return result & everything
    result = 0
    for position in bits(positions):
        for tap in window.positions(position):
            inside = window.edge.inside(tap, size)
            if inside is not None:
                result |= 1 << inside
    return result


Glimpses = dict[int, _Glimpse]
"""What is seen of a layer's output, along each dimension in which that has a place."""


def _sees_nothing(glimpses: Glimpses) -> bool:
    return any(not glimpse.positions for glimpse in glimpses.values())


def _together(one: Glimpses, other: Glimpses) -> Glimpses:
    """What two paths see together; one that sees nothing (of a part of a concatenation) adds nothing."""
    if not one or not other:
        return one or other
    if _sees_nothing(one) != _sees_nothing(other):
        return other if _sees_nothing(one) else one
    result = {**one, **other}
    for dimension in one.keys() & other.keys():
        mine, theirs = one[dimension], other[dimension]
        result[dimension] = _Glimpse(
            min(mine.first, theirs.first), max(mine.last, theirs.last), mine.positions | theirs.positions
        )
    return result


def bits(positions: int) -> list[int]:
    """The positions whose bits are set."""
    return [at for at, bit in enumerate(reversed(bin(positions)[2:])) if bit == "1"]


class RegionTracer:
    """Traces units of a network back to its inputs."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.viewer = FieldPropagation(network)

    def axes(self, layer: Layer) -> dict[int, frozenset[int]]:
        """The axes of the layer's output along which positions have a place, each with the input dimensions there."""
        view = self.viewer.views[layer.name]
        placed = {at: dimensions - view.merged for at, dimensions in enumerate(view.axes)}
        return dict(sorted(((at, own) for at, own in placed.items() if own), key=lambda pair: min(pair[1])))

    def middle(self, name: str) -> tuple[int, ...]:
        """The unit in the middle of a layer's output."""
        layer = self.network[name]
        return tuple((layer.output_shape[axis] - 1) // 2 for axis in self.axes(layer))

    def boxes(self, name: str, unit: Sequence[int]) -> list[Box]:
        """What the unit at these positions of a layer's output sees of every input.

        Raises `KeyError` for an unknown layer, `UserError` where there is no such unit.
        """
        layer = self.network[name]
        start = self._start(layer, unit)
        glimpses: dict[str, Glimpses] = {name: start}
        whole: dict[str, frozenset[int]] = {name: frozenset()}
        if not start:
            whole[name] = frozenset(self.viewer.extents)
        for one in reversed(self.network.layers):
            if one.name in glimpses:
                self._back(one, glimpses, whole)
        return [
            self._box(source, glimpses.get(source, {}), whole.get(source, frozenset()))
            for source in self.network.inputs
            if source in glimpses
        ]

    def _start(self, layer: Layer, unit: Sequence[int]) -> Glimpses:
        axes = self.axes(layer)
        if len(unit) != len(axes):
            raise UserError(
                f"a unit of {layer.name} (output {shape_text(layer.output_shape)}) "
                f"has {len(axes)} spatial positions, not {len(unit)}"
            )
        glimpses: Glimpses = {}
        for position, (axis, dimensions) in zip(unit, axes.items(), strict=True):
            size = layer.output_shape[axis]
            if not 0 <= position < size:
                raise UserError(
                    f"{layer.name} has no position {position} along this axis; positions run from 0 to {size - 1}"
                )
            for dimension in dimensions & self.viewer.views[layer.name].spans.keys():
                glimpses[dimension] = _Glimpse(position, position, 1 << position)
        return glimpses

    def _back(self, layer: Layer, glimpses: dict[str, Glimpses], whole: dict[str, frozenset[int]]) -> None:
        """Hand what is seen of a layer's output on to its inputs."""
        for source, sight in zip(layer.inputs, layer.op.sights(), strict=True):
            if NOTHING in sight:
                continue
            seen: Glimpses = {}
            everything = set(whole.get(source, frozenset()) | whole[layer.name])
            view = self.viewer.views[source]
            for look, size, dimensions in zip(sight, self.network.shape_of(source), view.axes, strict=True):
                for dimension in dimensions:
                    glimpse = glimpses[layer.name].get(dimension)
                    through = None if glimpse is None else _through(glimpse, look, size, dimension not in view.merged)
                    if through is None or look is GLANCE:
                        everything.add(dimension)
                    if through is not None:
                        seen[dimension] = through
            glimpses[source] = _together(glimpses.get(source, {}), seen)
            whole[source] = frozenset(everything)

    def _box(self, source: str, glimpses: Glimpses, whole: frozenset[int]) -> Box:
        sides = []
        for dimension in self.viewer.dimensions[source]:
            extent = self.viewer.extents[dimension]
            glimpse = glimpses.get(dimension)
            if glimpse is None:
                sides.append(RegionInterval(extent, (0, extent - 1), frozenset(range(extent))))
            else:
                raw = (int(Fraction(glimpse.first).__ceil__()), int(Fraction(glimpse.last).__floor__()))
                sides.append(RegionInterval(extent, raw, frozenset(bits(glimpse.positions))))
        own = frozenset(self.viewer.dimensions[source])
        return Box(source, tuple(sides), bool(own & whole), any(dimension in glimpses for dimension in own))


def _through(glimpse: _Glimpse, look: Window | AxisAccess, size: int, own_axis: bool) -> _Glimpse | None:
    """What is seen of one axis of an input; None where its positions have no place."""
    if look is SAME_POSITION or look is GLANCE:
        return _Glimpse(glimpse.first, glimpse.last, glimpse.positions)
    if isinstance(look, Window) and own_axis:
        return glimpse.through(look, size)
    return None
