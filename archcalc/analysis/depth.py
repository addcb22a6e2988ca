"""The network depth, as papers count it."""

from __future__ import annotations

from collections.abc import Iterable

from archcalc.analysis.costs import LayerCosts


def depth(rows: Iterable[LayerCosts]) -> int:
    """Return the most weight layers (convolutions and linear layers) on one path.

    A projection beside a longer path does not count, so ResNet-50 has 50. The two layers of squeeze-and-excitation do.
    """
    depths: dict[str, int] = {}
    for row in rows:
        before = max((depths.get(source, 0) for source in row.layer.inputs), default=0)
        depths[row.name] = before + int(row.layer.op.work().get("mac", 0) > 0)
    return max(depths.values(), default=0)
