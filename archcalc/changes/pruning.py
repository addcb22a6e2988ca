"""Pruned channels: a network in which some layers give fewer channels or features.

What follows takes fewer: normalization, depthwise convolutions, joins, and the next products. Li et al., *Pruning
Filters for Efficient ConvNets*, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from archcalc.arithmetic import Dim, Shape, ShapeError
from archcalc.errors import UserError
from archcalc.imports.opening import Reference, opened
from archcalc.network import Layer, Network
from archcalc.structs import replace
from archcalc.words import did_you_mean, help_line, is_digits, quote

MOST_CHARACTERS = 1_000_000
"""The limit on a file of pruned layers."""


def prune(network: Reference, kept: Mapping[str, Dim]) -> Network:
    """Return the network in which layers keep so many output channels or features.

    Args:
        network: a network, or what `archcalc.load` takes.
        kept: names of convolution or linear layers, with what each keeps.

    Raises:
        UserError: for an unknown layer, more channels than it has, or sizes that no longer fit where paths meet.

    Examples:
        >>> import archcalc
        >>> archcalc.prune(archcalc.load("alexnet"), {"conv1": 32}).analyze()["conv2"].weights
        153600
    """
    network = opened(network)
    known = {layer.name: layer for layer in network.layers if layer.op.sized_by()}
    for name, count in kept.items():
        if name not in known:
            raise UserError(
                f"{network.name} has no layer {quote(name)} with channels to prune{did_you_mean(name, known)}"
            )
        before = getattr(known[name].op, known[name].op.sized_by())
        if not 0 < count <= before:
            raise UserError(f"{name} has {before} channels, and cannot keep {count}")
    shapes: dict[str, Shape] = dict(network.inputs)
    layers: list[Layer] = []
    for layer in network.layers:
        op, inputs = layer.op, tuple(shapes[source] for source in layer.inputs)
        given = {**op.given, **op.following(inputs)}
        owner = layer.shares or layer.name
        if owner in kept:
            given[op.sized_by()] = kept[owner]
        try:
            pruned = op if inputs == op.inputs and given == op.given else op.remade(inputs, given)
        except ShapeError as error:
            fix = help_line("prune the layers of all paths that meet there alike")
            raise UserError(f"{layer.name} does not fit the pruned sizes: {error}{fix}") from error
        shapes[layer.name] = pruned.output
        layers.append(layer.changed(op=pruned))
    return replace(network, layers=tuple(layers), about=replace(network.about, reference=""))


def parse_kept(items: Sequence[str]) -> dict[str, int]:
    """Read what layers keep.

        item = LAYER "=" CHANNELS | FILE
        file = {LAYER "=" CHANNELS | "#" comment | empty line}

    Raises:
        UserError: for a line that is neither, a file that cannot be read, or a layer that is there twice.
    """
    kept: dict[str, int] = {}
    for place, line in _lines(items):
        name, equals, count = (part.strip() for part in line.partition("="))
        if not equals or not name or not is_digits(count):
            raise UserError(f"{place}expected LAYER=CHANNELS, got {quote(line)}")
        if name in kept:
            raise UserError(f"{place}{name} is pruned twice")
        kept[name] = int(count)
    return kept


def _lines(items: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each line that says something, with its place in a file."""
    for item in items:
        if "=" in item:
            yield "", item
            continue
        with Path(item).open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(MOST_CHARACTERS + 1)
        if len(text) > MOST_CHARACTERS:
            raise UserError(f"{quote(item)} is longer than {MOST_CHARACTERS:,} characters")
        for number, line in enumerate(text.splitlines(), 1):
            statement = line.partition("#")[0].strip()
            if statement:
                yield f"{item}:{number}: ", statement
