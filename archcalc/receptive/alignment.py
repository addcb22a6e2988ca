"""Joins where receptive fields stop being aligned, with the two paths that disagree.

Paths are aligned if they have the same effective stride and the same centers. Then one size is true of every unit
(Araujo, Norris and Sim, *Computing Receptive Fields of Convolutional Neural Networks*, Distill, 2019).
"""

from __future__ import annotations

from itertools import combinations

from archcalc.network import Network
from archcalc.receptive.fields import FieldPropagation
from archcalc.receptive.parts import Field, are_centered
from archcalc.receptive.propagation import FieldState, access_summary
from archcalc.structs import Struct


class Route(Struct):
    """One of the paths into a join."""

    layers: tuple[str, ...]
    """The layers on it that read more than their own position, or another position."""
    field: Field
    """Its receptive field along the dimension in which the paths disagree."""


class Misalignment(Struct):
    """A join whose paths differ in effective stride or center."""

    join: str
    fork: str
    """The last layer, or network input, that both paths come from."""
    dimension: int
    routes: tuple[Route, Route]


def misalignments(network: Network, propagation: FieldPropagation) -> list[Misalignment]:
    """Return the joins where a network stops being aligned, each with the first two paths that disagree."""
    import networkx

    def behind(name: str) -> set[str]:
        return {name, *networkx.ancestors(network.graph, name)}

    order = {name: number for number, name in enumerate(network.graph)}
    found = []
    for name in propagation.unaligned:
        join = network[name]
        view = propagation.views[propagation.source[name]]
        states = propagation.entering(view, join.op, join.inputs)
        for right, left in sorted((right, left) for left, right in combinations(range(len(states)), 2)):
            fields = _disagreement(states[left], states[right])
            if fields is None:
                continue
            dimension, *seen = fields
            sources = join.inputs[left], join.inputs[right]
            fork = max(behind(sources[0]) & behind(sources[1]), key=order.__getitem__, default="")
            after = {fork, *networkx.descendants(network.graph, fork)} if fork else set()
            first, second = (
                Route(_windows_between(network, fork, source, after), field)
                for source, field in zip(sources, seen, strict=True)
            )
            found.append(Misalignment(name, fork, dimension, (first, second)))
            break
    return found


def _disagreement(left: FieldState | None, right: FieldState | None) -> tuple[int, Field, Field] | None:
    """Return the first dimension in which two paths differ in stride or center, and both fields along it."""
    if left is None or right is None:
        return None
    for dimension in sorted({dimension for term in left.terms for dimension in term}):
        mine, theirs = left.field(dimension), right.field(dimension)
        if mine is not None and theirs is not None and not are_centered(mine, theirs):
            return dimension, mine, theirs
    return None


def _windows_between(network: Network, fork: str, source: str, after: set[str]) -> tuple[str, ...]:
    """Return the windows on a path from the fork to a layer; ``after`` has the fork and its descendants."""
    names: list[str] = []
    while source != fork and source not in network.inputs:
        layer = network[source]
        if not access_summary(layer.op).clear:
            names.append(source)
        source = next((name for name in layer.inputs if name in after), fork)
    return tuple(reversed(names))
