"""Adapters of low rank (LoRA) beside frozen layers.

Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021. The layers are those that the library peft makes
(`LoraConfig` with its defaults): the output of the frozen layer, plus that of two small layers times a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.changes.patterns import matching
from archcalc.imports.opening import Reference, opened
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.structs import replace
from archcalc.words import listed

BASE, DOWN, UP, SCALED = "base_layer", "lora_A", "lora_B", "lora_scaled"
ADAPTERS = (f"*.{DOWN}", f"*.{UP}")
"""Patterns of the adapters' layers."""


def add_adapters(network: Reference, rank: int, patterns: str | Sequence[str]) -> Network:
    """Return the network with an adapter at each matching linear or convolution layer, and all else frozen.

    A layer ``q`` becomes ``q.base_layer``. Beside it, ``q.lora_A`` gives ``rank`` features or channels, and
    ``q.lora_B`` gives as many as the layer. A convolution's ``lora_A`` has its window, and ``lora_B`` has the window 1.

    Args:
        network: a network, or what `archcalc.load` takes.
        rank: features between the two layers of an adapter.
        patterns: patterns of layers, such as `*.attn.*`.

    Raises:
        UserError: for a pattern that means no such layer.

    Examples:
        >>> import archcalc
        >>> adapted = archcalc.add_adapters(archcalc.load("resnet18"), 8, ["fc"])
        >>> adapted.analyze().totals.trained_params
        12096
    """
    network, patterns = opened(network), listed(patterns)
    found = matching(network, patterns, lambda layer: layer.op.low_rank(rank) is not None, "layer that LoRA adapts")
    adapted = frozenset[str]().union(*found)

    def owner(name: str) -> str:
        return f"{name}.{BASE}" if name in adapted else name

    def layers() -> Iterator[Layer]:
        for layer in network.layers:
            frozen = layer.changed(
                trainable=False,
                ties={name: WeightRef(owner(ref.layer), ref.tensor) for name, ref in layer.ties.items()},
                shares=None if layer.shares is None else owner(layer.shares),
            )
            small = layer.op.low_rank(rank)
            # A layer that shares the weights of an adapted one shares its adapter too.
            if small is None or (layer.shares or layer.name) not in adapted:
                yield frozen
            else:
                yield from _adapted(layer, frozen, small)

    return replace(
        network,
        layers=tuple(layers()),
        groups={**network.groups, **dict.fromkeys(adapted, "")},
        about=replace(network.about, reference=""),  # it has other tensors
    )


def _adapted(layer: Layer, frozen: Layer, small: tuple[Operator, Operator]) -> Iterator[Layer]:
    """Yield the layers in place of one layer; the last has its name."""
    name, before = layer.name, layer.shares
    yield frozen.changed(name=f"{name}.{BASE}")
    source = layer.inputs[0]
    for part, op in zip((DOWN, UP), small, strict=True):
        step = Layer(f"{name}.{part}", op, (source,), layer.origin, layer.side, layer.train)
        step.shares = f"{before}.{part}" if before is not None else None
        yield step
        source = step.name
    scale, add = registry()["scale"], registry()["add"]
    yield Layer(f"{name}.{SCALED}", scale((layer.op.output,), factor=1.0), (source,), layer.origin)
    both = f"{name}.{BASE}", f"{name}.{SCALED}"
    yield Layer(name, add((layer.op.output,) * 2), both, layer.origin, layer.side, layer.train)
