"""Regions: which input positions one output unit depends on, traced back layer by layer, exactly.

The trace begins with one unit, with all its channels, and takes the positions that it reads in its layer's input. Then
it takes those that these read, down to the network's input. It is a set in all axes of each layer, so a region may have
holes and need not fill a rectangle. Positions count from 0.

The *unclipped* interval counts padding as if it were part of the input, as the formulas of Araujo, Norris and Sim
(Distill, 2019) do. The *seen* positions are those that a gradient reaches. A position outside any layer's input is
dropped there, even if a later window would bring it back inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import ceil, floor, prod
from typing import Any

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.ops.operator import Operator
from archcalc.ops.reads import Reads
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, UNREAD, Access, shape_text
from archcalc.receptive import positions as sets
from archcalc.receptive.digits import FREE, inner_along, number_of, origins, positions_in, sized
from archcalc.receptive.fields import FieldPropagation, region_of
from archcalc.receptive.positions import Mask, Positions
from archcalc.receptive.propagation import FieldState, access_summary, extents_of, free_axis
from archcalc.structs import Struct
from archcalc.words import help_line

LONGEST_AXIS = 1 << 24
"""Positions along one axis of a tensor; a set of as many takes 2 MB."""
Interval = tuple[int, int]
"""The first and the last position."""


class RegionInterval(Struct):
    """One dimension of a region."""

    extent: int
    """Size of the input along it."""
    unclipped: Interval | None
    """The interval by the formula; it may reach into the padding. None if even there nothing is seen."""
    seen: frozenset[int]
    """Positions of the input at which the region has any; empty if only padding is seen."""

    @property
    def clipped(self) -> Interval | None:
        """The first and the last position seen; None if only padding is seen."""
        return (min(self.seen), max(self.seen)) if self.seen else None

    @property
    def holes(self) -> bool:
        """True if positions between the first and the last are not seen (dilation, a stride above the kernel)."""
        return bool(self.seen) and len(self.seen) != max(self.seen) - min(self.seen) + 1


class Region(Struct):
    """The part of one network input that one unit depends on."""

    source: str
    """The network's input."""
    intervals: tuple[RegionInterval, ...]
    """One for each spatial dimension."""
    is_global: bool
    """True if the unit depends on the whole input, by a gate, global pooling, attention or a linear layer."""
    has_spatial_path: bool = True
    """True if a path of windows is left; without one, the region is the whole input."""
    rectangles: tuple[tuple[frozenset[int], ...], ...] = ()
    """The seen positions as products of rows, columns, …, no two of which have a position in common."""

    @property
    def count(self) -> int:
        """Positions seen."""
        return sum(prod(map(len, sides)) for sides in self.rectangles)

    @property
    def box(self) -> int:
        """Positions in the smallest box around those that are seen."""
        return prod(last - first + 1 for first, last in (side.clipped or (0, -1) for side in self.intervals))

    @property
    def share(self) -> float:
        """The share of that box which is seen: 1 without holes; 0 if nothing is seen."""
        return self.count / self.box if self.box else 0.0


def runs(positions: Iterable[int]) -> list[list[int]]:
    """Return positions as intervals without gaps, each with its first and its last."""
    found: list[list[int]] = []
    for position in sorted(positions):
        if found and found[-1][1] == position - 1:
            found[-1][1] = position
        else:
            found.append([position, position])
    return found


Lost = frozenset[tuple[str, int]]
"""Dimensions, each with its network input, whose positions are lost on a path; the path sees all of them."""
Traces = dict[Lost, Positions]
"""What is read of a layer's output, a set in all its axes, for each kind of path."""


