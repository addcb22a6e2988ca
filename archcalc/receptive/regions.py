"""Regions: which input positions one output unit depends on, traced back layer by layer.

Along each dimension it is a set of positions. The trace begins with one unit and takes the positions that it reads in
its layer's input. Then it takes those that these read, down to the network's input. Positions count from 0.

The *unclipped* interval counts padding as if it were part of the input, as the formulas of Araujo, Norris and Sim
(Distill, 2019) do. The *seen* positions are those that a gradient reaches. A position outside any layer's input is
dropped there, even if a later window would bring it back inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, UNREAD, AxisAccess, PaddingMode, Window, shape_text
from archcalc.receptive.fields import FieldPropagation

Interval = tuple[int, int]
"""The first and the last position."""


@dataclass(frozen=True)
class RegionInterval:
    """One dimension of a region."""

    extent: int
    """Size of the input along it."""
    unclipped: Interval
    """The interval by the formula; it may reach into the padding."""
    seen: frozenset[int]
    """Positions of the input; empty if only padding is seen."""

    @property
    def clipped(self) -> Interval | None:
        """The first and the last position seen; None if only padding is seen."""
        return (min(self.seen), max(self.seen)) if self.seen else None

    @property
    def gaps(self) -> bool:
        """True if positions between the first and the last are not seen (dilation, a stride above the kernel)."""
        return bool(self.seen) and len(self.seen) != max(self.seen) - min(self.seen) + 1


@dataclass(frozen=True)
class Region:
    """The part of one network input that one unit depends on."""

    source: str
    """The network's input."""
    intervals: tuple[RegionInterval, ...]
    """One for each spatial dimension."""
    is_global: bool
    """True if the unit depends on the whole input, by a gate, global pooling, attention or a linear layer."""
    has_spatial_path: bool = True
    """True if a path of windows is left; without one, the region is the whole input."""


@dataclass(frozen=True)
class _Trace:
    """The traced positions along one dimension of a layer's output."""

    first: Any
    last: Any
    """The unclipped interval."""
    positions: int
    """The positions that are seen, a bit for each."""

    def through(self, window: Window, size: int) -> _Trace:
        """Return the positions that a window at these positions reads from an input of that size."""
        low = window.positions(self.first)
        high = low if self.first == self.last else window.positions(self.last)
        first = low[0] if low else window.stride * self.first + window.first
        last = high[-1] if high else window.stride * self.last + window.last
        return _Trace(first, last, _read_by(window, self.positions, size))


Traces = dict[int, _Trace]
"""The trace of each dimension in which a layer's output has distinct positions."""


def _read_by(window: Window, positions: int, size: int) -> int:
    """Return the input positions that a window reads at any of these positions, as bits."""
    result = 0
    if window.stride == 1 and window.edge is PaddingMode.NOTHING and isinstance(window.first, int):
        for tap in window.positions(0):  # the same taps at every position: shift all bits at once
            result |= positions << tap if tap >= 0 else positions >> -tap
        return result & (1 << size) - 1
    for position in bits(positions):
        for tap in window.positions(position):
            inside = window.edge.inside(tap, size)
            if inside is not None:
                result |= 1 << inside
    return result


def _sees_nothing(traces: Traces) -> bool:
    return any(not trace.positions for trace in traces.values())


def _union(left: Traces, right: Traces) -> Traces:
    """Return what two paths see together; a path that sees nothing (in a concatenation) adds nothing."""
    if not left or not right:
        return left or right
    if _sees_nothing(left) != _sees_nothing(right):
        return right if _sees_nothing(left) else left
    result = {**left, **right}
    for dimension in left.keys() & right.keys():
        mine, theirs = left[dimension], right[dimension]
        first, last = min(mine.first, theirs.first), max(mine.last, theirs.last)
        result[dimension] = _Trace(first, last, mine.positions | theirs.positions)
    return result


