"""The connections of streams: uvicorn's own, but firm with clients that do not end theirs."""

import logging
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_FRAME: Final = 1024 * 1024
"""Bytes of one frame; a larger one is answered with the close code 1009. 10 s at 48 kHz."""

MAX_FRAGMENTS: Final = 1024
"""Of one message; empty ones cost a client nothing, and would be kept without end."""

LINGER_S: Final = 5.0
"""How long a client may take to read what is left, and to close its side."""


class FirmWebSocket(WebSocketsSansIOProtocol):
    """Ends a connection when its conversation is over, and keeps its buffers small.

    uvicorn waits until the last byte is taken: for ever, where nobody takes it. And it logs who
    connects and what they asked for; who wants to know, has the line of `service.observe`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = logging.getLogger("undertone.wire")
        self.close_timeout = LINGER_S
        self._deaf = False

    def data_received(self, data: bytes) -> None:
        """Hear what came; a handshake that cannot be read is answered, and the connection ends.

        Nothing comes of one: no request that somebody would answer, limit or time. uvicorn alone would hold
        it for ever, and fail on it at the end of the process.
        """
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            self.loop.call_later(LINGER_S, self.transport.abort)

    def handle_cont(self, event: Frame) -> None:
        """Take another fragment of a message, if there are not too many."""
        super().handle_cont(event)
        if len(self.frames) > MAX_FRAGMENTS:
            self.frames = []
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()

    def pause_writing(self) -> None:
        """Take nothing either from a client that takes nothing: each ping would be answered."""
        super().pause_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = self._deaf = True
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Listen again."""
        super().resume_writing()
        if self._deaf:
            self.read_paused = self._deaf = False
            self.transport.resume_reading()

    async def run_asgi(self) -> None:
        """Converse, then see to it that the connection ends."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(LINGER_S, self.transport.abort)
