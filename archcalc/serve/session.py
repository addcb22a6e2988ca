"""One open tab: its newest question of each kind waits, older ones are dropped."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from archcalc.errors import UserError
from archcalc.serve.editing import Edited
from archcalc.serve.layouts import Layouts
from archcalc.serve.view import InvalidMessage, Message, read_message
from archcalc.serve.workers import Workers

EVERY = 0.25
"""Seconds between two looks at the edited file."""
AGAIN = 0.1
"""Seconds after which a task that has not ended is cancelled again."""
MOST_INVALID = 2_000
"""Invalid messages after which a tab is closed."""


class Session:
    """Reads the messages of a tab, and sends the answers."""

    def __init__(self, socket: WebSocket, workers: Workers, layouts: Layouts, edited: Edited) -> None:
        self.socket = socket
        self.workers = workers
        self.layouts = layouts
        self.edited = edited
        self.waiting: dict[str, Message] = {}
        self.arrived = asyncio.Event()
        self.drawing: asyncio.Task[None] | None = None
        self.shown: str | None = None
        """The DOT of the drawing that the page shows; None if it shows something else."""
        self.own_text: str | None = None
        """The newest text that is this user's own; what a link brought is not kept."""
        self.file_text = edited.read()

    async def run(self) -> None:
        """Serve the tab until it closes."""
        edited = self.edited
        start = {"text": self.file_text, "variant": edited.variant, "fragment": edited.fragment}
        name = None if edited.path is None else edited.path.name
        await self._send({"kind": "start", **start, "file": name, "draft": edited.draft(), "choices": _choices()})
        tasks = [asyncio.create_task(each()) for each in (self._read, self._answer, self._watch)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self.own_text is not None:
                edited.keep(self.own_text)  # before anything that waits: the server may be ending
            self._stop_drawing()
            ended = await end_all(tasks)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, (WebSocketDisconnect, RuntimeError)):
                raise error

    async def _read(self) -> None:
        """Take messages; a new text ends the drawing of the older one."""
        invalid = 0
        while invalid < MOST_INVALID:
            received = await self.socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            try:
                message = read_message(received.get("text") or "")
            except InvalidMessage as error:
                invalid += 1
                await self._send({"kind": "refused", "says": error.report(), "number": 0})
                continue
            if message.ask == "show":
                self._stop_drawing()
                if not message.shared:
                    self.own_text = message.text
            self.waiting[message.ask] = message
            self.arrived.set()

    async def _answer(self) -> None:
        """Answer what waits, one question after the other."""
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            while self.waiting:
                message = self.waiting.pop(next(iter(self.waiting)))
                await (self._save(message) if message.ask == "save" else self._compute(message))

    async def _compute(self, message: Message) -> None:
        path = None if message.shared else self.edited.path
        async with contextlib.aclosing(self.workers.ask(message, path)) as found:
            async for answer in found:
                dot = answer.pop("dot", None)
                if dot is not None:
                    self._stop_drawing()
                    self.drawing = asyncio.create_task(self._draw(dot, answer))
                else:
                    if answer["kind"] == "panel":
                        self.shown = None
                    await self._send(answer)
                if message.ask == "show" and "show" in self.waiting:
                    return  # the rest would be of an older text

    async def _draw(self, dot: str, answer: dict[str, Any]) -> None:
        """Send a drawing; of one that the page shows already, only that it is still right."""
        if self.shown == dot:
            await self._send({**answer, "same": True})
            return
        self.shown = None
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the tab was closed meanwhile
            try:
                svg = await self.layouts.lay_out(dot)
            except UserError as error:
                await self._send({**answer, "problem": error.report()})
                return
            await self._send({**answer, "svg": svg})
            self.shown = dot

    def _stop_drawing(self) -> None:
        if self.drawing is not None:
            self.drawing.cancel()
            self.drawing = None

    async def _save(self, message: Message) -> None:
        try:
            if message.shared:
                raise UserError("this text came by a link; make it yours before you save it")
            self.edited.save(message.text)
        except UserError as error:
            await self._send({"kind": "refused", "says": error.report(), "number": message.number})
            return
        self.file_text = message.text
        await self._send({"kind": "saved", "number": message.number})

    async def _watch(self) -> None:
        """Send the file's text when another editor has saved it."""
        if self.edited.path is None:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(EVERY)
            text = self.edited.read()
            if text != self.file_text:
                self.file_text = text
                await self._send({"kind": "file_changed", "text": text})

    async def _send(self, answer: dict[str, Any]) -> None:
        await self.socket.send_text(json.dumps(answer, separators=(",", ":")))


async def end_all(tasks: list[asyncio.Task[None]]) -> list[BaseException | None]:
    """Cancel tasks until all have ended; return what `asyncio.gather` would.

    Once is not enough: before Python 3.12, `asyncio.wait_for` loses a cancellation that comes with its result.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=AGAIN)
    return await asyncio.gather(*tasks, return_exceptions=True)


def _choices() -> dict[str, list[str]]:
    """Return the words of each control of the page."""
    from archcalc.analysis.conventions import CONVENTIONS
    from archcalc.dtypes import BITS
    from archcalc.language.library import bundled
    from archcalc.memory.optimizers import OPTIMIZERS
    from archcalc.memory.summary import MODES
    from archcalc.quantities.table import COLUMNS, COSTS, HEAT, LECTURE
    from archcalc.runtime.device_profile import profile_names

    return {
        "convention": list(CONVENTIONS),
        "dtype": list(BITS),
        "columns": list(COLUMNS),
        "lecture": list(LECTURE),
        "heat": list(HEAT),
        "metric": list(COSTS),
        "device": list(profile_names()),
        "mode": list(MODES),
        "optimizer": list(OPTIMIZERS),
        "networks": list(bundled()),
    }
