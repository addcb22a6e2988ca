"""Ways to train a batch within a budget: precision, passes before an update, and recomputation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from archcalc.analysis.costs import Analysis, analyze
from archcalc.analysis.precision import Precision
from archcalc.memory.checkpointing import choose, recomputable
from archcalc.memory.optimizers import TrainingStep
from archcalc.memory.summary import fit
from archcalc.structs import replace

MOST_HALVINGS = 12
"""How often a batch is halved, to find a part that fits with recomputation."""


class Way(NamedTuple):
    """A way to do a training step of a batch."""

    precision: str
    batch: int
    """Samples of a pass."""
    passes: int
    """Passes before an update, which together have at least the samples of the batch."""
    recomputed: int
    """Blocks that are recomputed."""
    bytes: int
    """Peak memory."""
    macs: int
    """MACs of a step, of all passes, forward and backward."""
    extra_macs: int
    """MACs that are computed again, of all passes."""

    @property
    def work(self) -> int:
        """MACs of a step with what is computed again."""
        return self.macs + self.extra_macs


def ways(analysis: Analysis, budget: int, step: TrainingStep, precisions: Mapping[str, Precision | None]) -> list[Way]:
    """Return the ways that fit, best first: the least work, then the fewest passes.

    Among equals, the order of ``precisions`` decides. Every precision is tried with and without recomputation.

    Args:
        analysis: the costs, which hold the batch.
        budget: bytes that a step may take.
        step: the optimizer and its settings; the number of passes is found.
        precisions: the precisions to try, by name; None for the analysis' own.
    """
    found: list[Way] = []
    for name, precision in precisions.items():
        counting = analysis.counting if precision is None else replace(analysis.counting, precision=precision)
        found.extend(_of_precision(analyze(analysis.network, counting), budget, step, name))
    return sorted(found, key=lambda way: (way.work, way.passes))


def _of_precision(analysis: Analysis, budget: int, step: TrainingStep, name: str) -> Iterator[Way]:
    batch = analysis.batch
    whole = fit(analysis, budget, "training", step).batch
    # In several passes, the gradients of those before are there from the start.
    most = batch if whole >= batch else fit(analysis, budget, "training", replace(step, accumulate=2)).batch
    plain = _parts(batch, most) if most else None
    if plain is not None:
        yield _way(analysis, budget, step, name, *plain)
    if plain is None or plain[1] > 1:
        yield from _recomputing(analysis, budget, step, name, plain[1] if plain else 2**MOST_HALVINGS + 1)


def _parts(batch: int, most: int) -> tuple[int, int]:
    """Return the samples of a pass and the number of passes, as even as possible."""
    passes = -(-batch // most)
    return -(-batch // passes), passes


def _recomputing(analysis: Analysis, budget: int, step: TrainingStep, name: str, passes_without: int) -> Iterator[Way]:
    """Yield the way with recomputation and the fewest passes, if there are fewer than without."""
    if not recomputable(analysis):
        return
    for halvings in range(MOST_HALVINGS + 1):
        passes = 2**halvings
        if passes >= passes_without or passes > analysis.batch:
            return
        way = _way(analysis, budget, step, name, -(-analysis.batch // passes), passes)
        if way.bytes <= budget:
            yield way
            return


def _way(analysis: Analysis, budget: int, step: TrainingStep, name: str, batch: int, passes: int) -> Way:
    """Return the way with so many passes, recomputing what the budget needs."""
    part = analyze(analysis.network, replace(analysis.counting, batch=batch))
    plan = choose(part, budget, replace(step, accumulate=passes))
    totals = part.totals
    macs = (totals.macs + totals.backward_macs) * passes
    return Way(name, batch, passes, len(plan.blocks), plan.peak, macs, plan.macs * passes)
