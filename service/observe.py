"""Around every request: its id, its line in the log, its place in the metrics, its safe headers."""

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics
from service.problems import internal_error

REQUEST_ID: Final = "x-request-id"

_log = logging.getLogger("undertone.access")
_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Observe:
    """The outermost layer: what goes wrong inside becomes a 500 that says no more than its id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write down what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        theirs = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = theirs if _OWN_ID.fullmatch(theirs) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        started = time.perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, observed_send)
            except Exception:
                _log.exception("failed", extra={"fields": {"request_id": request_id}})
                if status:
                    raise
                await internal_error(request_id)(scope, receive, observed_send)
        seconds = time.perf_counter() - started
        route = _route(scope)
        self._metrics.requests.labels(route, status).inc()
        self._metrics.duration.labels(route).observe(seconds)
        _log.info(
            "answered",
            extra={
                "fields": {
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "duration_ms": round(1e3 * seconds, 1),
                }
            },
        )


def _route(scope: Scope) -> str:
    """The template of the route, never the address itself: that may say anything, without end."""
    return getattr(scope.get("route"), "path", "other")
