"""The live tensors of a network at inference, layer by layer in the order of execution.

A tensor lives from the layer that makes it to the last layer that takes it. The network's outputs live to the end, and
its inputs, which the caller holds, all the time. A view (flatten, slice, dropout at inference) shares its input's
storage. An operator with workspaces (`Operator.workspaces`) has several timeline points.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analysis.costs import Analysis
from archcalc.memory.heap import Heap, Peak, TimelinePoint, peak_of
from archcalc.memory.simulation import MemorySimulation


def timeline(analysis: Analysis, in_place: bool = False) -> list[TimelinePoint]:
    """Return the live tensors while each layer runs, in bytes for the whole batch; a layer's last point is its end.

    ``in_place``: activations overwrite their input where they can (`overwrites`).
    """
    return list(_start(analysis, in_place)[1])


def peak(analysis: Analysis, in_place: bool = False) -> Peak:
    """Return the timeline point with the most live bytes, and the tensors that are live there."""
    return peak_of(lambda: _start(analysis, in_place))


def overwrites(analysis: Analysis) -> set[str]:
    """Return the layers that can overwrite their input: no later layer takes it, and the caller does not hold it."""
    run = MemorySimulation(analysis)
    found = set()
    for number, layer in enumerate(run.layers):
        run.make_output(number)
        source = layer.inputs[0]
        storage = run.storage[source]
        alone = source in run.last_uses[number] and run.heap.is_held_once(storage) and storage.use == "output"
        if alone and layer.op.can_overwrite:
            found.add(layer.name)
        run.release(number)
    return found


def _start(analysis: Analysis, in_place: bool) -> tuple[Heap, Iterator[TimelinePoint]]:
    overwriting = overwrites(analysis) if in_place else set()
    run = MemorySimulation(analysis)
    return run.heap, _points(run, overwriting)


def _points(run: MemorySimulation, overwriting: set[str]) -> Iterator[TimelinePoint]:
    for number, layer in enumerate(run.layers):
        for workspace in layer.op.workspaces_for(run.tensors[number]).inference:
            yield run.point("forward", number, run.bytes_of(workspace))
        if layer.name in overwriting:
            run.share_input(layer)
        else:
            run.make_output(number)
        yield run.point("forward", number)
        run.release(number)