def bits(positions: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [number for number, bit in enumerate(reversed(bin(positions)[2:])) if bit == "1"]


class RegionTracer:
    """Traces units of a network back to its inputs."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.propagation = FieldPropagation(network)

    def axes(self, layer: Layer) -> dict[int, frozenset[int]]:
        """Return the spatial axes of a layer's output, each with the input dimensions that run along it."""
        state = self.propagation.states[layer.name]
        spatial = {axis: dimensions - state.merged for axis, dimensions in enumerate(state.axes)}
        return dict(sorted(((axis, own) for axis, own in spatial.items() if own), key=lambda pair: min(pair[1])))

    def middle(self, name: str) -> tuple[int, ...]:
        """Return the unit in the middle of a layer's output, a position per spatial axis."""
        layer = self.network[name]
        return tuple((layer.output_shape[axis] - 1) // 2 for axis in self.axes(layer))

    def regions(self, name: str, unit: Sequence[int]) -> list[Region]:
        """Return the region of each network input that a unit depends on.

        Args:
            name: the unit's layer.
            unit: its position along each spatial axis of the layer's output.

        Raises:
            KeyError: for an unknown layer.
            UserError: for a position outside the output, or a wrong number of positions.
        """
        layer = self.network[name]
        start = self._start(layer, unit)
        traces: dict[str, Traces] = {name: start}
        whole: dict[str, frozenset[int]] = {name: frozenset() if start else frozenset(self.propagation.extents)}
        for before in reversed(self.network.layers):
            if before.name in traces:
                self._trace_back(before, traces, whole)
        return [
            self._region(source, traces.get(source, {}), whole.get(source, frozenset()))
            for source in self.network.inputs
            if source in traces
        ]

    def _start(self, layer: Layer, unit: Sequence[int]) -> Traces:
        axes = self.axes(layer)
        if len(unit) != len(axes):
            raise UserError(
                f"a unit of {layer.name} (output {shape_text(layer.output_shape)}) "
                f"has {len(axes)} spatial positions, not {len(unit)}"
            )
        traces: Traces = {}
        for position, (axis, dimensions) in zip(unit, axes.items(), strict=True):
            size = layer.output_shape[axis]
            if not 0 <= position < size:
                raise UserError(
                    f"{layer.name} has no position {position} along this axis; positions run from 0 to {size - 1}"
                )
            for dimension in dimensions & self.propagation.states[layer.name].spans.keys():
                traces[dimension] = _Trace(position, position, 1 << position)
        return traces

    def _trace_back(self, layer: Layer, traces: dict[str, Traces], whole: dict[str, frozenset[int]]) -> None:
        """Add to each input of a layer what is read of it."""
        for source, access in zip(layer.inputs, layer.op.accesses(), strict=True):
            if UNREAD in access:
                continue
            read: Traces = {}
            everything = set(whole.get(source, frozenset()) | whole[layer.name])
            state = self.propagation.states[source]
            for look, size, dimensions in zip(access, self.network.shape_of(source), state.axes, strict=True):
                for dimension in dimensions:
                    trace = traces[layer.name].get(dimension)
                    through = None if trace is None else _through(trace, look, size, dimension not in state.merged)
                    if through is None or look is GLANCE:
                        everything.add(dimension)
                    if through is not None:
                        read[dimension] = through
            traces[source] = _union(traces.get(source, {}), read)
            whole[source] = frozenset(everything)

    def _region(self, source: str, traces: Traces, whole: frozenset[int]) -> Region:
        intervals = []
        dimensions = self.propagation.dimensions[source]
        for dimension in dimensions:
            extent = self.propagation.extents[dimension]
            trace = traces.get(dimension)
            if trace is None:
                intervals.append(RegionInterval(extent, (0, extent - 1), frozenset(range(extent))))
            else:
                unclipped = ceil(trace.first), floor(trace.last)
                intervals.append(RegionInterval(extent, unclipped, frozenset(bits(trace.positions))))
        has_spatial_path = not traces.keys().isdisjoint(dimensions)
        return Region(source, tuple(intervals), not whole.isdisjoint(dimensions), has_spatial_path)


def _through(trace: _Trace, look: Window | AxisAccess, size: int, own_axis: bool) -> _Trace | None:
    """Return what is read along one axis of an input; None where its positions are not distinct."""
    if look is SAME_POSITION or look is GLANCE:
        return trace
    return trace.through(look, size) if isinstance(look, Window) and own_axis else None
