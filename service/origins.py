"""Pages whose scripts may open a stream: the service's own, and those of the origins that may ask.

A browser lets the script of any page open a WebSocket to anywhere, and read what comes of it. What
keeps other pages from doing so with a request, CORS, it does not ask about here; it only says in
``Origin`` whose script it is. Whoever sends none is no browser.
"""

import re
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import OriginNotAllowed
from service.refuse import refuse

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ODD: Final = frozenset({"*", "null"})
"""Any origin, and what browsers send for a file."""


class Origins:
    """Turns WebSockets away that a page opens which is neither the service's own nor allowed."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a 403."""
        if scope["type"] != "websocket" or self._lets_in(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        error = OriginNotAllowed(
            "Scripts of this page's origin may not open streams here. "
            "The operator can allow it, with UNDERTONE_CORS_ORIGINS.",
            received={"origin": Headers(scope=scope)["origin"][:200]},
        )
        await refuse(error, scope, receive, send)

    def _lets_in(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin in self._allowed or "*" in self._allowed:
            return True
        own = headers.get("host", "").lower()
        return bool(own) and origin in (f"http://{own}", f"https://{own}")


def require_origin(text: str) -> str:
    """``text``, if a browser can send it as an origin.

    Raises:
        ValueError: no page has it.
    """
    match = _ORIGIN.fullmatch(text)
    if text in _ODD or (match and match["port"] != _DEFAULT_PORTS.get(match["scheme"], "")):
        return text
    raise ValueError(
        f"{text!r} is no origin as browsers send it: https://example.com or http://localhost:9000, in "
        "small letters, without a path or the usual port; several are apart by commas"
    )
