"""Where the pieces of a sweep are computed: here, in processes, or on a Dask cluster; always in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from archcalc.analysis.sweep import Piece, Plan, Result, Sweep

AHEAD = 4
"""Pieces under way for each worker: more would only fill memory."""

_by_text: dict[str, Sweep] = {}


def compute(plan: Plan, piece: Piece) -> Result:
    """A piece, in whatever process this is; what was traced for the plan is kept for its next piece."""
    key = repr(plan)
    if key not in _by_text:
        _by_text.clear()
        _by_text[key] = Sweep(plan)
    return _by_text[key].compute(piece)


def results(plan: Plan, jobs: int = 1, dask: str | None = None) -> Iterator[Result]:
    """The results of all pieces, in order.

    ``jobs`` is a number of processes; ``dask`` the address of a scheduler (needs the extra `dask`).
    """
    if dask is not None:
        from archcalc.runtime.requirements import need

        client = need("distributed", "dask").Client(dask, timeout=10)
        try:
            yield from _streamed(client, plan, AHEAD * max(len(client.scheduler_info()["workers"]), 1))
        finally:
            client.close()
    elif jobs > 1:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield from _streamed(pool, plan, AHEAD * jobs)
    else:
        sweep = Sweep(plan)
        yield from map(sweep.compute, plan.pieces())


def _streamed(executor: Any, plan: Plan, ahead: int) -> Iterator[Result]:
    waiting: deque[Any] = deque()
    for piece in plan.pieces():
        waiting.append(executor.submit(compute, plan, piece))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
