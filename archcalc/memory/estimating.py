"""Layers whose operators do not model their memory: what is assumed of them, and how to say it."""

from __future__ import annotations

from collections.abc import Mapping

from archcalc.arithmetic import Shape
from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Autocast, SavedTensors, Torch, Work
from archcalc.words import help_line

MOST_NAMED = 5
"""The most layers that a message names."""


class Estimated(Operator):
    """An operator that does not model its memory: it makes a new output, and saves its inputs and its output."""

    category = "opaque"
    saved = SavedTensors(inputs=True, output=True)
    most_inputs = None
    estimates: Operator

    @classmethod
    def of(cls, op: Operator) -> Estimated:
        """Return the stand-in of an operator."""
        stand_in, taken = cls(op.inputs), ("takes_indices", "gives_indices", "ignores_numbers")
        stand_in.__dict__.update(output=op.output, estimates=op, **{name: getattr(op, name) for name in taken})
        return stand_in

    def output_shape(self) -> Shape:
        return self.x

    def weights(self) -> dict[str, Shape]:
        return self.estimates.weights()

    def buffers(self) -> dict[str, Shape]:
        return self.estimates.buffers()

    def work(self) -> Work:
        return self.estimates.work()

    def autocast_policy(self) -> Autocast:
        return self.estimates.autocast_policy()

    def is_approximate(self, tensors: object) -> bool:
        return True

    def torch(self) -> Torch:
        return self.estimates.torch()


def modelled(layer: Layer) -> Layer:
    """Return the layer, with a stand-in for its operator if that does not model its memory."""
    return layer if layer.op.models_memory() else layer.rewired(Estimated.of(layer.op), layer.inputs)


def estimated(network: Network) -> Mapping[str, str]:
    """Return the layers whose memory is estimated, with their operators."""
    return {layer.name: layer.op.kind for layer in network.layers if not layer.op.models_memory()}


def estimate_note(network: Network) -> str:
    """Say which layers' memory is estimated, and how; empty if none is."""
    found = estimated(network)
    if not found:
        return ""
    each = "it is" if len(found) == 1 else "each is"
    return (
        f"Estimated: memory of {_kinds(found)} is not modelled ({_layers(found)}); {each} taken to make a new output, "
        "and to save its inputs and its output."
    )


def need_modelled(network: Network) -> None:
    """Raise `UserError` if the memory of a layer would be estimated."""
    found = estimated(network)
    if found:
        raise UserError(
            f"memory of {_kinds(found)} is not modelled ({_layers(found)}), only estimated"
            + help_line("archcalc memory and archcalc budget give the estimate, marked as one")
        )


def _kinds(found: Mapping[str, str]) -> str:
    return ", ".join(dict.fromkeys(found.values()))


def _layers(found: Mapping[str, str]) -> str:
    names = list(found)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"layer{'s' if len(names) > 1 else ''} {', '.join(names[:MOST_NAMED])}{more}"
