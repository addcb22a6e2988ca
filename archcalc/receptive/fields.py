"""Receptive fields: the input region that can influence one output position.

Along each spatial dimension of the input it is an interval. Position i of a layer depends on the input positions
``stride·i + first`` to ``stride·i + last``. A window widens the interval, and a join takes the hull. Positions count
from 0.

The terms are size ``last − first + 1``, effective stride, and effective padding ``−first``. They are those of Araujo,
Norris and Sim, *Computing Receptive Fields of Convolutional Neural Networks*, Distill, 2019.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from archcalc.collection import no_collection
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import GLANCE, SAME_POSITION, UNREAD, AxisAccess, Window, same_axes


class Span(NamedTuple):
    """The receptive field of position i along one dimension: ``stride·i + first … stride·i + last``."""

    stride: Any
    first: Any
    last: Any

    @property
    def center(self) -> Any:
        """Twice the center of the field of position 0. Twice, so that it is an integer."""
        return self.first + self.last

    def through(self, window: Window) -> Span:
        """Return the span after a window over positions that have this span."""
        return Span(
            self.stride * window.stride, self.first + self.stride * window.first, self.last + self.stride * window.last
        )

    def hull(self, other: Span) -> Span:
        """Return the smallest span that contains both, with the smaller stride."""
        return Span(min(self.stride, other.stride), min(self.first, other.first), max(self.last, other.last))


class FieldState(NamedTuple):
    """What `FieldPropagation` knows of one layer's output."""

    axes: tuple[frozenset[int], ...]
    """For each axis of the output, the input dimensions that run along it."""
    spans: Mapping[int, Span]
    """The span of each input dimension in which positions are still distinct."""
    whole: frozenset[int] = frozenset()
    """Dimensions of which all positions are seen. A gate puts a dimension here and leaves its span as it is."""
    merged: frozenset[int] = frozenset()
    """Dimensions without an axis of their own: flattened with others, or split over several axes."""
    aligned: bool = True
    source: str = ""
    """The first network input that the layer depends on."""


class ReceptiveField(NamedTuple):
    """The receptive field of a layer, one number per spatial dimension of the input."""

    size: tuple[Any, ...]
    """Positions seen along the spatial path; the input's size where no such path is left, 0 where nothing is seen."""
    stride: tuple[Any, ...]
    """Effective stride in input positions; None after the dimension is gone (global pooling, linear)."""
    padding: tuple[Any, ...]
    """Effective padding: how far the field of position 0 extends beyond the input; None as for `stride`."""
    is_global: bool
    """True if the layer depends on the whole input, by global pooling, a linear layer, attention or a gate."""
    aligned: bool
    """True if all paths to the layer have the same effective stride and center."""


class AccessSummary:
    """How an operator reads its inputs, wherever in a network it is used."""

    __slots__ = ("clear", "moves", "origin")

    def __init__(self, op: Operator) -> None:
        self.moves = tuple(
            tuple((axis, look) for axis, look in enumerate(access) if not _stays(look)) for access in op.accesses()
        )
        """For each input, the axes along which a position reads more than itself, or another position."""
        axes = op.axes()
        self.origin = None if axes is same_axes(len(axes)) else axes
        """The input axes of each output axis; None where they are the same."""
        self.clear = self.origin is None and not any(self.moves)
        """True if every position reads only itself."""


def _stays(look: Window | AxisAccess) -> bool:
    """Return True if a position reads only itself. Symbolic windows are not compared."""
    if look is SAME_POSITION or isinstance(look, AxisAccess):
        return look is SAME_POSITION
    return {*map(type, look[:3])} == {int} and look[:3] == SAME_POSITION[:3]


access_summary = lru_cache(maxsize=8192)(AccessSummary)
"""The summary of an operator, made once."""


def without_axis(axes: tuple[frozenset[int], ...], origin: tuple[tuple[int, ...], ...]) -> frozenset[int]:
    """Return the dimensions that lose their own axis if output axes are made of those in ``origin``."""
    uses = Counter(axis for made in origin for axis in made)
    return frozenset(
        dimension for made in origin for axis in made if len(made) > 1 or uses[axis] > 1 for dimension in axes[axis]
    )


