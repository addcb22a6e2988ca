"""Starting and ending the server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from archcalc.errors import UserError
from archcalc.requirements import need
from archcalc.serve.editing import Edited
from archcalc.serve.guard import ADDRESS, RequestGuard
from archcalc.words import help_line

LARGEST_MESSAGE = 4 << 20
"""Bytes of a message from a browser."""


def serve(edited: Edited, port: int, opened: Callable[[str], None]) -> None:
    """Serve the page until an interrupt.

    Args:
        edited: the text that is edited.
        port: the port to listen on; 0 for any that is free.
        opened: called with the page's address as soon as connections are taken.

    Raises:
        UserError: if the port is taken, or a package of the extra is missing.
    """
    uvicorn = need("uvicorn", "serve")
    need("starlette", "serve")
    need("websockets", "serve")
    from archcalc.serve.app import make_app

    listening = _listen(port)
    guard = RequestGuard(listening.getsockname()[1])
    app = make_app(guard, edited, max(1, min(4, os.cpu_count() or 1)))
    config = uvicorn.Config(
        app,
        ws_max_size=LARGEST_MESSAGE,
        ws_max_queue=4,
        ws_per_message_deflate=False,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    opened(guard.link)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, port))
        listening.listen(64)
    except OSError as error:
        listening.close()
        reason = f"cannot listen on port {port}: {error.strerror}"
        raise UserError(reason + help_line("leave out --port for one that is free")) from error
    return listening
