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
    """A piece of a network that saves nothing but its inputs, and is computed again in the backward pass."""

    def __init__(self, piece: nn.Module) -> None:
        super().__init__()
        self.piece = piece

    def forward(self, *inputs: Tensor) -> Any:
        return checkpoint(self.piece, *inputs, use_reentrant=False)


def build_checkpointed(network: Network, blocks: Sequence[range]) -> nn.Module:
    """The network as a module that recomputes ``blocks``, given as numbers of its layers in the order of execution.

    It is `archcalc.build`, cut into pieces: its parameters are the same, under other names.
    """
    module = build_module(network)
    order = [layer.name for layer in network.layers if not layer.auxiliary]
    part_of = {order[at]: number for number, block in enumerate(blocks) for at in block}
    parts: list[int | None] = []  # of each piece, the block that it is, if any
    numbers: dict[fx.Node, int] = {}
    for node in module.graph.nodes:
        if node.op in ("placeholder", "output"):
            continue
        # A weight that is a layer itself stands before that layer.
        name = node.meta.get("layer") or next(user for user in node.users).meta["layer"]
        block = part_of.get(name)
        if not parts or parts[-1] != block:
            parts.append(block)
        numbers[node] = len(parts) - 1
    split = split_module(module, module, lambda node: numbers[node], keep_original_order=True)
    for at, block in enumerate(parts):
        if block is not None:
            split.add_module(f"submod_{at}", Checkpointed(split.get_submodule(f"submod_{at}")))
    split.recompile()
    return split
