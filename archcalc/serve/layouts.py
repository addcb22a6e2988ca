"""Drawings laid out by Graphviz: each in a process that is ended if nobody waits for it any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict

from archcalc.errors import UserError
from archcalc.render.drawing.engine import quick_program
from archcalc.render.drawing.finishing import finish

SECONDS = 20.0
"""The most that a drawing may take."""
MOST_BYTES = 32 << 20
"""Bytes of drawings that are kept."""


class Layouts:
    """Lays out drawings, and keeps the last: going back to a text, or another tab with it, needs none again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0

    async def lay_out(self, dot: str) -> str:
        """Return the drawing as an SVG element.

        Raises `UserError` if it takes too long, or Graphviz fails.
        """
        if dot in self._kept:
            self._kept.move_to_end(dot)
            return self._kept[dot]
        svg = await _run(dot)
        self._kept[dot] = svg
        self._bytes += len(dot) + len(svg)
        while self._bytes > MOST_BYTES:
            old, drawing = self._kept.popitem(last=False)
            self._bytes -= len(old) + len(drawing)
        return svg


async def _run(dot: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        quick_program(), "-Tsvg", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        written, _ = await asyncio.wait_for(process.communicate(dot.encode()), SECONDS)
    except asyncio.TimeoutError:
        raise UserError("the drawing takes too long; choose a smaller depth") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    if process.returncode != 0:
        raise UserError("the drawing could not be laid out")
    text = finish(written.decode(errors="replace"))
    return text[text.index("<svg") :]
