"""Autograd's graph: a node for each differentiable layer, which holds what the layer has saved.

A node lives as long as the layer's output, or the node of a layer that takes it. So what no gradient reaches is freed
in the forward pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from archcalc.memory.simulation import MemorySimulation


def gradient_sources(run: MemorySimulation, number: int) -> list[str]:
    """Return the inputs of a layer to which its backward pass gives gradients."""
    layer = run.layers[number]
    sources = layer.inputs if layer.name in run.differentiable else ()
    return [
        name
        for position, name in enumerate(sources)
        if name in run.differentiable and layer.op.differentiates(position)
    ]


def node_holders(run: MemorySimulation, recomputed: Container[int]) -> dict[str, int]:
    """Return the layers whose nodes no gradient reaches, each with the number of things that hold its node.

    Layers with numbers in ``recomputed`` have no nodes of their own.
    """
    reached = run.differentiable & {*run.outputs}
    holders: Counter[str] = Counter()
    for number in reversed(range(len(run.layers))):
        name = run.layers[number].name
        if name in reached:
            reached.update(gradient_sources(run, number))
        elif number not in recomputed:
            holders[name] += 1
            holders.update(gradient_sources(run, number))
    return {name: count for name, count in holders.items() if name not in reached}
