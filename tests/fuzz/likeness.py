"""What must be the same of two networks that are one."""

from __future__ import annotations

from typing import Any

from archcalc.network import Network


def likeness(network: Network) -> dict[str, Any]:
    """Everything that a network is, but for what it was made of: its parameters, and what its groups were called."""
    return {
        "name": network.name,
        "about": network.about,
        "inputs": list(network.inputs.items()),
        "axes": dict(network.axes),
        "outputs": network.outputs,
        "sides": dict(network.sides),
        "renames": dict(network.renames),
        "layers": [
            (
                layer.name,
                layer.op.kind,
                layer.op.inputs,
                layer.op.output,
                [(name, isinstance(value := getattr(layer.op, name), bool), value) for name in layer.op.arguments],
                layer.inputs,
                layer.shares,
                dict(layer.ties),
                layer.side,
                layer.train,
                layer.trainable or not layer.op.weights(),
                layer.dtype,
            )
            for layer in network.layers
        ],
    }
