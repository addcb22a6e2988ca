"""Which tensors are alive while a network does inference, layer by layer in its order of execution.

A tensor lives from the layer that makes it to the last that takes it; a network's outputs live to the end, and its
inputs, which the caller holds, all along. A view (flatten, slice, dropout at inference) is its input's memory. Some
operators make more on their way than their output (`Operator.scratch`): they have several moments.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analysis.costs import Analysis
from archcalc.memory.heap import Heap, Moment, Peak, peak_of
from archcalc.memory.simulation import MemorySimulation


def timeline(analysis: Analysis, in_place: bool = False) -> list[Moment]:
    """The tensors alive while each layer of the network runs, for the whole batch; a layer's last moment is its end.

    ``in_place``: activations overwrite their input where they can (`overwrites`).
    """
    return list(_start(analysis, in_place)[1])


def peak(analysis: Analysis, in_place: bool = False) -> Peak:
    """The moment with the most live bytes, and what is alive then."""
    return peak_of(lambda: _start(analysis, in_place))


def overwrites(analysis: Analysis) -> set[str]:
    """The layers that can overwrite their input: nothing takes it later, and it is neither given nor a result."""
    run = MemorySimulation(analysis)
    found = set()
    for at, layer in enumerate(run.layers):
        run.give(at)
        source = layer.inputs[0]
        piece = run.piece[source]
        alone = source in run.ends[at] and run.heap.is_held_once(piece) and piece.what == "output"
        if alone and layer.op.can_overwrite:
            found.add(layer.name)
        run.forget(at)
    return found


def _start(analysis: Analysis, in_place: bool) -> tuple[Heap, Iterator[Moment]]:
    overwriting = overwrites(analysis) if in_place else set()
    run = MemorySimulation(analysis)
    return run.heap, _moments(run, overwriting)


def _moments(run: MemorySimulation, overwriting: set[str]) -> Iterator[Moment]:
    for at, layer in enumerate(run.layers):
        for held in layer.op.scratch_of(run.given[at]).inference:
            yield run.moment("forward", at, run.bytes_of(held))
        if layer.name in overwriting:
            run.share(layer)
        else:
            run.give(at)
        yield run.moment("forward", at)
        run.forget(at)
