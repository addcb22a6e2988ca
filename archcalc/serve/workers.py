"""A few worker processes. One that takes too long, or dies, is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from archcalc.serve.view import Message
from archcalc.serve.worker import NEXT, STOP

SECONDS = 10.0
"""The most that a question may take."""
DOWNLOAD_SECONDS = 60.0
STOP_SECONDS = 2.0
LONGEST_ANSWER = 64 << 20
"""Bytes of one answer."""


class Workers:
    """Worker processes that answer one question at a time each; whoever asks first is served first."""

    def __init__(self, count: int) -> None:
        self._free: asyncio.Queue[asyncio.subprocess.Process | None] = asyncio.Queue()
        self._all: set[asyncio.subprocess.Process] = set()
        for _ in range(count):
            self._free.put_nowait(None)

    async def start(self) -> None:
        """Start every process, so that the first question need not wait."""
        for _ in range(self._free.qsize()):
            await self._free.get()
            self._free.put_nowait(await self._start())

    async def ask(self, message: Message, path: Path | None) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the answers to a message. One that takes too long is refused; closing it drops those to come."""
        worker = await self._free.get()
        is_whole = False
        try:
            if worker is None or worker.returncode is not None:
                worker = await self._start()
            async with contextlib.aclosing(_conversation(worker, message, path)) as found:
                async for answer in found:
                    try:
                        yield answer
                    except GeneratorExit:
                        is_whole = await _stopped(worker)
                        raise
            is_whole = True
        except (asyncio.TimeoutError, ConnectionError, ValueError):
            says = f"error: this takes more than the {SECONDS:.0f} seconds, or the memory, that the page gives it"
            yield {"kind": "refused", "says": says, "number": message.number}
        finally:
            if worker is not None and not is_whole:  # the rest of its answers would be taken for the next ones
                self._end(worker)
                worker = None
            self._free.put_nowait(worker)

    async def close(self) -> None:
        """End all processes."""
        ended = list(self._all)
        for worker in ended:
            self._end(worker)
        await asyncio.gather(*(worker.wait() for worker in ended))

    async def _start(self) -> asyncio.subprocess.Process:
        # The limits of the language are in force here, whatever this user has raised for files of their own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ARCHCALC_MAX_")}
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "archcalc.serve.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=LONGEST_ANSWER,
            start_new_session=True,  # Ctrl-C is for the server, which ends its workers
        )
        self._all.add(worker)
        return worker

    def _end(self, worker: asyncio.subprocess.Process) -> None:
        self._all.discard(worker)
        with contextlib.suppress(ProcessLookupError):
            worker.kill()


async def _conversation(
    worker: asyncio.subprocess.Process, message: Message, path: Path | None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield a worker's answers. Raises an error if it dies, or takes too long."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    clock = asyncio.get_running_loop().time
    end = clock() + (DOWNLOAD_SECONDS if message.ask == "download" else SECONDS)
    worker.stdin.write(_line(message, path))
    while True:
        line = await asyncio.wait_for(worker.stdout.readline(), end - clock())
        if not line:
            raise ConnectionError
        answer = json.loads(line)
        if answer["kind"] == "done":
            return
        yield answer
        worker.stdin.write(NEXT)


async def _stopped(worker: asyncio.subprocess.Process) -> bool:
    """Tell a worker that waits after an answer to compute no more; return whether it takes a new question."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(STOP)
    with contextlib.suppress(asyncio.TimeoutError, ConnectionError, ValueError):
        line = await asyncio.wait_for(worker.stdout.readline(), STOP_SECONDS)
        return bool(line) and json.loads(line)["kind"] == "done"
    return False


def _line(message: Message, path: Path | None) -> bytes:
    view = vars(message.view)
    kept = None if message.kept is None else {"text": message.kept[0], "view": vars(message.kept[1])}
    data = {**vars(message), "view": view, "kept": kept, "path": None if path is None else str(path)}
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"
