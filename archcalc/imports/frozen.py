"""Frozen parameters of a module that is read: `requires_grad` becomes `Layer.trainable`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archcalc.network import Layer, Network
from archcalc.structs import replace

if TYPE_CHECKING:
    from torch import nn


def as_trained(network: Network, module: nn.Module) -> Network:
    """Return the network with the layers frozen whose parameters all need no gradient in the module."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    if not frozen:
        return network

    def is_frozen(layer: Layer) -> bool:
        own = layer.own_weights()
        return bool(own) and frozen.issuperset(map(network.reference_name, own))

    layers = (layer.changed(trainable=False) if is_frozen(layer) else layer for layer in network.layers)
    return replace(network, layers=tuple(layers))
