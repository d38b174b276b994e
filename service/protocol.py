"""The connection itself: one that does not say what it wants is closed, before there is a request."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_S: Final = 10.0
"""How long a client may take from connecting, or from the last answer, to the end of a header."""

LAST_S: Final = 0.5
"""How long an idle connection is listened to at the end of the process."""


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, which alone would wait for a header forever.

    What comes after the header is timed by `service.limits`.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(cast("asyncio.Transport", _OnePacket(transport, self.loop)))
        self._wait(HEADER_S)

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of a body; uvicorn copies a lone one twice, unless it finds it in its place."""
        if not (self.cycle.body or self.cycle.response_complete):
            self.cycle.body = body  # type: ignore[assignment]  # it is handed on as bytes
            body = b""
        elif body and isinstance(self.cycle.body, bytes):
            self.cycle.body = bytearray(self.cycle.body)  # to which more is added at no great price
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begin to wait for the next header; what is still sent of the last body does not count."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait(HEADER_S)

    def shutdown(self) -> None:
        """End with the answer under way, or after a moment in which a request may still come.

        It may be on its way already; uvicorn alone would close the connection in its face.
        """
        if self.cycle is None or self.cycle.response_complete:
            self._wait(LAST_S)
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _OnePacket:
    """A transport that sends the head of an answer with the first of its body.

    uvicorn writes one after the other. A packet more costs the service a system call and its client
    another round, together as much as writing the answer down.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send ``data``; the head of an answer waits for what follows, for no longer than a turn."""
        if not self._head and data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._send)
            return
        self._head += data
        self._send()

    def close(self) -> None:
        """Close the connection, once all was sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        data, self._head = self._head, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
