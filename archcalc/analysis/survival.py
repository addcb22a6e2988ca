"""How often training computes each layer under stochastic depth.

Huang, Sun, Liu, Sedra, Weinberger, *Deep Networks with Stochastic Depth*, 2016.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from archcalc.network import Layer


def survivals(layers: Iterable[Layer]) -> dict[str, float]:
    """Return the probability that training computes a layer, for the layers inside a branch that may be dropped."""
    layers = list(layers)
    ends = [layer for layer in layers if layer.op.survival != 1]
    if not ends:
        return {}
    users: defaultdict[str, set[str]] = defaultdict(set)
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        for source in layer.inputs:
            users[source].add(layer.name)
    probabilities: dict[str, float] = {}
    for end in ends:
        branch = {end.name}
        waiting = list(end.inputs)
        while waiting:
            name = waiting.pop()
            if name in by_name and name not in branch and users[name] <= branch:
                branch.add(name)
                waiting += by_name[name].inputs
        for name in branch:
            probabilities[name] = probabilities.get(name, 1) * end.op.survival
    return probabilities
