"""Frozen layers: which weights training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from archcalc.changes.patterns import matching
from archcalc.errors import UserError
from archcalc.imports.opening import Reference, opened
from archcalc.network import Layer, Network
from archcalc.structs import replace
from archcalc.words import help_line, listed, quote


def freeze(network: Reference, frozen: str | Sequence[str] = (), trained: str | Sequence[str] = ()) -> Network:
    """Return the network with other layers frozen.

    Args:
        network: a network, or what `archcalc.load` takes; its spec may have frozen layers already.
        frozen: patterns of layers to freeze, such as `layer4`, `layer4.*` or `*.bn*`.
        trained: patterns of layers to train. Without ``frozen``, all other layers are frozen. With it, they are
            exceptions.

    Raises:
        UserError: for a pattern that means no layer with weights, or single weights of layers, such as `*.bias`.

    Examples:
        >>> import archcalc
        >>> network = archcalc.freeze(archcalc.load("resnet18"), trained=["fc"])
        >>> network.analyze(convention="torch").totals.backward_flops
        1024000
    """
    network, frozen, trained = opened(network), listed(frozen), listed(trained)

    def owns_weights(layer: Layer) -> bool:
        return bool(layer.op.weights()) and layer.shares is None

    for pattern in (*frozen, *trained):
        _refuse_single_weights(network, pattern)
    none: frozenset[str] = frozenset()
    to_freeze = none.union(*matching(network, frozen, owns_weights, "layer with weights"))
    to_train = none.union(*matching(network, trained, owns_weights, "layer with weights"))
    if trained and not frozen:
        to_freeze = frozenset(layer.name for layer in network.layers)

    def changed(layer: Layer) -> Layer:
        if layer.name in to_train:
            return layer.changed(trainable=True)
        return layer.changed(trainable=False) if layer.name in to_freeze else layer

    return replace(network, layers=tuple(map(changed, network.layers)))


def _refuse_single_weights(network: Network, pattern: str) -> None:
    """Raise `UserError` for a pattern that means some weights of layers, and no layer."""
    known = [*network.groups, *(layer.name for layer in network.layers)]
    if any(fnmatchcase(name, pattern) for name in known):
        return
    for layer in network.layers:
        if any(fnmatchcase(f"{layer.name}.{weight}", pattern) for weight in layer.op.weights()):
            raise UserError(
                f"{quote(pattern)} means some weights of {layer.name}; all weights of a layer are trained, or none"
                + help_line(f"name layers or groups, such as {layer.name}")
            )
