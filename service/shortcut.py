"""The shorter way for what nearly every request asks: `POST /predict` without parameters.

FastAPI's routing, dependencies and response classes cost about as much as decoding the clip
(docs/performance.md). Requests with parameters, and all other addresses, go through them.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service import predict
from service.dependencies import serving_now
from service.problems import KINDS
from service.refuse import refuse
from undertone.errors import UndertoneError

_ROUTE: Final = predict.router.routes[0]
_PATH: Final = "/predict"


class Shortcut:
    """Gives the answer that the route gives, which goes on to describe it in OpenAPI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if (
            scope["type"] != "http"
            or scope["path"] != _PATH
            or scope["method"] != "POST"
            or scope["query_string"]
        ):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        request = Request(scope, receive)
        try:
            body = (await predict.answer(request, await serving_now(request))).encode()
        except UndertoneError as error:
            if error.code not in KINDS:
                raise
            await refuse(error, scope, receive, send)
            return
        headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
