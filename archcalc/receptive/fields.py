"""Receptive fields: what part of the input one position of a layer sees.

Along each spatial dimension of the input an interval: position i sees input positions ``stride·i + first`` to
``stride·i + last``. A window widens it, a join takes the hull. The terms are those of Araujo, Norris and Sim,
*Computing Receptive Fields of Convolutional Neural Networks*, Distill, 2019: size ``last − first + 1``, effective
stride, effective padding ``−first``. Positions count from 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from archcalc.collection import no_collection
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import GLANCE, NOTHING, SAME_POSITION, AxisAccess, Window, same_axes


class Span(NamedTuple):
    """The interval of one dimension, seen from position i: ``stride·i + first … stride·i + last``."""

    stride: Any
    first: Any
    last: Any

    @property
    def centre(self) -> Any:
        """Twice the centre, seen from position 0 (twice, so that it is whole)."""
        return self.first + self.last

    def through(self, window: Window) -> Span:
        """The interval after a window that looks at positions with this one."""
        return Span(
            self.stride * window.stride,
            self.first + self.stride * window.first,
            self.last + self.stride * window.last,
        )

    def hull(self, other: Span) -> Span:
        """The smallest interval that holds both, with the smaller step."""
        return Span(min(self.stride, other.stride), min(self.first, other.first), max(self.last, other.last))


class FieldState(NamedTuple):
    """What a layer sees.

    ``spans`` has an interval for each dimension in which its positions still have a place of their own; ``whole`` are
    the dimensions that it sees entirely, be it through a gate that leaves the interval as it is.
    """

    axes: tuple[frozenset[int], ...]
    """For each axis of the layer's output, the input dimensions that run along it."""
    spans: Mapping[int, Span]
    whole: frozenset[int] = frozenset()
    merged: frozenset[int] = frozenset()
    """Dimensions that have no axis of their own any more: flattened with others, or split over several axes."""
    aligned: bool = True
    source: str = ""
    """The first network input among those seen."""


class ReceptiveField(NamedTuple):
    """The receptive field of a layer, a number per spatial dimension of the input."""

    size: tuple[Any, ...]
    """Positions seen along the spatial path; the whole input where no such path is left; 0 where nothing is seen."""
    stride: tuple[Any, ...]
    """Input positions between neighbours; None where positions have no place any more."""
    padding: tuple[Any, ...]
    """How far position 0 looks out of the input; None where positions have no place any more."""
    sees_all: bool
    """Whether it sees the whole input, through global pooling, a linear layer, attention or a gate."""
    aligned: bool
    """Whether all paths to it have the same stride and the same centres."""


class AccessSummary:
    """How an application of an operator looks at its inputs, wherever it stands."""

    __slots__ = ("clear", "moves", "origin")

    def __init__(self, op: Operator) -> None:
        self.moves = tuple(
            tuple((axis, look) for axis, look in enumerate(sight) if not _stays(look)) for sight in op.sights()
        )
        """For each input, the axes along which a position sees more than itself, or another."""
        axes = op.axes()
        self.origin = None if axes is same_axes(len(axes)) else axes
        """The input axes of each output axis; None where they are the same."""
        self.clear = self.origin is None and not any(self.moves)
        """Whether every position sees only itself."""


def _stays(look: Window | AxisAccess) -> bool:
    """Whether a position sees only itself; symbols are not asked."""
    if look is SAME_POSITION or isinstance(look, AxisAccess):
        return look is SAME_POSITION
    return {*map(type, look[:3])} == {int} and look[:3] == SAME_POSITION[:3]


lens_of = lru_cache(maxsize=8192)(AccessSummary)
"""The lens of an application, made once."""


def without_axis(axes: tuple[frozenset[int], ...], origin: tuple[tuple[int, ...], ...]) -> frozenset[int]:
    """The dimensions that have no axis of their own once output axes are made of these input axes."""
    uses = Counter(axis for made in origin for axis in made)
    return frozenset(
        dimension for made in origin for axis in made if len(made) > 1 or uses[axis] > 1 for dimension in axes[axis]
    )


