"""Sound to a service and segments back, over one WebSocket; `stream` waits, `stream_async` is awaited."""

import asyncio
import json
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

import httpx
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Data

from undertone.client.chunks import Chunk, Wording, drawn
from undertone.client.errors import Unreachable, error_of, understanding
from undertone.client.results import (
    LiveSegment,
    Prediction,
    Ready,
    live_segment_of,
    prediction_of,
    ready_of,
)
from undertone.client.silence import CLOSE_S, close_async, received, received_async

Event: TypeAlias = Ready | LiveSegment | Prediction

_END: Final = json.dumps({"type": "end"})
_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one message: the summary of a long stream holds all its segments."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where streams are opened, and with what."""

    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)  # one of them may carry a key
    timeout_s: float

    def arguments(self, sr: int, model: str | None) -> dict[str, Any]:
        """As websockets' ``connect`` takes them."""
        params: dict[str, str | int] = {"sr": sr} if model is None else {"sr": sr, "model": model}
        url = self.url.copy_with(
            scheme="wss" if self.url.scheme == "https" else "ws",
            path=self.url.path.rstrip("/") + "/stream",
            query=str(httpx.QueryParams(params)).encode(),
        )
        return {
            "uri": str(url),
            "additional_headers": self.headers,
            "open_timeout": self.timeout_s,
            "max_size": _MAX_BYTES,
            "compression": None,  # sound does not get smaller by it
            "close_timeout": CLOSE_S,
            "ping_interval": None,  # `received` asks, and knows that an answer stands behind all the sound
        }


def stream(
    door: Door,
    chunks: Iterable[Chunk],
    sr: int,
    model: str | None,
    pause: Callable[[int, str | None, int], bool],
) -> Generator[Event, None, None]:
    """What `Client.stream` yields; ``pause`` waits, and says whether to try once more."""
    with _opened(door, sr, model, pause) as (socket, ready):
        sending = _Sending(socket, Wording(ready), chunks)
        thread = threading.Thread(target=sending.run, name="undertone-stream", daemon=True)
        thread.start()
        yield ready
        with _told(door):
            for text in received(socket, door.timeout_s):
                event = _event(door, text)
                yield event
                if isinstance(event, Prediction):
                    return
        if sending.failure:
            raise sending.failure
        raise _unfinished(door, socket.close_code)


async def stream_async(
    door: Door,
    chunks: Iterable[Chunk] | AsyncIterable[Chunk],
    sr: int,
    model: str | None,
    pause: Callable[[int, str | None, int], Awaitable[bool]],
) -> AsyncGenerator[Event, None]:
    """What `AsyncClient.stream` yields."""
    async with _opened_async(door, sr, model, pause) as (socket, ready):
        failures: list[Exception] = []
        sending = asyncio.create_task(_send_async(socket, Wording(ready), chunks, failures.append))
        try:
            yield ready
            with _told(door):
                async for text in received_async(socket, door.timeout_s):
                    event = _event(door, text)
                    yield event
                    if isinstance(event, Prediction):
                        return
            if failures:
                raise failures[0]
            raise _unfinished(door, socket.close_code)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


class _Sending:
    """What a thread of its own does while the caller waits for segments."""

    def __init__(self, socket: ClientConnection, wording: Wording, chunks: Iterable[Chunk]) -> None:
        self.failure: Exception | None = None
        self._socket = socket
        self._wording = wording
        self._chunks = chunks

    def run(self) -> None:
        """Send every chunk, and that it was the last."""
        try:
            for chunk in self._chunks:
                for message in self._wording.messages(chunk):
                    self._socket.send(message)
            self._socket.send(_END)
        except ConnectionClosed:
            pass  # why it was closed, the receiving side knows
        except Exception as error:
            self.failure = error
            self._socket.close()


async def _send_async(
    socket: AsyncConnection,
    wording: Wording,
    chunks: Iterable[Chunk] | AsyncIterable[Chunk],
    fail: Callable[[Exception], None],
) -> None:
    try:
        async with AsyncExitStack() as stack:
            if not isinstance(chunks, AsyncIterable):
                chunks = await stack.enter_async_context(aclosing(drawn(chunks)))
            async for chunk in chunks:
                for message in wording.messages(chunk):
                    await socket.send(message)
        await socket.send(_END)
    except ConnectionClosed:
        pass
    except Exception as error:
        fail(error)
        await socket.close()


