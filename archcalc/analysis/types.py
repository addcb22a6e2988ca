"""The type of every tensor of a network, where not all have the same."""

from __future__ import annotations

from collections.abc import Mapping

from archcalc.analysis.counting import Counting
from archcalc.dtypes import BITS
from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import Autocast


def tensor_types(network: Network, counting: Counting) -> Mapping[str, str]:
    """Return the type of each input and layer's output; empty if all have that of activations.

    A step's own type is that of its output. Under autocast, an operator of the list of the lower type gives that, one
    of float32 gives float32, and any other gives the widest of its inputs and weights.
    """
    roles = counting.roles
    if not roles.autocast and not any(layer.dtype for layer in network.layers):
        return {}
    types = dict.fromkeys(network.inputs, roles.activations)
    for layer in network.layers:
        computed = computed_in(layer, roles.autocast, types) if roles.autocast else roles.activations
        types[layer.name] = layer.dtype or computed
    return types


def computed_in(layer: Layer, autocast: str, types: Mapping[str, str]) -> str:
    """Return the type in which a layer runs under autocast, from those of its inputs."""
    policy = layer.op.autocast_policy()
    if policy is Autocast.LOWER:
        return autocast
    if policy in (Autocast.FLOAT32, Autocast.INSIDE):
        return "float32"
    return max((types[source] for source in layer.inputs), key=lambda dtype: BITS[dtype])
