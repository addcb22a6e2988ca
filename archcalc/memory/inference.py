"""The live tensors of a network at inference, layer by layer in the order of execution.

A tensor lives from the layer that makes it to the last layer that takes it. The network's outputs live to the end, and
its inputs, which the caller holds, all the time. A view (flatten, slice, dropout at inference) shares its input's
storage. An operator with workspaces (`Operator.workspaces`) has several timeline points.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analysis.costs import Analysis
from archcalc.memory.fusion import IN_PLACE, Fusion
from archcalc.memory.heap import Peak, TimelinePoint, peak_of
from archcalc.memory.simulation import MemorySimulation
from archcalc.ops.operator import Operator


def timeline(analysis: Analysis, fusion: Fusion | None = None) -> list[TimelinePoint]:
    """Return the live tensors while each layer runs, in bytes for the whole batch.

    A layer's last point is its end. ``fusion``: layers overwrite their input where they can (`overwrites`).
    """
    return list(InferenceSimulation(analysis, fusion).points())


def peak(analysis: Analysis, fusion: Fusion | None = None) -> Peak:
    """Return the timeline point with the most live bytes, and the tensors that are live there."""
    return peak_of(lambda: InferenceSimulation(analysis, fusion))


def overwrites(analysis: Analysis, fusion: Fusion = IN_PLACE) -> dict[str, str]:
    """Return the layers that overwrite an input, and which: neither a later layer nor the caller needs it."""
    run = MemorySimulation(analysis)
    found: dict[str, str] = {}
    kernels: dict[str, tuple[Operator, ...]] = {}
    for number, layer in enumerate(run.layers):
        run.make_output(number)
        for source in layer.inputs:
            storage = run.storage[source]
            alone = source in run.last_uses[number] and run.heap.is_held_once(storage) and storage.use == "output"
            kernel = kernels.get(source, ())
            if alone and layer.name not in found and kernel and fusion.joins(layer.op, kernel):
                found[layer.name] = source
        before = kernels[found[layer.name]] if layer.name in found else ()
        is_passed = layer.op.is_view and layer.inputs[0] in kernels
        kernels[layer.name] = kernels[layer.inputs[0]] if is_passed else (*before, layer.op)
        run.release(number)
    return found


class InferenceSimulation(MemorySimulation):
    """A forward pass, one timeline point after another."""

    def __init__(self, analysis: Analysis, fusion: Fusion | None) -> None:
        super().__init__(analysis)
        self.overwriting = overwrites(analysis, fusion) if fusion is not None else {}
        """Layers that overwrite an input, and which."""

    def points(self) -> Iterator[TimelinePoint]:
        """Yield all points."""
        for number, layer in enumerate(self.layers):
            self.copy_weights(number)
            workspaces = self.workspaces(number)
            yield from self.workspace_points("forward", number, workspaces.inference)
            if layer.name in self.overwriting:
                self.share_input(layer, self.overwriting[layer.name])
            else:
                self.make_output(number)
            yield self.point("forward", number)
            self.release(number)
            yield from self.workspace_points("forward", number, workspaces.afterwards)
        self.drop_copies()