@contextmanager
def _opened(
    door: Door, sr: int, model: str | None, pause: Callable[[int, str | None, int], bool]
) -> Iterator[tuple[ClientConnection, Ready]]:
    """A stream, and what is said first in it: that the service is ready, before any sound was drawn.

    A service that is full opens it to say so, or whatever stands before it does not open it.
    """
    for attempt in count():
        with ExitStack() as stack:
            try:
                with _told(door):
                    socket = stack.enter_context(connect(**door.arguments(sr, model)))
                    with suppress(OSError):  # all may be said, and the connection closed
                        socket.socket.settimeout(door.timeout_s)  # for each message that is sent
            except InvalidStatus as refused:
                if not pause(*_status(refused), attempt):
                    raise _refusal(door, refused) from refused
                continue
            with _told(door):
                first = socket.recv(door.timeout_s)
            asked = _asked(door, first)
            if not (asked and pause(*asked, attempt)):
                yield socket, _ready(door, first)
                return


@asynccontextmanager
async def _opened_async(
    door: Door, sr: int, model: str | None, pause: Callable[[int, str | None, int], Awaitable[bool]]
) -> AsyncIterator[tuple[AsyncConnection, Ready]]:
    for attempt in count():
        async with AsyncExitStack() as stack:
            try:
                with _told(door):
                    socket = await stack.enter_async_context(
                        connect_async(**door.arguments(sr, model))
                    )
                    stack.push_async_callback(close_async, socket)
            except InvalidStatus as refused:
                if not await pause(*_status(refused), attempt):
                    raise _refusal(door, refused) from refused
                continue
            with _told(door):
                async with asyncio.timeout(door.timeout_s):
                    first = await socket.recv()
            asked = _asked(door, first)
            if not (asked and await pause(*asked, attempt)):
                yield socket, _ready(door, first)
                return


def _event(door: Door, text: Data) -> Event:
    """The value for a message of the service.

    Raises:
        UndertoneError: it is a problem.
        Unreachable: it is nothing that Undertone would say.
    """
    with understanding(f"{door.url} opened a stream and spoke in it"):
        event = json.loads(text)
        match event["type"]:
            case "ready":
                return ready_of(event)
            case "segment":
                return live_segment_of(event)
            case "summary":
                return prediction_of(event)
            case _:
                problem = error_of(event)
    raise problem


def _ready(door: Door, first: Data) -> Ready:
    event = _event(door, first)
    if not isinstance(event, Ready):
        raise Unreachable(f"{door.url} opened a stream, and not as Undertone does.")
    return event


@contextmanager
def _told(door: Door) -> Iterator[None]:
    """Say in the words of the other calls that the connection failed."""
    try:
        yield
    except InvalidStatus:
        raise
    except TimeoutError as error:
        raise Unreachable(f"{door.url} did not answer in time.") from error
    except (OSError, InvalidHandshake) as error:
        raise Unreachable(
            f"{door.url} does not answer ({error}). Is the service running?"
        ) from error
    except ConnectionClosed as error:
        if isinstance(error.__cause__, TimeoutError):  # what was sent was not taken
            raise Unreachable(f"{door.url} did not answer in time.") from error
        raise _unfinished(door, error.rcvd.code if error.rcvd else None) from error


def _unfinished(door: Door, code: int | None) -> Unreachable:
    return Unreachable(
        f"{door.url} closed the stream before its summary"
        + (f", with close code {code}." if code else ": the connection was lost.")
    )


def _status(refused: InvalidStatus) -> tuple[int, str | None]:
    """What a stream was refused with, and after how many seconds to ask again."""
    response = refused.response
    return response.status_code, response.headers.get("Retry-After")


def _asked(door: Door, first: Data) -> tuple[int, str | None] | None:
    """The same of what is said first in a stream; None where that is no problem."""
    with understanding(f"{door.url} opened a stream and spoke in it"):
        problem = json.loads(first)
        if problem["type"] != "problem":
            return None
        after = problem.get("retry_after_s")
        return int(problem["status"]), None if after is None else str(after)


def _refusal(door: Door, refused: InvalidStatus) -> Exception:
    response = refused.response
    with understanding(f"{door.url} answered with status {response.status_code}"):
        return error_of(json.loads(response.body or b""), response.status_code)
