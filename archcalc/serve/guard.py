"""Who may talk to the page: only the browser of this user, opened with the token of this start."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs

ADDRESS = "127.0.0.1"
"""Nothing else is listened on."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # documents align their cells by an attribute
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
"""The content security policy: no script and no style but the server's own files, and no connection elsewhere."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestGuard:
    """The checks of one running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = secrets.token_urlsafe(24)
        self.hosts = frozenset({f"{ADDRESS}:{port}", f"localhost:{port}"})

    @property
    def link(self) -> str:
        """The address of the page, with the token."""
        return f"http://{ADDRESS}:{self.port}/?token={self.token}"

    def knows_host(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """True if a request names this server. Another name's address may have been turned here (DNS rebinding)."""
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self.hosts

    def comes_from_here(self, headers: Mapping[str, str]) -> bool:
        """True if the page that opens a WebSocket is of this server."""
        scheme, _, host = headers.get("origin", "").partition("://")
        return scheme == "http" and host in self.hosts and host == headers.get("host")

    def has_token(self, query: str) -> bool:
        """True if an address has the token of this start."""
        given = parse_qs(query).get("token", [])
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self.token.encode())
