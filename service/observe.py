"""Around every request: its id, its line in the log, its place in the metrics, its safe headers."""

import logging
import random
import re
import time
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics
from service.problems import internal_error, internal_error_message

REQUEST_ID: Final = "x-request-id"

SUBPROTOCOL: Final = "undertone"
"""What a WebSocket may offer, and is then told was chosen: a browser that offers a key beside it
gives the connection up unless one of the two is."""

_log = logging.getLogger("undertone.access")
_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SAFE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(self)"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Of every answer that does not say otherwise itself."""


class Observe:
    """The outermost layer: what goes wrong inside becomes a 500 that says no more than its id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write down what became of it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        theirs = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = theirs if _OWN_ID.fullmatch(theirs) else new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = 101
                if SUBPROTOCOL in scope["subprotocols"] and not message.get("subprotocol"):
                    message["subprotocol"] = SUBPROTOCOL
            elif message["type"] == "websocket.close":
                status = message.get("code", 1000) if status else 403
            elif message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                given = {name for name, _ in headers}
                message["headers"] = [
                    *headers,
                    *(each for each in SAFE_HEADERS if each[0] not in given),
                    (REQUEST_ID.encode(), request_id.encode()),
                ]
            await send(message)

        started = time.perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, observed_send)
            except Exception:
                _log.exception("failed", extra={"fields": {"request_id": request_id}})
                if scope["type"] == "websocket":
                    await _fail_stream(request_id, observed_send, accepted=status == 101)
                elif status:
                    raise
                else:
                    await internal_error(request_id)(scope, receive, observed_send)
        seconds = time.perf_counter() - started
        route = _route(scope)
        self._metrics.requests.labels(route, status).inc()
        self._metrics.duration.labels(route).observe(seconds)
        fields = {
            "request_id": request_id,
            "method": scope.get("method", "WEBSOCKET"),
            "route": route,
            "status": status,
            "duration_ms": round(1e3 * seconds, 1),
        }
        if client := scope["state"].get("client"):
            fields["client"] = client
        _log.info("answered", extra={"fields": fields})


async def _fail_stream(request_id: str, send: Send, *, accepted: bool) -> None:
    """End a stream at which the service failed, where it has not ended itself before."""
    with suppress(OSError, RuntimeError):  # the client, or the stream, was already gone
        if accepted:
            await send({"type": "websocket.send", "text": internal_error_message(request_id)})
        await send({"type": "websocket.close", "code": 1011})


def new_id() -> str:
    """128 bits that nobody has to be unable to guess: asking the system for those takes 0.1 ms."""
    return f"{random.getrandbits(128):032x}"


def _route(scope: Scope) -> str:
    """The template of the route, never the address itself: that may say anything, without end."""
    return getattr(scope.get("route"), "path", "other")
