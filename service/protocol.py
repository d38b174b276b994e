"""The connection itself: one that does not say what it wants is closed, before there is a request."""

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service import unheard
from service.errors import HeaderTooLarge, MalformedRequest
from service.pieces import Pieces
from undertone.errors import UndertoneError

HEADER_BYTES: Final = 64 * 1024
"""How large address and header may be together, and whatever else is no body; h11 takes as much."""

MAX_PIPELINED: Final = 16
"""Requests of one connection that may wait for the answer to the one before them."""

HEADER_S: Final = 10.0
"""How long a client may take from connecting, or from the last answer, to the end of a header."""

TAKE_S: Final = 20.0
"""How long a client may take nothing of what was sent, where buffers are full or the connection ends."""

LAST_S: Final = 0.5
"""How long an idle connection is listened to at the end of the process."""

REST_S: Final = 30.0
"""How long a client may go on sending a body that was answered before its end; nginx waits as long."""

REST_PAUSE_S: Final = 5.0
"""How long it may send nothing of it meanwhile."""

REST_BYTES: Final = 256 * 1024 * 1024
"""How much of it is taken and thrown away; ten minutes of 24 bits in stereo at 48 kHz are 165 MiB."""


_OFFER: Final = re.compile(
    rb"\r\nupgrade:(?![ \t]*websocket[ \t]*\r\n)[^\r\n]*(?=\r\n)", re.IGNORECASE
)
_OFFER_WITHIN: Final = 4096


class PunctualProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, which alone would wait for a header forever, and take one of any size.

    What comes after the header is timed and counted by `service.limits`.

    Most clients send all of a body before they look for an answer. Closed in their face, a connection
    is reset, and some of them lose the answer with it, or take the service for dead. So the rest of
    a body that was refused is listened to, within bounds, and thrown away (RFC 9112, section 9.6).
    """

    _timer: asyncio.TimerHandle | None = None
    _is_between_requests = True
    _unheard = 0  # bytes since a header, or a piece of a body, was last complete
    _answering: RequestResponseCycle | None = None  # `cycle` is the newest, which may have to wait
    _waiting = 0  # bytes of those that do
    _is_turned_away = False
    _rest = 0
    _rest_ends: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        self._sending = _Sending(transport, self.loop, self._listens_on)
        super().connection_made(cast("asyncio.Transport", self._sending))
        self._wait(HEADER_S)

    def data_received(self, data: bytes) -> None:
        """Hear what came, or throw it away where all was said."""
        if self._rest_ends is not None:
            self._throw_away(len(data))
            if not self._is_kept or self.transport.is_closing():
                return
        self._unheard += len(data)
        super().data_received(_as_http_1(data) if self._is_between_requests else data)
        if self._unheard > HEADER_BYTES and not self._is_turned_away:
            self._turn_away(_too_large())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_between_requests = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more.

        Raises:
            HeaderTooLarge, MalformedRequest: it is, or it is one too many; the parser ends with it.
        """
        size = sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
        if len(self.url) + size > HEADER_BYTES:
            raise _too_large()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise MalformedRequest("More requests were sent at once than are kept waiting.")
        self._unheard = 0
        self._stop()
        super().on_headers_complete()
        # uvicorn listens no more where a request has to wait, and would not hear that the client goes.
        self._waiting = self._waiting + size if self.pipeline else 0
        if 0 < self._waiting < HEADER_BYTES and len(self.pipeline) < MAX_PIPELINED:
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # it never says why
        """Say why the parser ended."""
        fault = sys.exception()
        reason = fault.__context__ if fault else None
        self._turn_away(reason if isinstance(reason, UndertoneError) else self._no_http())

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of a body, with the next where that is there already.

        uvicorn reads no more once it has 64 KiB, and goes on a turn of the loop later. A clip would wait
        for several turns, in each of which another may be heard that came later. uvloop goes on at once
        for as long as it finds its buffer filled; asyncio's own loop never does. uvicorn also copies what
        it has twice, unless it finds that in its place.
        """
        self._unheard = 0
        self._waiting += len(body) if self.pipeline else 0
        if not (self.cycle.body or self.cycle.response_complete):
            self.cycle.body = Pieces()  # type: ignore[assignment]  # it is handed on as bytes
        super().on_body(body)
        pieces: object = self.cycle.body
        if isinstance(pieces, Pieces) and not self.pipeline and pieces.leave_room():
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        """Begin to wait for the next header; what is still sent of the last body does not count."""
        super().on_response_complete()
        if not self.cycle.response_complete or self.transport.is_closing():
            return
        self.cycle.body = bytearray()  # what nobody asked for does not stay until the next request
        if self.cycle.more_body:
            self._begin_rest()
        else:
            self._wait(HEADER_S)

    def on_message_complete(self) -> None:
        """Begin to wait for the next header, where the answer was there before the end of the body."""
        self._is_between_requests = True
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self.cycle.more_body = False
            self._rest_ends = None
            self._wait(HEADER_S)

    def shutdown(self) -> None:
        """End with the answer under way, or after a moment in which a request may still come.

        It may be on its way already; uvicorn alone would close the connection in its face.
        """
        if self._rest_ends is not None:
            self._rest_ends = min(self._rest_ends, self.loop.time() + LAST_S)
        if self.cycle is None or self.cycle.response_complete:
            self._wait(LAST_S)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent, for as long as it takes anything."""
        super().pause_writing()
        self._sending.watch()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._sending.unwatch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        self._sending.unwatch()
        if self.cycle is not None:
            # Who asks for it from now on is told that the client is gone.
            self.cycle.body = bytearray()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        if not self.pipeline:
            self._waiting = 0
        super()._start_asgi_task(cycle, app)

    @property
    def _is_kept(self) -> bool:
        """Whether requests may follow the rest of a body."""
        return not self._is_turned_away and self.cycle is not None and self.cycle.keep_alive

    def _listens_on(self) -> bool:
        """Whether a connection that is to be closed is listened to first, for the rest of a body."""
        is_over = self._rest_ends is not None or self._sending.is_closing()
        has_rest = self._is_turned_away or (
            self.cycle is not None and self.cycle.response_complete and self.cycle.more_body
        )
        if is_over or not has_rest:
            return False
        self._begin_rest()
        self.flow.resume_reading()
        return True

    def _begin_rest(self) -> None:
        self._rest_ends, self._rest = self.loop.time() + REST_S, REST_BYTES
        self._throw_away(0)

    def _no_http(self) -> MalformedRequest:
        if self.cycle is not None and not self.cycle.response_complete:
            return MalformedRequest("The body is not as long, or not in such pieces, as it says.")
        return MalformedRequest(
            "What came is no request in HTTP/1.1. Is the address one with https:// that should have "
            "http://?"
        )

    def _turn_away(self, error: UndertoneError) -> None:
        """Answer what is no request, or none any more; where another answer is under way, say nothing."""
        self._is_turned_away = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or self.pipeline:
                self._sending.end()
                return
            cycle.disconnected = True  # what it would still answer is not sent
            cycle.message_event.set()
        self.transport.write(unheard.answer(error, self.server_state.default_headers))
        self.transport.close()

    def _throw_away(self, n_bytes: int) -> None:
        assert self._rest_ends is not None
        self._rest -= n_bytes
        left_s = self._rest_ends - self.loop.time()
        if self._rest < 0 or left_s < 0:
            self._sending.end()
        else:
            self._wait(min(REST_PAUSE_S, left_s))

    def _wait(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._sending.end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _as_http_1(data: bytes) -> bytes:
    """The beginning of a request without its offer to go on in another protocol, which nobody has to take.

    curl with --http2 and Java's HttpClient offer HTTP/2 so; the parser would take the body for something
    else. WebSockets are the only such protocol here.
    """
    end = data.find(b"\r\n\r\n", 0, _OFFER_WITHIN)
    offer = _OFFER.search(data, 0, end + 2 if end >= 0 else _OFFER_WITHIN)
    return data[: offer.start()] + data[offer.end() :] if offer else data


def _too_large() -> HeaderTooLarge:
    return HeaderTooLarge(
        f"The address and the header are larger than {HEADER_BYTES} bytes. Send sound in the body.",
        allowed={"max_header_bytes": HEADER_BYTES},
    )


class _Sending:
    """A transport that sends the head of an answer with the first of its body, to who takes it.

    uvicorn writes one after the other. A packet more costs the service a system call and its client
    another round, together as much as writing the answer down. And uvicorn waits until the last byte
    is taken: for ever, where nobody takes it.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        listens_on: Callable[[], bool],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._listens_on = listens_on
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Send ``data``; the head of an answer waits for what follows, for no longer than a turn."""
        if not self._head and data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._send)
            return
        self._head += data
        self._send()

    def close(self) -> None:
        """Say nothing more, and close the connection, unless it is listened to for a while yet."""
        self._send()
        if not self._listens_on():
            self.end()
        elif self._transport.can_write_eof():
            self._transport.write_eof()

    def end(self) -> None:
        """Close the connection, once all was taken that was sent."""
        self._send()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self.watch()

    def watch(self) -> None:
        """End the connection where `TAKE_S` pass in which nothing is taken."""
        self.unwatch()
        left = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(TAKE_S, self._watch_on, left)

    def unwatch(self) -> None:
        """Leave it as it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch_on(self, before: int) -> None:
        if self._transport.get_write_buffer_size() < before:
            self.watch()
        else:
            self._transport.abort()

    def _send(self) -> None:
        data, self._head = self._head, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
