"""Adapters of low rank (LoRA) beside frozen layers.

Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, 2021. The layers are those that the library peft makes
(`LoraConfig` with its defaults): the output of the frozen layer, plus that of two small layers times a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.changes.folding import rebuilt
from archcalc.changes.patterns import matching
from archcalc.imports.opening import Reference, opened
from archcalc.network import Layer, Network, WeightRef
from archcalc.ops import registry
from archcalc.ops.operator import Operator
from archcalc.structs import replace
from archcalc.words import listed

BASE, DOWN, UP, SCALED, SUM = "base_layer", "lora_A", "lora_B", "lora_scaled", "lora_sum"
ADAPTERS = (f"*.{DOWN}", f"*.{UP}")
"""Patterns of the adapters' layers."""


def add_adapters(network: Reference, rank: int, patterns: str | Sequence[str]) -> Network:
    """Return the network with an adapter at each matching linear or convolution layer, and all else frozen.

    A layer ``q`` becomes ``q.base_layer``. Beside it, ``q.lora_A`` gives ``rank`` features or channels, and
    ``q.lora_B`` gives as many as the layer. A convolution's ``lora_A`` has its window, and ``lora_B`` has the window 1.
    ``q.lora_sum`` adds both, and is taken where ``q`` was.

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

    layers: list[Layer] = []
    renamed: dict[str, str] = {}
    for layer in network.layers:
        frozen = layer.changed(
            inputs=tuple(renamed.get(source, source) for source in layer.inputs),
            trainable=False,
            ties={name: WeightRef(owner(ref.layer), ref.tensor) for name, ref in layer.ties.items()},
            shares=None if layer.shares is None else owner(layer.shares),
        )
        small = layer.op.low_rank(rank)
        # A layer that shares the weights of an adapted one shares its adapter too.
        if small is None or (layer.shares or layer.name) not in adapted:
            layers.append(frozen)
            continue
        layers += _adapted(layer, frozen, small)
        renamed[layer.name] = layers[-1].name
    return replace(rebuilt(network, layers, renamed), groups={**network.groups, **dict.fromkeys(renamed, "")})


def _adapted(layer: Layer, frozen: Layer, small: tuple[Operator, Operator]) -> Iterator[Layer]:
    """Yield the layers in place of one layer."""
    name, before = layer.name, layer.shares
    yield frozen.changed(name=f"{name}.{BASE}")
    source = frozen.inputs[0]
    for part, op in zip((DOWN, UP), small, strict=True):
        step = Layer(f"{name}.{part}", op, (source,), layer.origin, layer.side, layer.train)
        step.shares = f"{before}.{part}" if before is not None else None
        yield step
        source = step.name
    scale, add = registry()["scale"], registry()["add"]
    yield Layer(f"{name}.{SCALED}", scale((layer.op.output,), factor=1.0), (source,), layer.origin)
    both = f"{name}.{BASE}", f"{name}.{SCALED}"
    yield Layer(f"{name}.{SUM}", add((layer.op.output,) * 2), both, layer.origin, layer.side, layer.train)
