"""How deep a network is, as papers count it."""

from __future__ import annotations

from collections.abc import Iterable

from archcalc.analysis.costs import LayerCosts


def depth(rows: Iterable[LayerCosts]) -> int:
    """The most layers with weights that multiply and add, on one path: convolutions and linear layers.

    A projection beside a longer path does not count, so ResNet-50 has 50; the two layers of a
    squeeze-and-excitation do.
    """
    depths: dict[str, int] = {}
    deepest = 0
    for row in rows:
        before = max((depths.get(source, 0) for source in row.layer.inputs), default=0)
        here = before + int(row.layer.op.work().get("mac", 0) > 0)
        depths[row.name] = here
        deepest = max(deepest, here)
    return deepest
