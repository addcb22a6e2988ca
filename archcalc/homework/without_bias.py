"""A network without biases, as eight of 28 courses count parameters."""

from __future__ import annotations

from archcalc.network import Layer, Network
from archcalc.ops.operator import Operator
from archcalc.structs import replace


def without_bias(network: Network) -> Network:
    """Return the network without the biases of layers that multiply by weights; other layers are the same."""
    return replace(network, layers=tuple(map(_layer, network.layers)))


def _layer(layer: Layer) -> Layer:
    op: Operator = layer.op
    if not getattr(op, "bias", False) or "bias" not in op.arguments or not op.work().get("mac"):
        return layer
    return layer.changed(op=op.remade(op.inputs, {**op.given, "bias": False}))
