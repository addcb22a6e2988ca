"""Shared weights under other arguments: as expressions over the input's shape, in the layer that has the weights."""

from __future__ import annotations

from typing import Any

from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.render.folding.text import SpecText, value_text


def shared_arguments(network: Network) -> dict[str, dict[str, SpecText]]:
    """Return layers whose weights are shared under other arguments, with these as expressions.

    Such an argument follows from the input in the spec that the network comes from. Raises `UserError` if it does not
    follow from the shape of the input.
    """
    uses: dict[str, list[Layer]] = {}
    for layer in network.layers:
        if layer.shares is not None:
            uses.setdefault(layer.shares, [network[layer.shares]]).append(layer)
    found: dict[str, dict[str, SpecText]] = {}
    for name, layers in uses.items():
        for argument in _differing(layers):
            by_shape = _by_shape(layers, argument)
            if by_shape is None:
                first = getattr(layers[0].op, argument)
                other = next(own for own in layers if getattr(own.op, argument) != first)
                raise UserError(
                    f"{network.name} cannot be written as a spec: {other.name} has the weights of {name}, "
                    "but other arguments"
                )
            found.setdefault(name, {})[argument] = by_shape
    return found


def _differing(layers: list[Layer]) -> list[str]:
    op = layers[0].op
    names = {name: getattr(op, name) for name in op.arguments}
    if any(layer.op.kind != op.kind for layer in layers):
        return list(names)
    return [name for name, value in names.items() if any(getattr(layer.op, name) != value for layer in layers)]


def _by_shape(layers: list[Layer], argument: str) -> SpecText | None:
    """Return an argument as an expression over one size of the input; None if there is none."""
    if len({(layer.op.kind, len(layer.op.x)) for layer in layers}) > 1:
        return None
    for axis in range(len(layers[0].op.x)):
        sizes: dict[Any, Any] = {}
        if all(sizes.setdefault(layer.op.x[axis], _own(layer, argument)) == _own(layer, argument)
               for layer in layers):  # fmt: skip
            *others, last = sizes.items()
            texts = [f"{value_text(value)} if input[{axis}] == {size} else " for size, value in others]
            return None if isinstance(last[1], (str, dict)) else SpecText("".join(texts) + value_text(last[1]))
    return None


def _own(layer: Layer, argument: str) -> Any:
    """Return an argument as a spec has it."""
    return layer.op.given.get(argument, getattr(layer.op, argument))
