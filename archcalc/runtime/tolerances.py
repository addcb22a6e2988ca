"""Tolerances of measured values, in one table, which docs/explanation/how-it-is-verified.md shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from archcalc.analysis import Counting, analyze
from archcalc.memory.simulation import MemorySimulation
from archcalc.network import Network

OUTPUT = {"float64": 1e-10, "float32": 1e-4}
"""Largest difference between the outputs of two implementations, as a share of the largest number."""
HALVES = ("float16", "bfloat16")
MEMORY = ("inference", "saved", "training")
"""Memory quantities; counts are always exact."""


class Tolerance(NamedTuple):
    """How far a measured quantity may be from the prediction, and why."""

    below: float = 0.0
    """How much less it may be, as a share of the prediction."""
    above: float = 0.0
    """How much more it may be, as a share of the prediction."""
    beyond: int = 0
    """How much more it may be in addition, in bytes."""
    why: str = ""

    def admits(self, predicted: int, measured: int) -> bool:
        """True if the measured value is within the tolerance."""
        return predicted * (1 - self.below) <= measured <= predicted * (1 + self.above) + self.beyond


EXACT = Tolerance()


class Measured(NamedTuple):
    """The network and conditions of a measurement."""

    network: Network
    device: str = "cpu"
    """Type of the device: `cpu`, `cuda` or `mps`."""
    dtype: str = "float32"
    batch: int = 2
    channels_last: bool = False

    def run(self) -> MemorySimulation:
        """Return a simulated training step: the layout of tensors, and which need a gradient."""
        return MemorySimulation(analyze(self.network, Counting(self.batch)), training=True)


class Exempt(NamedTuple):
    """A case in which quantities are not exact."""

    quantities: tuple[str, ...]
    applies: Callable[[Measured], bool]
    tolerance: Tolerance


def _has_nearly(measured: Measured) -> bool:
    run = measured.run()
    in_parts = {
        layer.shares or layer.name
        for layer, tensors in zip(run.layers, run.tensors, strict=True)
        if layer.op.weight_gradients_in_parts(tensors)
    }
    uses = Counter(name for layer in run.layers for name in layer.inputs)
    return any(
        layer.op.is_approximate(tensors)
        or not in_parts.isdisjoint(layer.owners)
        or (layer.ties and layer.name in in_parts)
        or any(uses[layer.inputs[number]] > 1 for number in layer.op.early_gradients(tensors))
        for layer, tensors in zip(run.layers, run.tensors, strict=True)
    )


def _computes_in_float32(measured: Measured) -> bool:
    run = measured.run()
    return measured.dtype in HALVES and any(
        layer.op.computes_in_float32(tensors) for layer, tensors in zip(run.layers, run.tensors, strict=True)
    )


EXEMPT = (
    Exempt(
        MEMORY,
        lambda measured: measured.device != "cpu",
        Tolerance(0.25, 0.25, 512 * 2**20, "declared for a CPU; a GPU rounds up and uses workspaces"),
    ),
    Exempt(
        MEMORY,
        lambda measured: measured.channels_last,
        Tolerance(0.25, 0.25, why="declared for contiguous inputs"),
    ),
    Exempt(
        MEMORY,
        _computes_in_float32,
        Tolerance(0.5, 1.0, why="RMS norm and attention without its fused kernel are computed in float32"),
    ),
    Exempt(
        MEMORY,
        lambda measured: any(layer.op.may_use_more_memory for layer in measured.network.layers),
        Tolerance(0.25, 2.0, why="a transposed convolution in 3 dimensions"),
    ),
    Exempt(
        ("training",),
        lambda measured: measured.dtype in HALVES,
        Tolerance(0.5, 1.0, why="some gradients are computed in float32"),
    ),
    Exempt(
        MEMORY,
        _has_nearly,
        Tolerance(
            0.25,
            0.25,
            why="shared weights whose gradients come early, inputs of local_response_norm, computed tensors, einsum",
        ),
    ),
)
"""The first that applies is used."""


def tolerance(quantity: str, measured: Measured) -> Tolerance:
    """Return the tolerance of a quantity."""
    for exempt in EXEMPT:
        if quantity in exempt.quantities and exempt.applies(measured):
            return exempt.tolerance
    return EXACT
