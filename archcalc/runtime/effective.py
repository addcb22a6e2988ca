"""Effective receptive fields: how strongly each position of the input influences a unit, not only whether it does.

At initialization, the gradient of a unit spreads over its receptive field like a Gaussian: strong at the center, weak
at the border (Luo, Li, Urtasun and Zemel, *Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks*, 2016). It is measured on the built network, over several initializations and random inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.receptive.propagation import free_axis
from archcalc.receptive.regions import RegionTracer
from archcalc.runtime.building import build_module
from archcalc.structs import Struct

WITHIN = 1 - 0.9545
"""Luo et al.'s limit: positions whose gradient is above this share of the largest are in the effective field."""
SAMPLES = 4
"""Random inputs of each initialization."""


class EffectiveField(Struct):
    """How strongly the positions of the first input influence one unit."""

    strength: Any
    """Root mean square of the gradient at each position, `[H, W]`, over channels, inputs and initializations."""
    center: tuple[float, ...]
    """Mean position along each dimension, weighted by the squared gradient."""
    deviation: tuple[float, ...]
    """Standard deviation around it along each dimension, in input positions: the radius of the Gaussian."""
    size: float
    """Side of the square (of the line, of the cube) with as many positions as have a gradient above the limit."""
    runs: int
    """Initializations."""


def effective_field(network: Network, name: str, unit: Sequence[int], runs: int) -> EffectiveField:
    """Measure the effective receptive field of a unit at initialization.

    Args:
        network: the network.
        name: full name of the unit's layer.
        unit: its position along each spatial axis of the layer's output.
        runs: how many initializations are averaged, each with four random inputs.

    Raises:
        UnknownLayer: for an unknown layer.
        UserError: if the unit does not exist, if it has no spatial path, or if the network takes indices.
    """
    tracer = RegionTracer(network)
    regions = tracer.regions(name, unit)
    source = regions[0].source
    if network.indices:
        raise UserError("the effective field is measured on inputs of numbers, and this network takes indices")
    if not regions[0].has_spatial_path or not regions[0].intervals:
        raise UserError(f"{name} sees the whole input: there is no spatial path whose strength has a place")
    upto = _up_to(network, name)
    index = (slice(None), *_index(tracer, network, name, unit))
    squares: Tensor | None = None
    for run in range(runs):
        torch.manual_seed(run)
        module = build_module(upto)
        _as_at_the_start_of_training(module)
        given = [torch.randn(SAMPLES, *shape, requires_grad=own == source) for own, shape in upto.inputs.items()]
        chosen = module(*given)[index]
        signs = torch.randint(0, 2, chosen.shape).mul(2).sub(1).to(chosen.dtype)
        [gradient] = torch.autograd.grad((chosen * signs).sum(), [given[[*upto.inputs].index(source)]])
        found = gradient.double().square().mean((0, 1 + free_axis(network, source)))
        largest = found.amax()
        squares = (0 if squares is None else squares) + (found / largest if largest > 0 else found)
    assert squares is not None
    return _measured(squares, runs)


def _up_to(network: Network, name: str) -> Network:
    """Return the layers that a layer depends on, and itself, which is the output."""
    wanted = {name}
    for layer in reversed(network.layers):
        if layer.name in wanted:
            wanted.update(layer.inputs, layer.owners)
    layers = tuple(layer for layer in network.layers if layer.name in wanted)
    return Network(network.name, network.inputs, layers, (name,))


def _index(tracer: RegionTracer, network: Network, name: str, unit: Sequence[int]) -> list[Any]:
    places = dict(zip(tracer.axes(network[name]), unit, strict=True))
    return [places.get(axis, slice(None)) for axis in range(len(network[name].output_shape))]


def _as_at_the_start_of_training(module: nn.Module) -> None:
    """Let batch normalization use the batch, as the first step of training does; leave out what is random."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.eval()


def _measured(squares: Tensor, runs: int) -> EffectiveField:
    weights = squares / squares.sum()
    centers, deviations = [], []
    for axis in range(weights.dim()):
        others = [other for other in range(weights.dim()) if other != axis]
        along = weights.sum(others) if others else weights
        places = torch.arange(len(along), dtype=torch.float64)
        center = float((along * places).sum())
        centers.append(center)
        deviations.append(math.sqrt(float((along * (places - center).square()).sum())))
    strength = squares.sqrt()
    strength = strength / strength.amax()
    within = int((strength > WITHIN).sum())
    return EffectiveField(strength.tolist(), tuple(centers), tuple(deviations), within ** (1 / weights.dim()), runs)
