"""The connection itself: one that does not say what it wants is closed, before there is a request."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_S: Final = 10.0
"""How long a client may take from connecting, or from the last answer, to the end of a header."""


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, which alone would wait for a header forever.

    What comes after the header is timed by `service.limits`.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self._wait()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._stop()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next header; what is still sent of the last body does not count."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(HEADER_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
