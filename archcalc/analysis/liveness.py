"""Which tensors are alive while a network does inference, layer by layer in its order of execution.

A tensor lives from the layer that makes it to the last that takes it; a network's outputs live to the end, and its
inputs, which the caller holds, all along. A view (flatten, slice, dropout at inference) is its input's memory. Some
operators make more on their way than their output (`Operator.scratch`): they have several moments.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analysis.costs import Analysis
from archcalc.analysis.heap import Heap, Moment, Peak, Run, peak_of


def timeline(analysis: Analysis) -> list[Moment]:
    """The tensors alive while each layer of the network runs, for the whole batch; a layer's last moment is its end."""
    return list(_start(analysis)[1])


def peak(analysis: Analysis) -> Peak:
    """The moment with the most live bytes, and what is alive then."""
    return peak_of(lambda: _start(analysis))


def _start(analysis: Analysis) -> tuple[Heap, Iterator[Moment]]:
    run = Run(analysis, lambda op: op.is_view)
    return run.heap, _moments(run)


def _moments(run: Run) -> Iterator[Moment]:
    for at, layer in enumerate(run.layers):
        for held in layer.op.scratch().inference:
            yield run.heap.moment("forward", layer.name, run.bytes_of(held))
        run.give(layer)
        yield run.heap.moment("forward", layer.name)
        run.forget(at)
