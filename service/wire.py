"""The connections of streams: uvicorn's own, but firm with clients that do not end theirs."""

import logging
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_FRAME: Final = 1024 * 1024
"""Bytes of one frame; a larger one is answered with the close code 1009. 10 s at 48 kHz."""

LINGER_S: Final = 5.0
"""How long a client may take to read what is left, and to close its side."""


class FirmWebSocket(WebSocketsSansIOProtocol):
    """Ends a connection when its conversation is over.

    uvicorn waits until the last byte is taken: for ever, where nobody takes it. And it logs who
    connects and what they asked for; who wants to know, has the line of `service.observe`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = logging.getLogger("undertone.wire")
        self.close_timeout = LINGER_S

    async def run_asgi(self) -> None:
        """Converse, then see to it that the connection ends."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(LINGER_S, self.transport.abort)
