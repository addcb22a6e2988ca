"""Patterns of layers: `layer4`, `layer4.*`, `*.attn.*`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from archcalc.errors import UserError
from archcalc.network import Layer, Network
from archcalc.words import did_you_mean, quote


def matching(
    network: Network, patterns: Sequence[str], fits: Callable[[Layer], bool], what: str
) -> tuple[frozenset[str], ...]:
    """Return, for each pattern, the layers that it means among those that fit.

    A pattern is a layer, a group, which means all layers in it, or either with `*` for any characters, `?` for one and
    `[…]` for one of several. ``what`` names the layers that fit.

    Raises:
        UserError: for a pattern that means none of them.
    """
    names = [layer.name for layer in network.layers if fits(layer)]
    found = []
    for pattern in patterns:
        inside = f"{pattern}.*"
        means = frozenset(name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name, inside))
        if not means:
            known = [*network.groups, *(layer.name for layer in network.layers)]
            hint = did_you_mean(pattern, known) if pattern not in known else ""
            raise UserError(f"{network.name} has no {what} that {quote(pattern)} means{hint}")
        found.append(means)
    return tuple(found)