class FieldPropagation:
    """Follows what is seen through a network, layer by layer."""

    @no_collection()
    def __init__(self, network: Network) -> None:
        self.extents: dict[int, int] = {}
        self.dimensions: dict[str, range] = {}
        self.views: dict[str, FieldState] = {}
        self.fields: dict[int, ReceptiveField] = {}
        self.unaligned: list[str] = []
        """Joins whose own paths disagree: where the network stops being aligned."""
        for name, shape in network.inputs.items():
            first = len(self.extents)
            self.extents.update(enumerate(shape[1:], first))
            self.dimensions[name] = range(first, len(self.extents))
            axes = (frozenset[int](), *(frozenset([dimension]) for dimension in self.dimensions[name]))
            spans = {dimension: Span(1, 0, 0) for dimension in self.dimensions[name]}
            self.views[name] = FieldState(axes, spans, source=name)
        for layer in network.layers:
            self._look(layer.name, layer.op, layer.inputs)

    def _look(self, name: str, op: Operator, sources: tuple[str, ...]) -> None:
        lens = lens_of(op)
        if len(sources) == 1:  # most layers
            view = self.views[sources[0]]
            if not lens.clear:
                view = self._through(view, lens.origin, lens.moves[0])
        else:
            view, *others = self.entering(op, sources)
            for other in others:
                view = self._join(view, other)
            if not view.aligned and all(self.views[source].aligned for source in sources):
                self.unaligned.append(name)
        self.views[name] = view

    def entering(self, op: Operator, sources: tuple[str, ...]) -> list[FieldState]:
        """What a layer sees through each of its inputs."""
        lens = lens_of(op)
        return [
            self._through(self.views[source], lens.origin, moves)
            for source, moves in zip(sources, lens.moves, strict=True)
        ]

    def _through(
        self,
        view: FieldState,
        origin: tuple[tuple[int, ...], ...] | None,
        moves: tuple[tuple[int, Window | AxisAccess], ...],
    ) -> FieldState:
        looks = [(dimension, look) for axis, look in moves for dimension in view.axes[axis]]
        if not looks and origin is None:
            return view
        spans, whole = dict(view.spans), view.whole
        for dimension, look in looks:
            if look is GLANCE:
                whole |= {dimension}
            elif look is NOTHING:
                spans.pop(dimension, None)
            elif isinstance(look, Window) and dimension not in view.merged and dimension in spans:
                spans[dimension] = spans[dimension].through(look)
            else:
                whole |= {dimension}
                spans.pop(dimension, None)
        axes, merged = view.axes, view.merged
        if origin is not None:
            merged |= without_axis(axes, origin)
            axes = tuple(frozenset().union(*(axes[axis] for axis in made)) for made in origin)
        return FieldState(axes, spans, whole, merged, view.aligned, view.source)

    def _join(self, one: FieldState, other: FieldState) -> FieldState:
        if one is other or one[:5] == other[:5]:
            return one
        spans, aligned = dict(one.spans), one.aligned and other.aligned
        for dimension, span in other.spans.items():
            mine = spans.get(dimension)
            if mine is None:
                spans[dimension] = span
            elif mine != span:
                aligned = aligned and mine.stride == span.stride and mine.centre == span.centre
                spans[dimension] = mine.hull(span)
        axes = one.axes
        if len(axes) == len(other.axes):
            axes = tuple(mine | theirs for mine, theirs in zip(axes, other.axes, strict=True))
        return FieldState(axes, spans, one.whole | other.whole, one.merged | other.merged, aligned, one.source)

    def __getitem__(self, name: str) -> ReceptiveField:
        """The receptive field of the layer of that name."""
        return self.field(self.views[name])

    def field(self, view: FieldState) -> ReceptiveField:
        """The published terms of a view."""
        known = self.fields.get(id(view))
        if known is None:
            known = self.fields[id(view)] = self._field(view)
        return known

    def _field(self, view: FieldState) -> ReceptiveField:
        size: list[Any] = []
        stride: list[Any] = []
        padding: list[Any] = []
        for dimension in self.dimensions[view.source]:
            span = view.spans.get(dimension)
            if span is None:
                size.append(self.extents[dimension] if dimension in view.whole else 0)
                stride.append(None)
                padding.append(None)
            else:
                size.append(span.last // 1 - -(-span.first // 1) + 1)
                stride.append(span.stride)
                padding.append(-span.first)
        return ReceptiveField(tuple(size), tuple(stride), tuple(padding), bool(view.whole), view.aligned)


class Fields:
    """The receptive field of every layer by its name; nothing is followed before one is asked for."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @cached_property
    def viewer(self) -> FieldPropagation:
        """What every layer of the network sees."""
        return FieldPropagation(self._network)

    def __getitem__(self, name: str) -> ReceptiveField:
        return self.viewer[name]


def last_placed(fields: Iterable[ReceptiveField]) -> ReceptiveField | None:
    """The last of the fields whose positions still have a place of their own, if there is one."""
    placed = [field for field in fields if None not in field.stride]
    return placed[-1] if placed else None
