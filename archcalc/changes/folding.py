"""Layers that deployment joins: batch normalization into the layer before it, and parallel convolutions into one.

At inference, batch normalization scales and shifts each channel by constants. A convolution or linear layer before it
takes these into its weight and bias (Jacob et al., 2018, section 3.2; `torch.nn.utils.fusion`). Then a sum of
convolutions of one tensor is a convolution too, whose kernel is the sum of the others, padded (Ding et al., RepVGG,
2021).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from archcalc.imports.opening import Reference, opened
from archcalc.network import Layer, Network
from archcalc.structs import replace


def fold_batch_norm(network: Reference) -> Network:
    """Return the network in which batch normalization is folded into the convolution or linear layer before it.

    That layer gets a bias, and keeps its name. It is folded where nothing else takes the output of that layer, and
    neither shares its weights.

    Examples:
        >>> import archcalc
        >>> archcalc.fold_batch_norm(archcalc.load("resnet50")).analyze().totals.params
        25530472
    """
    network = opened(network)
    view = _View(network)
    layers: dict[str, Layer] = {}
    renamed: dict[str, str] = {}
    for layer in network.layers:
        inputs = tuple(renamed.get(source, source) for source in layer.inputs)
        before = layers.get(inputs[0]) if inputs else None
        if layer.op.scales_channels and before is not None and before.name == layer.inputs[0] and view.is_alone(before):
            folded = before.op.with_bias()
            if folded is not None and view.owns_weights(layer):
                layers[before.name] = before.changed(op=folded)
                renamed[layer.name] = before.name
                continue
        layers[layer.name] = layer.changed(inputs=inputs)
    return rebuilt(network, layers.values(), renamed)


def reparametrize(network: Reference) -> Network:
    """Return the network in which sums of parallel convolutions of one tensor are one convolution.

    Batch normalization is folded first. A branch may also be the tensor itself, or its batch normalization. The
    convolution has the name of the sum.

    Examples:
        >>> import archcalc
        >>> archcalc.reparametrize(archcalc.load("repvgg_a0")).analyze().totals.params
        8309384
    """
    network = opened(network)
    network = fold_batch_norm(network)
    view = _View(network)
    layers: dict[str, Layer] = {}
    for layer in network.layers:
        layers[layer.name] = layer
        branches = [layers[source] for source in layer.inputs if source in layers and view.is_branch(layers[source])]
        if not layer.op.adds or not branches:
            continue
        sources = {branch.inputs[0] for branch in branches}
        sources |= {source for source in layer.inputs if all(source != branch.name for branch in branches)}
        if len(sources) != 1:
            continue
        widest = max(branches, key=lambda branch: branch.op.window_elements())
        parts = [None if branch.op.scales_channels else branch.op for branch in branches]
        merged = widest.op.absorbing([*parts, *[None] * (len(layer.inputs) - len(branches))])
        if merged is not None:
            for branch in branches:
                del layers[branch.name]
            layers[layer.name] = widest.changed(name=layer.name, op=merged, origin=layer.origin)
    return rebuilt(network, layers.values(), {})


class _View:
    """What a network's layers are used for."""

    def __init__(self, network: Network) -> None:
        self.uses = Counter(source for layer in network.layers for source in layer.inputs)
        self.kept = {*network.outputs, *network.sides.values()}
        self.owners = {owner for layer in network.layers for owner in layer.owners}

    def owns_weights(self, layer: Layer) -> bool:
        """True if a layer's weights are its own, and nobody else's."""
        return layer.shares is None and not layer.ties and layer.name not in self.owners

    def is_alone(self, layer: Layer) -> bool:
        """True if one layer takes the output, and the weights are nobody else's."""
        return self.uses[layer.name] == 1 and layer.name not in self.kept and self.owns_weights(layer)

    def is_branch(self, layer: Layer) -> bool:
        """True if the layer can be merged with others: a product, or batch normalization."""
        return self.is_alone(layer) and (layer.op.scales_channels or layer.op.with_bias() is not None)


def rebuilt(network: Network, layers: Iterable[Layer], renamed: Mapping[str, str]) -> Network:
    """Return the network with other layers, without the reference implementation, which has other tensors."""
    return replace(
        network,
        layers=tuple(layers),
        outputs=tuple(renamed.get(name, name) for name in network.outputs),
        sides={path: renamed.get(name, name) for path, name in network.sides.items()},
        offered=frozenset(renamed.get(name, name) for name in network.offered),
        about=replace(network.about, reference=""),
    )
