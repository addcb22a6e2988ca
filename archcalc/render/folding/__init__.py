"""A network as a spec that reads as a person would write it: blocks, loops, branches and parameters, found in it."""

from __future__ import annotations

from archcalc.language.limits import limit
from archcalc.network import Network
from archcalc.render.folding.blocks import Blocks, nesting
from archcalc.render.folding.items import part_of
from archcalc.render.folding.layout import StepLayout
from archcalc.render.folding.loops import folded
from archcalc.render.folding.lowering import Frame, with_names
from archcalc.render.spec import network_spec, parts_of, spec_tree
from archcalc.render.spec_text import head_lines

MARGIN = 2
"""Levels of steps that a spec may have less than the language allows."""


def folded_spec(network: Network) -> str:
    """Return YAML of the network with blocks, loops and branches for what repeats in it.

    It loads as a network with the same layers, names, arguments, inputs, shared weights and marks. Raises `UserError`
    for a network that no spec can express.
    """
    tree = spec_tree(network)
    root = part_of(tree, frozenset(network.sides), parts_of(tree))
    blocks = Blocks(network, root)
    frame = Frame(network, "", {name: name for name in network.inputs}, blocks.call, blocks.instead)
    steps, numbered = frame.steps(root.items, "")
    steps = folded(with_names(steps))
    if nesting(steps, blocks.found) > limit("nesting") - MARGIN:
        return network_spec(network)
    layout = StepLayout([block.name for block in blocks.found])
    lines = [*head_lines(network)]
    if blocks.found:
        lines.append("blocks:")
        for block in blocks.found:
            lines += layout.block(block)
    if numbered:
        lines.append("numbered: true")
    return "\n".join([*lines, "layers:", *layout.steps(steps, 2)]) + "\n"
