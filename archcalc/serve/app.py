"""The server of the page: its files, and a WebSocket for each open tab."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from archcalc.requirements import MissingExtra
from archcalc.serve.editing import Edited
from archcalc.serve.guard import HEADERS, RequestGuard
from archcalc.serve.layouts import Layouts
from archcalc.serve.session import Session
from archcalc.serve.workers import Workers

OWN = {
    "page.js": "text/javascript",
    "editor.js": "text/javascript",
    "show.js": "text/javascript",
    "exercises.js": "text/javascript",
    "controls.js": "text/javascript",
    "header.js": "text/javascript",
    "page.css": "text/css",
}
"""The page's own files and their types."""
EDITOR = {
    "ace.js": "text/javascript",
    "ext-language_tools.js": "text/javascript",
    "mode-yaml.js": "text/javascript",
    "css/ace.css": "text/css",
}
"""The files of the editor (ACE), which the package django-ace brings."""
IMAGE = re.compile(r"css/main-[0-9]+\.(png|svg)")
"""The images of its style."""
MOST_TABS = 32
"""Tabs that may be open at once."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def make_app(guard: RequestGuard, edited: Edited, workers: int) -> Any:
    """Return the server's ASGI application.

    Args:
        guard: the checks of every request.
        edited: the text that the page opens with, and the file that it is saved to.
        workers: the number of processes that compute.
    """
    server = _Server(guard, edited, Workers(workers), editor_folder())
    routes = [
        Route("/", server.page),
        Route("/own/{name}", server.own),
        Route("/ace/{name:path}", server.ace),
        WebSocketRoute("/live", server.live),
    ]
    return _Guarded(Starlette(routes=routes, lifespan=server.lifespan), guard)


class _Server:
    """The answer to each kind of request, and the tabs that are open."""

    def __init__(self, guard: RequestGuard, edited: Edited, workers: Workers, editor: Path) -> None:
        self.guard = guard
        self.edited = edited
        self.workers = workers
        self.editor = editor
        """The folder with the files of the editor."""
        self.layouts = Layouts()
        self.tabs: set[Session] = set()

    async def page(self, request: Request) -> Response:
        if not self.guard.has_token(request.url.query):
            return PlainTextResponse("open the link that archcalc serve has printed; it has a token", 403)
        return Response(_own("page.html"), media_type="text/html")

    async def own(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in OWN:
            return PlainTextResponse("there is no such file", 404)
        return Response(_own(name), media_type=OWN[name])

    async def ace(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in EDITOR and not IMAGE.fullmatch(name):
            return PlainTextResponse("there is no such file", 404)
        return FileResponse(self.editor / name, media_type=EDITOR.get(name))

    async def live(self, socket: WebSocket) -> None:
        allowed = self.guard.comes_from_here(socket.headers) and self.guard.has_token(socket.url.query)
        if not allowed or len(self.tabs) >= MOST_TABS:
            await socket.close(1008)
            return
        await socket.accept()
        session = Session(socket, self.workers, self.layouts, self.edited)
        self.tabs.add(session)
        try:
            await session.run()
        except asyncio.CancelledError:
            return  # the server is ending
        finally:
            self.tabs.discard(session)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self.workers.start()
        try:
            yield
        finally:
            await self.workers.close()


class _Guarded:
    """An application that refuses requests for other hosts, and sends the headers of `guard` with every answer."""

    def __init__(self, app: Starlette, guard: RequestGuard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if self.guard.knows_host(scope["headers"]):
            await self.app(scope, receive, sent)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse("this server has another name", 400)(scope, receive, sent)


def editor_folder() -> Path:
    """Return the folder with the files of the editor.

    Raises `MissingExtra` if the package is not installed, or has other files than those that the page needs.
    """
    try:
        found = [file for file in metadata.files("django-ace") or () if file.name == "ace.js"]
    except metadata.PackageNotFoundError as error:
        raise MissingExtra("django-ace", "serve") from error
    folder = Path(str(found[0].locate())).resolve().parent if found else Path()
    if not found or not all((folder / name).is_file() for name in EDITOR):
        raise MissingExtra("django-ace", "serve", "whose files are not those that are known")
    return folder


@cache
def _own(name: str) -> str:
    from archcalc.render.drawing.colors import DARK_RULES

    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return text.replace("/* drawing in the dark */", DARK_RULES)
