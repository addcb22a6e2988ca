"""Where receptive fields stop being aligned: the join, and the two paths that disagree there.

Araujo, Norris and Sim, *Computing Receptive Fields of Convolutional Neural Networks*, Distill, 2019: paths are aligned
where they have the same stride and the same centres; a single size is then true of every unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archcalc.network import Network
from archcalc.receptive.fields import FieldPropagation, Span, lens_of


@dataclass(frozen=True)
class Route:
    """One of the paths into a join."""

    layers: tuple[str, ...]
    """The layers on it that look at more than their own position, or at another."""
    span: Span
    """What it sees of the input, along the dimension in which the paths disagree."""


@dataclass(frozen=True)
class Misalignment:
    """A join whose paths have other centres or strides."""

    join: str
    fork: str
    """The last layer, or the network's input, that both paths come from."""
    dimension: int
    routes: tuple[Route, Route]


def misalignments(network: Network, viewer: FieldPropagation) -> list[Misalignment]:
    """The joins where a network stops being aligned, each with the first two paths that disagree."""
    order = {name: at for at, name in enumerate([*network.inputs, *(layer.name for layer in network.layers)])}
    found = []
    for name in viewer.unaligned:
        join = network[name]
        views = viewer.entering(join.op, join.inputs)
        pairs = ((a, b) for b in range(len(views)) for a in range(b))
        for one, other in pairs:
            disagreement = _disagreement(views[one].spans, views[other].spans)
            if disagreement is None:
                continue
            sources = (join.inputs[one], join.inputs[other])
            fork = max(_behind(network, sources[0]) & _behind(network, sources[1]), key=order.__getitem__, default="")
            routes = [
                Route(_between(network, fork, source), view.spans[disagreement])
                for source, view in zip(sources, (views[one], views[other]), strict=True)
            ]
            found.append(Misalignment(name, fork, disagreement, (routes[0], routes[1])))
            break
    return found


def _disagreement(one: Mapping[int, Span], other: Mapping[int, Span]) -> int | None:
    """The first dimension in which two paths have another stride or another centre."""
    for dimension, span in one.items():
        theirs = other.get(dimension)
        if theirs is not None and (span.stride, span.centre) != (theirs.stride, theirs.centre):
            return dimension
    return None


def _behind(network: Network, name: str) -> set[str]:
    """A layer and everything that it is made of."""
    found = {name}
    pending = [name]
    while pending:
        one = pending.pop()
        if one in network.inputs:
            continue
        for source in network[one].inputs:
            if source not in found:
                found.add(source)
                pending.append(source)
    return found


def _between(network: Network, fork: str, source: str) -> tuple[str, ...]:
    """The windows on a path from the fork to a layer."""
    names: list[str] = []
    while source != fork and source not in network.inputs:
        layer = network[source]
        if not lens_of(layer.op).clear:
            names.append(source)
        source = next((one for one in layer.inputs if fork in _behind(network, one)), fork)
    return tuple(reversed(names))
