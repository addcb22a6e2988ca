"""The computation of a sweep: here, in processes, or on a Dask cluster, always in the same order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from archcalc.sweep.space import GridChunk, Result, Sweep, SweepPlan

AHEAD = 4
"""Chunks in progress for each worker: more would only fill memory."""

_by_text: dict[str, Sweep] = {}


def compute(plan: SweepPlan, chunk: GridChunk) -> Result:
    """Compute a chunk in any process; traces of the plan are kept for its next chunk."""
    key = repr(plan)
    if key not in _by_text:
        _by_text.clear()
        _by_text[key] = Sweep(plan)
    return _by_text[key].compute(chunk)


def results(plan: SweepPlan, jobs: int = 1, dask: str | None = None) -> Iterator[Result]:
    """Yield the results of all chunks, in order.

    ``jobs`` is a number of processes; ``dask`` the address of a scheduler (needs the extra `dask`).
    """
    sweep = Sweep(plan)
    sweep.confirm()
    if dask is not None:
        from archcalc.requirements import need

        client = need("distributed", "dask").Client(dask, timeout=10)
        try:
            yield from _streamed(client, plan, AHEAD * max(len(client.scheduler_info()["workers"]), 1))
        finally:
            client.close()
    elif jobs > 1:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
        try:
            yield from _streamed(pool, plan, AHEAD * jobs)
        except KeyboardInterrupt:
            # The process ends now, and its workers with it. Waiting for workers that are ended could take forever.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()
    else:
        yield from map(sweep.compute, plan.chunks())


@contextmanager
def _deaf() -> Iterator[None]:
    """Ignore interrupts in the processes that are started here: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _streamed(executor: Any, plan: SweepPlan, ahead: int) -> Iterator[Result]:
    waiting: deque[Any] = deque()
    for chunk in plan.chunks():
        with _deaf():
            waiting.append(executor.submit(compute, plan, chunk))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
