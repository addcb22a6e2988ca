"""Which tensors are alive while a network does inference, layer by layer in its order of execution.

A tensor lives from the layer that makes it to the last that takes it; a network's outputs live to the end, and its
inputs, which the caller holds, all along. A view (flatten, slice, dropout at inference) is its input's memory.
"""

from __future__ import annotations

from typing import NamedTuple

from archcalc.analysis.costs import ITEM_SIZES, Analysis
from archcalc.arithmetic import product


class Moment(NamedTuple):
    """The memory while one layer runs."""

    layer: str
    live_bytes: int
    """Bytes of all tensors alive while it runs, its inputs and output among them; weights apart."""
    alive: tuple[str, ...]
    """Layers and inputs whose tensors these are."""


def timeline(analysis: Analysis) -> list[Moment]:
    """The tensors alive while each layer of the network runs, for the whole batch."""
    network = analysis.network
    itemsize = ITEM_SIZES[analysis.dtype] * analysis.batch
    sizes = {name: product(shape) * itemsize for name, shape in network.inputs.items()}
    owner = {name: name for name in network.inputs}
    rows = analysis.rows
    last_use = dict.fromkeys(network.inputs, len(rows))
    for at, row in enumerate(rows):
        layer = row.layer
        owner[row.name] = owner[layer.inputs[0]] if layer.op.is_view else row.name
        if owner[row.name] == row.name:
            sizes[row.name] = row.bytes_written
        for source in (row.name, *layer.inputs):
            last_use[owner[source]] = max(last_use.get(owner[source], 0), at)
    for name in network.outputs:
        last_use[owner[name]] = len(rows)
    ends: dict[int, list[str]] = {}
    for name, at in last_use.items():
        ends.setdefault(at, []).append(name)
    alive = dict.fromkeys(network.inputs)
    live = sum(sizes[name] for name in alive)
    moments = []
    for at, row in enumerate(rows):
        if owner[row.name] == row.name:
            alive[row.name] = None
            live += sizes[row.name]
        moments.append(Moment(row.name, live, tuple(alive)))
        for name in ends.get(at, ()):
            del alive[name]
            live -= sizes[name]
    return moments


def peak(analysis: Analysis) -> Moment:
    """The moment with the most live bytes, the first of them if there are several."""
    return max(timeline(analysis), key=lambda moment: moment.live_bytes)