class FieldPropagation:
    """Computes the receptive field of every layer, in the order of execution."""

    @no_collection()
    def __init__(self, network: Network) -> None:
        self.extents: dict[int, int] = {}
        """Size of each input dimension."""
        self.dimensions: dict[str, range] = {}
        """The dimensions of each network input."""
        self.states: dict[str, FieldState] = {}
        self.fields: dict[int, ReceptiveField] = {}
        self.unaligned: list[str] = []
        """Joins whose paths disagree though each path is aligned: where the network stops being aligned."""
        for name, shape in network.inputs.items():
            first = len(self.extents)
            self.extents.update(enumerate(shape[1:], first))
            self.dimensions[name] = range(first, len(self.extents))
            axes = (frozenset[int](), *(frozenset([dimension]) for dimension in self.dimensions[name]))
            spans = {dimension: Span(1, 0, 0) for dimension in self.dimensions[name]}
            self.states[name] = FieldState(axes, spans, source=name)
        for layer in network.layers:
            self._propagate(layer.name, layer.op, layer.inputs)

    def _propagate(self, name: str, op: Operator, sources: tuple[str, ...]) -> None:
        if len(sources) == 1:  # most layers
            summary = access_summary(op)
            state = self.states[sources[0]]
            if not summary.clear:
                state = self._through(state, summary.origin, summary.moves[0])
        else:
            state, *others = self.entering(op, sources)
            for other in others:
                state = self._join(state, other)
            if not state.aligned and all(self.states[source].aligned for source in sources):
                self.unaligned.append(name)
        self.states[name] = state

    def entering(self, op: Operator, sources: tuple[str, ...]) -> list[FieldState]:
        """Return the state of a layer along each of its inputs, before they are joined."""
        summary = access_summary(op)
        return [
            self._through(self.states[source], summary.origin, moves)
            for source, moves in zip(sources, summary.moves, strict=True)
        ]

    def _through(
        self,
        state: FieldState,
        origin: tuple[tuple[int, ...], ...] | None,
        moves: tuple[tuple[int, Window | AxisAccess], ...],
    ) -> FieldState:
        looks = [(dimension, look) for axis, look in moves for dimension in state.axes[axis]]
        if not looks and origin is None:
            return state
        spans, whole = dict(state.spans), state.whole
        for dimension, look in looks:
            if look is GLANCE:
                whole |= {dimension}
            elif look is UNREAD:
                spans.pop(dimension, None)
            elif isinstance(look, Window) and dimension not in state.merged and dimension in spans:
                spans[dimension] = spans[dimension].through(look)
            else:
                whole |= {dimension}
                spans.pop(dimension, None)
        axes, merged = state.axes, state.merged
        if origin is not None:
            merged |= without_axis(axes, origin)
            axes = tuple(frozenset().union(*(axes[axis] for axis in made)) for made in origin)
        return FieldState(axes, spans, whole, merged, state.aligned, state.source)

    def _join(self, left: FieldState, right: FieldState) -> FieldState:
        if left is right or left[:5] == right[:5]:
            return left
        spans, aligned = dict(left.spans), left.aligned and right.aligned
        for dimension, span in right.spans.items():
            mine = spans.get(dimension)
            if mine is None:
                spans[dimension] = span
            elif mine != span:
                aligned = aligned and mine.stride == span.stride and mine.center == span.center
                spans[dimension] = mine.hull(span)
        axes = left.axes
        if len(axes) == len(right.axes):
            axes = tuple(mine | theirs for mine, theirs in zip(axes, right.axes, strict=True))
        return FieldState(axes, spans, left.whole | right.whole, left.merged | right.merged, aligned, left.source)

    def __getitem__(self, name: str) -> ReceptiveField:
        """Return the receptive field of the layer of that name."""
        return self.field(self.states[name])

    def field(self, state: FieldState) -> ReceptiveField:
        """Return a state in the published terms."""
        known = self.fields.get(id(state))
        if known is None:
            known = self.fields[id(state)] = self._field(state)
        return known

    def _field(self, state: FieldState) -> ReceptiveField:
        parts = []
        for dimension in self.dimensions[state.source]:
            span = state.spans.get(dimension)
            if span is None:
                parts.append((self.extents[dimension] if dimension in state.whole else 0, None, None))
            else:
                parts.append((span.last // 1 - -(-span.first // 1) + 1, span.stride, -span.first))
        size, stride, padding = zip(*parts, strict=True) if parts else ((), (), ())
        return ReceptiveField(size, stride, padding, bool(state.whole), state.aligned)


class Fields:
    """The receptive field of every layer, by its name; computed when the first is asked for."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def propagation(self) -> FieldPropagation:
        """The computation through the whole network."""
        return FieldPropagation(self.network)

    def __getitem__(self, name: str) -> ReceptiveField:
        return self.propagation[name]


def last_spatial_field(fields: Iterable[ReceptiveField]) -> ReceptiveField | None:
    """Return the last field that has a stride in every dimension; None if there is none."""
    spatial = [field for field in fields if None not in field.stride]
    return spatial[-1] if spatial else None