class RegionTracer:
    """Traces units of a network back to its inputs."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.propagation = FieldPropagation(network)

    def axes(self, layer: Layer) -> list[int]:
        """Return the axes of positions of a layer's output, in the order of the input's dimensions."""
        placed: dict[int, Any] = {}
        for view in self.propagation.views.values():
            if layer.name in view:
                for axis, word in positions_in(view[layer.name].axes).items():
                    placed.setdefault(axis, (word[0].dimension, -word[0].weight))
        return sorted(placed, key=lambda axis: (*placed[axis], axis))

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
            UserError: for a position outside the output, a wrong number of positions, or a tensor that is too long.
        """
        layer = self.network[name]
        self._check_sizes()
        placed = self._checked(layer, unit)
        dimensions = {(source, axis) for source, shape in self.network.inputs.items() for axis in range(len(shape) - 1)}
        alive = any(self._alive(source, name) for source in self.network.inputs)
        start = sets.rectangle(
            [1 << placed[axis] if axis in placed else sets.full(n) for axis, n in enumerate(layer.output_shape)]
        )
        traces: dict[str, Traces] = {name: {frozenset(): start} if alive else {}}
        whole: dict[str, Lost] = {name: frozenset() if alive else frozenset(dimensions)}
        for before in reversed(self.network.layers):
            if before.name in traces:
                self._trace_back(before, traces, whole)
        return [
            self._region(source, layer, placed, traces[source], whole[source])
            for source in self.network.inputs
            if source in traces
        ]

    def _check_sizes(self) -> None:
        """Raise `UserError` if a tensor has more positions along an axis than are traced one by one."""
        shapes = [*self.network.inputs.values(), *(layer.output_shape for layer in self.network.layers)]
        longest = max((size for shape in shapes for size in shape), default=0)
        if longest > LONGEST_AXIS:
            raise UserError(
                f"a region is traced position by position, along axes of at most {LONGEST_AXIS:,}, got {longest:,}"
                f"{help_line('give a smaller --input: receptive fields do not grow with it')}"
            )

    def _alive(self, source: str, name: str) -> set[int]:
        """Return the dimensions of a network input whose positions a layer still has."""
        state = self.propagation.views[source].get(name)
        if state is None:
            return set()
        placed = {digit.dimension for word in positions_in(state.axes).values() for digit in word}
        return placed & {dimension for term in state.terms for dimension in term}

    def _checked(self, layer: Layer, unit: Sequence[int]) -> dict[int, int]:
        """Return the unit's position along each axis of positions."""
        axes = self.axes(layer)
        if len(unit) != len(axes):
            raise UserError(
                f"a unit of {layer.name} (output {shape_text(layer.output_shape)}) "
                f"has {len(axes)} spatial positions, not {len(unit)}"
            )
        for position, axis in zip(unit, axes, strict=True):
            size = layer.output_shape[axis]
            if not 0 <= position < size:
                raise UserError(
                    f"{layer.name} has no position {position} along this axis"
                    + help_line(f"positions run from 0 to {size - 1}")
                )
        return dict(zip(axes, unit, strict=True))

    def _trace_back(self, layer: Layer, traces: dict[str, Traces], whole: dict[str, Lost]) -> None:
        """Add to each input of a layer what is read of it."""
        own, seen = traces.pop(layer.name), whole.pop(layer.name)
        accesses = layer.op.accesses()
        for number, (source, access) in enumerate(zip(layer.inputs, accesses, strict=True)):
            if UNREAD in access:
                continue
            step = _Step(self._states(source), layer.op, number, access)
            read = traces.setdefault(source, {})
            for lost, positions in own.items():
                if step.keeps_any(lost):
                    key = lost | step.lost
                    read[key] = sets.union(read.get(key, ()), step.back(positions))
            whole[source] = whole.get(source, frozenset()) | seen | step.whole

    def _states(self, name: str) -> dict[str, FieldState]:
        """Return the state of a layer, seen from each network input that it depends on."""
        return {source: view[name] for source, view in self.propagation.views.items() if name in view}

    def _region(self, source: str, layer: Layer, placed: dict[int, int], traces: Traces, whole: Lost) -> Region:
        extents, free = extents_of(self.network, source), free_axis(self.network, source)
        state, words = self.propagation.units(layer.name, source)
        numbers = number_of(words, {axis: place for axis, place in placed.items() if axis in positions_in(words)})
        unclipped = region_of(state.terms, numbers)
        masks: list[Mask | None] = [None] * len(extents)
        for lost, positions in traces.items():
            sides = [*sets.along(positions, len(extents) + 1)]
            del sides[free]
            for dimension, mask in enumerate(sides):
                if (source, dimension) not in lost:
                    masks[dimension] = (masks[dimension] or 0) | mask
        intervals = []
        for dimension, (extent, seen) in enumerate(zip(extents, masks, strict=True)):
            if seen is None:
                intervals.append(RegionInterval(extent, (0, extent - 1), frozenset(range(extent))))
            else:
                raw = unclipped.get(dimension)
                ends = None if raw is None else (ceil(raw[0]), floor(raw[1]))
                intervals.append(RegionInterval(extent, ends, frozenset(sets.bits(seen))))
        rectangles = _rectangles(traces.get(frozenset()), intervals, free)
        is_global = any(name == source for name, _ in whole)
        return Region(source, tuple(intervals), is_global, bool(traces), rectangles)


Rectangles = tuple[tuple[frozenset[int], ...], ...]
"""Products of rows, columns, …, no two of which have a position in common."""


