"""Explanations of branches whose shapes do not fit."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.language.draft import Flow, GraphBuilder
from archcalc.network import Layer
from archcalc.ops.operator import Operator
from archcalc.words import help_line, split_help


def explained(message: str, kind: type[Operator], draft: GraphBuilder, flows: Sequence[Flow]) -> str:
    """Return an operator's message with the layers that its inputs come from, their lines, and a fix."""
    if len(flows) < 2:
        return message
    statement, fix = split_help(message)
    layers = {layer.name: layer for layer in draft.layers}
    sources = " and ".join(_producer(flow, layers) for flow in flows)
    # Maps that are merged have to be alike; those of other operators do not.
    is_merge = kind.category == "merge" and len(flows) <= (kind.most_inputs or len(flows))
    own = _fix(flows, layers) if is_merge else ""
    return f"{statement}, from {sources}{help_line(own or fix)}"


def _producer(flow: Flow, layers: dict[str, Layer]) -> str:
    place = layers[flow.source].place if flow.source in layers else None
    return flow.source if place is None else f"{flow.source} (line {place.line + 1})"


def _fix(flows: Sequence[Flow], layers: dict[str, Layer]) -> str:
    shapes = [flow.shape or () for flow in flows]
    if len({len(shape) for shape in shapes}) > 1 or len(shapes[0]) < 2:
        return ""
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) == 1:
        return "a conv with kernel 1 changes the number of channels"
    upsampled, coarsest = _strides(flows, layers)
    if not upsampled:
        return "padding keeps the size: half of an odd kernel at stride 1"
    return (
        "an odd size that is halved is not restored by doubling: "
        f"use input sides that are multiples of {coarsest}, or give upsample a size"
    )


def _strides(flows: Sequence[Flow], layers: dict[str, Layer]) -> tuple[bool, int]:
    """Return whether a layer before these flows upsamples, and the largest stride from an input to a layer there."""
    above: dict[str, None] = {}
    waiting = [flow.source for flow in flows]
    while waiting:
        name = waiting.pop()
        if name in layers and name not in above:
            above[name] = None
            waiting += layers[name].inputs
    strides: dict[str, int] = {}
    upsampled = False
    for name in (name for name in layers if name in above):  # in their order: inputs before layers
        op = layers[name].op
        grows = len(op.x) == len(op.output) and any(m > n for n, m in zip(op.x[1:], op.output[1:], strict=True))
        upsampled = upsampled or grows
        step = 1 if grows else max(op.hyperparameters().get("stride", (1,)))
        strides[name] = step * max((strides.get(source, 1) for source in layers[name].inputs), default=1)
    return upsampled, max(strides.values(), default=1)
