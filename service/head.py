"""HEAD wherever GET is taken: monitors and caches ask so, and FastAPI's routes know only what they name."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_STATIC: Final = "/static/"
"""Files, which know HEAD themselves."""


class HeadAsGet:
    """Passes HEAD on as GET; of the answer the server sends the head alone, as for any HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope["path"].startswith(_STATIC):
            await self._app(scope, receive, send)
            return
        # A copy: by the method in its own, the server knows that there is to be no body.
        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send)
        finally:
            if "route" in as_get:
                scope["route"] = as_get["route"]
