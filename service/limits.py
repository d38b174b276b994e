"""What is turned away before it costs anything, and how long the rest may take."""

import asyncio
import math
from contextlib import suppress
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.disconnect import unless_gone
from service.drain import Drain
from service.errors import DeadlineExceeded, NotReady, Overloaded, ServiceError, UploadStalled
from service.refuse import closing, end_stream, refuse
from service.settings import Settings
from undertone.errors import AudioTooLarge, UndertoneError

FORM_BYTES: Final = 16 * 1024
"""What a multipart form may take beyond the file that it carries."""

PAUSE_S: Final = 0.1
"""How long whoever finds no room waits to be told. Many clients ask again at once: told at once, they would
keep the event loop busy with nothing but telling them."""

SLOWEST: Final = 16 * 1024
"""Bytes a second below which an upload falls behind; a telephone far from its mast does more."""


class Gate:
    """Lets in as many uploads and streams as there is room for; the rest is told to come again.

    Uploads are received side by side, as many as come, for as long as they keep up and all that was
    received of them fits into the room for ``max_requests`` of the largest. One that is complete
    goes into work, or waits for its turn. So nobody keeps others waiting by sending slowly.
    Requests that upload nothing are never refused.
    """

    def __init__(self, app: ASGIApp, settings: Settings, drain: Drain) -> None:
        self._app = app
        self._settings = settings
        self._drain = drain
        self._max_bytes = settings.max_upload_bytes + FORM_BYTES
        self._room = settings.max_requests * self._max_bytes
        self._work = anyio.Semaphore(settings.max_requests, fast_acquire=True)
        self._streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a 413 or a 503; cut it off with a 408 or a 504."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, self._closing_at_the_end(send))
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        n_bytes = int(announced) if announced.isdecimal() else None
        if refusal := self._refusal(n_bytes):
            if isinstance(refusal, Overloaded):
                await asyncio.sleep(PAUSE_S)
            # The connection can go on where the rest of the body is sure to come and to end soon.
            unsure = n_bytes is None or n_bytes > self._max_bytes or "expect" in headers
            await refuse(refusal, scope, receive, send, close=unsure)
            return
        with self._drain.working():
            await self._upload(scope, receive, send)

    def _refusal(self, n_bytes: int | None) -> UndertoneError | None:
        """Why an upload is not even begun."""
        if n_bytes is not None and n_bytes > self._max_bytes:
            return self._too_large(n_bytes)
        if self._drain.begun:
            return _going_down()
        if self._is_full():
            return self._overloaded()
        return None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings, received, answered = self._settings, 0, False
        complete, at_work = False, False
        now = asyncio.get_running_loop().time

        async def timed_receive() -> Message:
            nonlocal received, complete, at_work
            if complete:
                return await receive()  # which waits for the client to go away
            if whole.deadline == math.inf:  # a model may have had to be loaded first
                whole.deadline = now() + settings.upload_timeout_s
            message = await receive()
            n_bytes = len(message.get("body", b""))
            received += n_bytes
            self._room -= n_bytes
            if received > self._max_bytes:
                raise self._too_large(received)
            if self._room < 0:
                raise self._overloaded()
            if message["type"] == "http.request" and not message.get("more_body"):
                complete, whole.deadline = True, now() + settings.deadline_s
                await self._go_to_work(receive)
                at_work = True
            else:
                patience = whole.deadline + n_bytes / SLOWEST
                whole.deadline = min(patience, now() + settings.upload_timeout_s)
            return message

        async def noting_send(message: Message) -> None:
            nonlocal answered
            answered = True
            overrun = received > self._max_bytes or self._room < 0
            await (closing(send) if overrun else send)(message)

        try:
            with anyio.CancelScope() as whole:
                await self._app(scope, timed_receive, noting_send)
        finally:
            self._room += received
            if at_work:
                self._work.release()
        if whole.cancelled_caught and not answered:
            error = self._too_late() if complete else self._stalled()
            await refuse(error, scope, receive, send, close=not complete)

    async def _go_to_work(self, receive: Receive) -> None:
        """Take a place among those in work, or wait for one for as long as the client does."""
        if self._is_full():
            raise self._overloaded()
        if self._work.value:
            self._work.acquire_nowait()
        else:
            await unless_gone(receive, self._work.acquire)

    def _is_full(self) -> bool:
        waiting = self._work.statistics().tasks_waiting
        return self._work.value == 0 and waiting >= self._settings.max_waiting

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: ServiceError | None = None
        if self._drain.begun:
            refusal = _going_down()
        elif self._streams >= self._settings.max_streams:
            refusal = Overloaded(
                f"{self._streams} streams are open. Try again in a moment.",
                allowed={"streams": self._settings.max_streams},
            )
        if refusal:
            await refuse(refusal, scope, receive, send)
            return
        is_open = False

        async def noting_send(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] != "websocket.close"
            await send(message)

        async def end_with_the_process() -> None:
            await self._drain.wait()
            if is_open:
                with suppress(OSError):  # the client may have left
                    await end_stream(_going_down(), scope["state"]["request_id"], noting_send)
            stream.cancel()

        self._streams += 1
        try:
            with anyio.CancelScope() as stream:
                end = asyncio.create_task(end_with_the_process())
                try:
                    await self._app(scope, receive, noting_send)
                finally:
                    end.cancel()
        finally:
            self._streams -= 1

    def _closing_at_the_end(self, send: Send) -> Send:
        """``send``, which closes the connection once the process is ending."""

        async def send_now(message: Message) -> None:
            await (closing(send) if self._drain.begun else send)(message)

        return send_now

    def _overloaded(self) -> Overloaded:
        settings = self._settings
        return Overloaded(
            f"{settings.max_requests} requests are in work and {settings.max_waiting} wait, "
            "or what is being uploaded fills the memory. Try again in a moment.",
            allowed={"in_work": settings.max_requests, "waiting": settings.max_waiting},
        )

    def _stalled(self) -> UploadStalled:
        return UploadStalled(
            f"The upload stood still, or fell behind {SLOWEST // 1024} KiB/s, "
            f"for {self._settings.upload_timeout_s:g} s."
        )

    def _too_late(self) -> DeadlineExceeded:
        deadline_s = self._settings.deadline_s
        return DeadlineExceeded(
            f"There was no answer within {deadline_s:g} s. "
            "Try again when there is less to do, or send a shorter recording.",
            allowed={"deadline_s": deadline_s},
        )

    def _too_large(self, n_bytes: int) -> AudioTooLarge:
        max_bytes = self._settings.max_upload_bytes
        return AudioTooLarge(
            f"The upload is larger than {max_bytes} bytes. "
            "Send a shorter excerpt, or fewer bits or channels.",
            received={"bytes": n_bytes},
            allowed={"max_bytes": max_bytes},
        )


def _going_down() -> NotReady:
    return NotReady("The service is stopping. Another, or the next, will answer in a moment.")
