"""The input positions that influence one output position, measured by gradients on the built network.

The network is made linear with positive weights, so no contribution cancels another and none is switched off. In the
backward pass every gradient that is not 0 becomes 1, so nothing underflows in deep networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from archcalc.network import Layer, Network
from archcalc.ops.vocabulary import AxisAccess
from archcalc.receptive.propagation import free_axis
from archcalc.receptive.regions import RegionTracer
from archcalc.runtime.building import build_module

NOISE = 1e-9
"""Gradients up to this are 0: an influence has weight 1, or a share of a window's average."""


def linear_network(network: Network, name: str, tracer: RegionTracer, gates: bool = False) -> Network:
    """Return the layers that a layer depends on, with linear operators in place of others.

    An operator that loses the spatial position (global pooling, a gate) gets a new network input, so no gradient
    passes; with ``gates``, gradients pass.
    """
    alias: dict[str, str] = {source: source for source in network.inputs}
    inputs = dict(network.inputs)
    layers: list[Layer] = []
    wanted = _ancestors(network, name)
    for layer in network.layers:
        if layer.name not in wanted:
            continue
        sources = [alias[source] for source in layer.inputs]
        if not gates and layer.op.stages() == (layer.op,):
            for number, (source, access) in enumerate(zip(layer.inputs, layer.op.accesses(), strict=True)):
                words = [view[source].axes for view in tracer.propagation.views.values() if source in view]
                if words and all(_loses_place(access, axes) for axes in words):
                    sources[number] = f"cut {len(inputs)}"
                    inputs[sources[number]] = network.shape_of(source)
        op = layer.op.linearized()
        if op is None:
            alias[layer.name] = sources[0]
            continue
        alias[layer.name] = layer.name
        layers.append(Layer(layer.name, op, tuple(sources)))
    return Network(network.name, inputs, tuple(layers), (alias[name],))


def _ancestors(network: Network, name: str) -> set[str]:
    wanted = {name}
    for layer in reversed(network.layers):
        if layer.name in wanted:
            wanted.update(layer.inputs)
    return wanted


def _loses_place(access: Sequence[Any], axes: Sequence[Any]) -> bool:
    """True if an operator loses every spatial position of this input."""
    looks = [look for look, word in zip(access, axes, strict=True) if word]
    return bool(looks) and all(isinstance(look, AxisAccess) and not look.keeps_position for look in looks)


class _Marked(fx.Interpreter):
    """Runs a module whose gradients become 1 or 0."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and result.requires_grad:
            result.register_hook(_mark)  # type: ignore[no-untyped-call]
        return result


def _mark(gradient: Tensor) -> Tensor:
    return (gradient.abs() > NOISE).to(gradient.dtype)


def _shape_of_activation(saved: Tensor) -> Tensor | torch.Size:
    """Save only the shape of an activation: only in products does a gradient depend on values, and any do there."""
    return saved.shape if saved.requires_grad else saved


def _of_that_shape(kept: Tensor | torch.Size) -> Tensor:
    return kept if isinstance(kept, Tensor) else torch.ones(1, dtype=torch.float64).expand(kept)


def seen_positions(network: Network, name: str, unit: Sequence[int], *, gates: bool = False) -> dict[str, Tensor]:
    """Return a mask over the spatial positions of every input that influences an output position.

    Args:
        network: the network.
        name: full name of the layer.
        unit: a spatial position of the layer's output; all its channels are measured.
        gates: if True, gradients pass through gates and global pooling too.
    """
    return Probe(network, name, gates=gates).seen(unit)


class Probe:
    """A layer of a built network, run once, so that many of its positions can be measured."""

    def __init__(self, network: Network, name: str, *, gates: bool = False) -> None:
        self.network = network
        tracer = RegionTracer(network)
        self.axes = tracer.axes(network[name])
        linear = linear_network(network, name, tracer, gates)
        module = build_module(linear).double().eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False).fill_(1)
        given = [torch.ones(1, *shape, dtype=torch.float64) for shape in linear.inputs.values()]
        for tensor, source in zip(given, linear.inputs, strict=True):
            tensor.requires_grad_(source in network.inputs)
        with torch.autograd.graph.saved_tensors_hooks(_shape_of_activation, _of_that_shape):
            self.output = _Marked(module).run(*given)
        self.given = given[: len(network.inputs)]

    def seen(self, unit: Sequence[int]) -> dict[str, Tensor]:
        """Return a mask over the spatial positions of every input that influences a position."""
        if not self.output.requires_grad:
            return {}
        start = torch.zeros_like(self.output)
        index: list[Any] = [slice(None)] * self.output.dim()
        for axis, position in zip(self.axes, unit, strict=True):
            index[axis + 1] = position
        start[tuple(index)] = 1
        gradients = torch.autograd.grad(self.output, self.given, start, retain_graph=True, allow_unused=True)
        return {
            source: (gradient.abs() > NOISE)[0].any(free_axis(self.network, source))
            for source, gradient in zip(self.network.inputs, gradients, strict=True)
            if gradient is not None
        }
