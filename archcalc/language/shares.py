"""Shared weights: an earlier step again, with the weights that it has."""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.language.draft import Named
from archcalc.language.steps import SharedStep
from archcalc.network import NO_TIES, Layer
from archcalc.ops.vocabulary import shape_text
from archcalc.words import help_line, quote


def check_shareable(step: SharedStep, earlier: Named) -> None:
    """Raise if a name means no step whose weights a `share` can take."""
    written = step.target.node.text
    if earlier.unshared == "a loop":
        raise step.node.error(f"{quote(written)} is a loop" + help_line(f"share one of its turns: {written}.0"))
    if earlier.unshared == "left out":
        raise step.node.error(f"{quote(written)} is left out, so it has no weights to share")
    if earlier.unshared:
        raise step.node.error(f"{quote(written)} is {earlier.unshared}" + help_line("share its steps"))


def take_weights(step: SharedStep, again: Sequence[Layer], before: Sequence[Layer]) -> None:
    """Give layers the weights of the earlier ones; raise if they would have others."""
    name = quote(step.target.node.text)
    if len(again) != len(before):
        raise step.node.error(
            f"cannot share {name}: it has {len(before)} layers, but with this input {len(again)}"
            + help_line("use a new step")
        )
    for layer, original in zip(again, before, strict=True):
        if layer.op.weights() != original.op.weights():
            raise step.node.error(
                f"cannot share the weights of {quote(original.name)}: they were created for input "
                f"{shape_text(original.op.x)}, but this input is {shape_text(layer.op.x)}"
                + help_line("share where the shapes give the same weights, or use a new layer")
            )
        if original.op.weights():
            here, there = layer.op.torch().target, original.op.torch().target
            if here != there:  # one module has the weights, and it takes inputs of one rank
                raise step.node.error(
                    f"cannot share {quote(original.name)}: PyTorch has {there} for input {shape_text(original.op.x)}, "
                    f"but {here} for {shape_text(layer.op.x)}" + help_line("use a new layer")
                )
            layer.shares, layer.ties = original.shares or original.name, NO_TIES
        layer.dtype = layer.dtype or original.dtype
