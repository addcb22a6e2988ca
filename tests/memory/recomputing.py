"""A built network with `torch.utils.checkpoint` applied to some of its blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx, nn
from torch.fx.passes.split_module import split_module
from torch.utils.checkpoint import checkpoint

from archcalc.network import Network
from archcalc.runtime.building import build_module


class Checkpointed(nn.Module):
    """Part of a network that saves only its inputs, and is recomputed in the backward pass."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *inputs: Tensor) -> Any:
        return checkpoint(self.part, *inputs, use_reentrant=False)


def build_checkpointed(network: Network, blocks: Sequence[range]) -> nn.Module:
    """Build a network that recomputes ``blocks``: ranges of positions of its layers in the order of execution.

    It is the module of `archcalc.build`, split into parts. The parameters are the same, with other names.
    """
    module = build_module(network)
    order = [layer.name for layer in network.layers if not layer.auxiliary]
    part_of = {order[position]: number for number, block in enumerate(blocks) for position in block}
    parts: list[int | None] = []  # the block of each part; None for the parts between blocks
    numbers: dict[fx.Node, int] = {}
    for node in module.graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        # A bare weight is a node before the node of its layer.
        name = node.meta.get("layer") or next(user for user in node.users).meta["layer"]
        block = part_of.get(name)
        if not parts or parts[-1] != block:
            parts.append(block)
        numbers[node] = len(parts) - 1
    split = split_module(module, module, lambda node: numbers[node], keep_original_order=True)
    for number, block in enumerate(parts):
        if block is not None:
            split.add_module(f"submod_{number}", Checkpointed(split.get_submodule(f"submod_{number}")))
    split.recompile()
    return split
