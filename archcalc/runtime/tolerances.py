"""How far what is measured may be from what archcalc says: one table, and what docs/memory.md lists as not exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from archcalc.analysis.run import Run
from archcalc.network import Network

MIB = 2**20
OUTPUT = {"float64": 1e-10, "float32": 1e-4}
"""Of outputs that two implementations of one network compute: the largest difference, over the largest number."""


class Tolerance(NamedTuple):
    """What may be measured of a quantity that is predicted, and why it may differ."""

    below: float = 0.0
    """The share of the prediction by which it may be less."""
    above: float = 0.0
    """The share of the prediction by which it may be more."""
    beyond: int = 0
    """Bytes on top of that."""
    why: str = ""

    def admits(self, predicted: int, measured: int) -> bool:
        """Whether what is measured is near enough."""
        return predicted * (1 - self.below) <= measured <= predicted * (1 + self.above) + self.beyond


EXACT = Tolerance()


class Exempt(NamedTuple):
    """Networks of which a quantity is not exact, as docs/memory.md lists them."""

    quantities: tuple[str, ...]
    applies: Callable[[Network, str, bool], bool]
    """Of the network, the kind of device, and whether its tensors are in channels-last order."""
    tolerance: Tolerance


def _is_nearly(network: Network, device: str, channels_last: bool) -> bool:
    run = Run(network.analyze(batch=2), training=True)
    return any(layer.op.is_nearly(given) for layer, given in zip(run.layers, run.given, strict=True))


EXEMPT = (
    Exempt(
        ("training",),
        _is_nearly,
        Tolerance(0.1, 0.1, why="window attention in one window, or in the first that is trained"),
    ),
    Exempt(
        ("inference", "saved", "training"),
        lambda network, device, channels_last: device != "cpu",
        Tolerance(0.25, 0.25, 512 * MIB, "bytes are declared for a CPU; a GPU rounds up and takes workspaces"),
    ),
)
"""In the order in which they are asked: the first that applies holds."""


def tolerance(quantity: str, network: Network, device: str = "cpu", channels_last: bool = False) -> Tolerance:
    """The tolerance of a measured quantity: `inference`, `saved`, `training`; all others, the counts, are exact."""
    for exempt in EXEMPT:
        if quantity in exempt.quantities and exempt.applies(network, device, channels_last):
            return exempt.tolerance
    return EXACT
