"""What is turned away before it costs anything: bodies that are too large, requests too many."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Overloaded
from service.problems import problem
from undertone.errors import AudioTooLarge, UndertoneError

FORM_BYTES: Final = 16 * 1024
"""What a multipart form may take beyond the file that it carries."""


class Gate:
    """Lets in ``max_requests`` uploads at a time, of each at most ``max_bytes`` and a form's worth.

    A body that announces its length is refused unread; one that does not is cut off at the limit.
    The connection is closed with the answer, since a client would otherwise go on sending.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_requests: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a 413 or a 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        refusal: UndertoneError | None = None
        if announced.isdecimal() and int(announced) > self._max_bytes + FORM_BYTES:
            refusal = self._too_large(int(announced))
        elif scope["method"] == "POST" and self._uploads >= self._max_requests:
            refusal = Overloaded(
                f"{self._max_requests} requests are under way. Try again in a moment.",
                allowed={"requests": self._max_requests},
            )
        if refusal:
            response = problem(refusal, scope["state"]["request_id"])
            await response(scope, receive, _closing(send))
        elif scope["method"] == "POST":
            self._uploads += 1
            try:
                await self._metered(scope, receive, send)
            finally:
                self._uploads -= 1
        else:
            await self._metered(scope, receive, send)

    async def _metered(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def metered_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes + FORM_BYTES:
                raise self._too_large(received)
            return message

        async def closing_send(message: Message) -> None:
            overrun = received > self._max_bytes + FORM_BYTES
            await (_closing(send) if overrun else send)(message)

        await self._app(scope, metered_receive, closing_send)

    def _too_large(self, n_bytes: int) -> AudioTooLarge:
        return AudioTooLarge(
            f"The upload is larger than {self._max_bytes} bytes. "
            "Send a shorter excerpt, or fewer bits or channels.",
            received={"bytes": n_bytes},
            allowed={"max_bytes": self._max_bytes},
        )


def _closing(send: Send) -> Send:
    """``send``, which also says that the connection ends here."""

    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
        await send(message)

    return closing
