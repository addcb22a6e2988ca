"""A network as a spec that reads as a person would write it: blocks, loops, branches and parameters, found in it."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.language.limits import limit
from archcalc.network import Network
from archcalc.render.folding.blocks import Blocks, FoldedBlock, nesting, no_block
from archcalc.render.folding.items import group_parts
from archcalc.render.folding.layout import StepLayout
from archcalc.render.folding.loops import folded
from archcalc.render.folding.lowering import Frame, with_names
from archcalc.render.folding.shares import shared_arguments
from archcalc.render.folding.steps import WrittenStep
from archcalc.render.folding.text import head_lines

MARGIN = 2
"""Levels of steps that a spec may have less than the language allows."""


def folded_spec(network: Network) -> str:
    """Return YAML of the network with blocks, loops and branches for what repeats in it.

    It loads as a network with the same layers, names, arguments, inputs, shared weights and marks. Raises `UserError`
    for a network that no spec can express.
    """
    root = group_parts(network)
    blocks = Blocks(network, root)
    frame = Frame(network, "", {name: name for name in network.inputs}, blocks.call, blocks.instead)
    steps, numbered = frame.steps(root.items, "")
    steps = folded(with_names(steps))
    if nesting(steps, blocks.found) > limit("nesting") - MARGIN:
        return network_spec(network)
    return _text(network, steps, numbered, blocks.found)


def network_spec(network: Network) -> str:
    """Return YAML of the network without parameters, loops and blocks: groups, and a line for each layer.

    It loads as the same network, and raises `UserError`, as that of `folded_spec` does.
    """
    root = group_parts(network)
    for part in root.walk():
        part.items = part.plain
    frame = Frame(network, "", {name: name for name in network.inputs}, no_block, shared_arguments(network))
    steps, numbered = frame.steps(root.items, "")
    return _text(network, with_names(steps), numbered, ())


def _text(network: Network, steps: Sequence[WrittenStep], numbered: bool, blocks: Sequence[FoldedBlock]) -> str:
    layout = StepLayout([block.name for block in blocks])
    lines = [*head_lines(network)]
    if blocks:
        lines.append("blocks:")
        for block in blocks:
            lines += layout.block(block)
    if numbered:
        lines.append("numbered: true")
    return "\n".join([*lines, "layers:", *layout.steps(steps, 2)]) + "\n"
