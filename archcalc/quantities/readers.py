"""Readers of quantities: what is looked up at an operator, and what a simulation of memory gives.

The simulation is imported only when it is needed: no table needs it, and it would slow `archcalc table`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archcalc.analysis import Analysis
from archcalc.analysis.rows import TableRow


def hyperparameter(name: str) -> Callable[[TableRow], Any]:
    """Return a reader for a hyperparameter of a row's operator; a group has none."""
    return lambda row: None if row.of_group else row.head.layer.op.hyperparameters().get(name)


def peak_memory(mode: str) -> Callable[[Analysis], int]:
    """Return a reader of the peak of `archcalc memory` in a mode."""

    def peak(analysis: Analysis) -> int:
        from archcalc.memory.summary import memory

        return memory(analysis, mode).peak

    return peak


def training_part(name: str) -> Callable[[Analysis], int]:
    """Return a reader of a part of the memory of training."""

    def part(analysis: Analysis) -> int:
        from archcalc.memory.summary import training_parts

        found: int = getattr(training_parts(analysis), name)
        return found

    return part


def cache_memory(analysis: Analysis) -> int:
    """Return the bytes of the keys and values that generation keeps."""
    from archcalc.memory.generation import cache_bytes

    found: int = cache_bytes(analysis)
    return found


def peak_activation_memory(analysis: Analysis) -> int:
    """Return the peak of the live tensors at inference."""
    from archcalc.memory.inference import peak

    return peak(analysis).live_bytes