def _rectangles(positions: Positions | None, intervals: Sequence[RegionInterval], free: int) -> Rectangles:
    """Return a set, without its channels, as products; with None the product of what is seen along each dimension.

    The channels are along axis ``free``.
    """
    if positions is None:
        return (tuple(side.seen for side in intervals),)
    axes = len(intervals)
    spatial: Positions = ()
    if free == 0:
        for _, rest in positions:
            spatial = sets.union(spatial, rest)
    else:
        for masks in sets.products(positions, axes + 1):
            spatial = sets.union(spatial, sets.rectangle([*masks[:free], *masks[free + 1 :]]))
    return tuple(tuple(frozenset(sets.bits(mask)) for mask in masks) for masks in sets.products(spatial, axes))


class _Step:
    """One operator, seen from one of its inputs: how positions of its output lead back to that input."""

    def __init__(self, states: Mapping[str, FieldState], op: Operator, number: int, access: Access) -> None:
        self.op = op
        self.shape = op.inputs[number]
        self.stages = [_Step({}, stage, 0, stage.access()) for stage in access_summary(op).stages]
        self.alive: Lost = frozenset()
        """The dimensions that run along any axis of the input."""
        self.whole: Lost = frozenset()
        """Those of which a position of the output reads everything."""
        self.lost: Lost = frozenset()
        """Those whose positions it loses."""
        self.maps: list[Callable[[Mask], Mask]] = []
        """For each axis of the input, what is read of it at a mask of positions."""
        for axis, look in enumerate(access):
            running = self._running(states, axis)
            self.alive |= running
            if isinstance(look, Reads):
                self.maps.append(_same if look is SAME_POSITION else partial(_read, look, self.shape[axis]))
                continue
            passes = running and not self.stages and not self._is_local(states, axis)
            if passes:
                self.whole |= running
                self.lost |= running if look is not GLANCE else frozenset()
            self.maps.append(_same if passes and look is GLANCE else partial(_all, self.shape[axis]))

    @staticmethod
    def _running(states: Mapping[str, FieldState], axis: int) -> Lost:
        return frozenset(
            (source, digit.dimension)
            for source, state in states.items()
            for digit in state.axes[axis]
            if digit.dimension != FREE
        )

    def _is_local(self, states: Mapping[str, FieldState], axis: int) -> bool:
        """Return True if what runs along an axis lies inside blocks: reading all of it is reading a block."""
        return all(state.split and inner_along(sized(state.axes, self.shape), axis) for state in states.values())

    def keeps_any(self, lost: Lost) -> bool:
        """Return True if a path that has lost these dimensions still has positions in the input."""
        return bool(self.alive - self.lost - lost)

    def back(self, positions: Positions) -> Positions:
        """Return the positions of the input that are read at these of the output."""
        for stage in reversed(self.stages):
            positions = stage.back(positions)
        if self.stages or not positions:
            return positions
        if access_summary(self.op).rearranges:
            positions = _restored(positions, self.op, self.shape)
        return sets.mapped(positions, self.maps)


def _same(mask: Mask) -> Mask:
    return mask


def _read(reads: Reads, size: int, mask: Mask) -> Mask:
    return sets.read_by(reads, mask, size)


def _all(size: int, mask: Mask) -> Mask:
    return sets.full(size) if mask else 0


def _restored(positions: Positions, op: Operator, shape: Shape) -> Positions:
    """Return a set in an operator's output as one in the axes of its input, before anything is read along them."""
    words = origins(op, shape)
    axes = len(op.output)
    for axis in reversed(range(axes)):
        word = words[axis]
        sizes = [digit.size for digit in word]
        if len(word) != 1:
            positions = _split_axis(positions, axes, axis, sizes)
            axes += len(word) - 1
    return _gathered(positions, [digit for word in words for digit in word], shape)


def _split_axis(positions: Positions, axes: int, axis: int, sizes: Sequence[int]) -> Positions:
    if sizes:
        return sets.split(positions, axes, axis, sizes)
    kept = [own for own in range(axes) if own != axis]
    return sets.of_products([masks[own] for own in kept] for masks in sets.products(positions, axes))


def _gathered(positions: Positions, digits: Sequence[Any], shape: Shape) -> Positions:
    """Return the set in the input's axes from one in its digits; an axis without any is whole."""
    own = [
        sorted(
            (index for index, digit in enumerate(digits) if digit.dimension == axis),
            key=lambda index: -digits[index].weight,
        )
        for axis in range(len(shape))
    ]
    rectangles = []
    for masks in sets.products(positions, len(digits)):
        rectangles.append(
            [
                sets.of_digits([(masks[place], digits[place].size) for place in places]) if places else sets.full(n)
                for places, n in zip(own, shape, strict=True)
            ]
        )
    return sets.of_products(rectangles)
