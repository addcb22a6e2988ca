"""What training computes where branches are dropped at random (Huang et al., *Deep Networks with Stochastic Depth*)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archcalc.network import Layer

if TYPE_CHECKING:
    from archcalc.analysis.costs import LayerCosts


def expected_macs(rows: Iterable[LayerCosts]) -> float | None:
    """Multiply-adds of a forward pass in training, on average, where a dropped branch is not computed.

    None where no branch is dropped.
    """
    rows = list(rows)
    chances = survivals([row.layer for row in rows])
    if not chances:
        return None
    return sum(row.macs * chances.get(row.name, 1) for row in rows)


def survivals(layers: Iterable[Layer]) -> dict[str, float]:
    """The chance that training computes a layer, for layers that only a branch that may be dropped uses."""
    layers = list(layers)
    ends = [layer for layer in layers if layer.op.survival != 1]
    if not ends:
        return {}
    users: defaultdict[str, set[str]] = defaultdict(set)
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        for source in layer.inputs:
            users[source].add(layer.name)
    chances: dict[str, float] = {}
    for end in ends:
        branch = {end.name}
        waiting = list(end.inputs)
        while waiting:
            name = waiting.pop()
            if name in by_name and name not in branch and users[name] <= branch:
                branch.add(name)
                waiting += by_name[name].inputs
        for name in branch:
            chances[name] = chances.get(name, 1) * end.op.survival
    return chances
