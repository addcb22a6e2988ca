"""A tab ends its tasks, whatever they wait for."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("starlette")

from archcalc.serve.session import end_all


async def loses_a_cancellation():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()  # as asyncio.wait_for of Python 3.11 goes on with a result that came meanwhile


async def fails():
    raise ValueError("a fault")


def test_tasks_end_even_if_a_cancellation_is_lost():
    async def ended():
        tasks = [asyncio.create_task(each()) for each in (loses_a_cancellation, fails)]
        await asyncio.sleep(0)
        return await asyncio.wait_for(end_all(tasks), 10)

    lost, failed = asyncio.run(ended())
    assert isinstance(lost, asyncio.CancelledError)
    assert isinstance(failed, ValueError)
