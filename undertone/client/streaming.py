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
from concurrent.futures import Future
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
from queue import SimpleQueue
from socket import SHUT_RDWR
from typing import Any, Final, TypeAlias

import httpx
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
)
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Data

from undertone import pcm
from undertone.client.errors import Unreachable, error_of, understanding
from undertone.client.results import (
    LiveSegment,
    Prediction,
    Ready,
    live_segment_of,
    prediction_of,
    ready_of,
)
from undertone.errors import NotFinite
from undertone.pcm import Encoding

Chunk: TypeAlias = bytes | NDArray[Any]
Event: TypeAlias = Ready | LiveSegment | Prediction

_END: Final = json.dumps({"type": "end"})
_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one message: the summary of a long stream holds all its segments."""

_MESSAGE_BYTES: Final = 64 * 1024
"""The service takes up to 1 MiB; small ones are taken one by one, so that each is, or is not, in time."""

_CLOSE_S: Final = 10.0
"""How long a service may take to say goodbye."""


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
            "close_timeout": _CLOSE_S,
            "ping_interval": None,  # `_received` asks, and knows that an answer stands behind all the sound
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
            for text in _received(door, socket):
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
                async for text in _received_async(door, socket):
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


def _received(door: Door, socket: ClientConnection) -> Iterator[Data]:
    """What the service says, until it closes the stream in good order.

    It may have nothing to say for as long as nobody speaks. So a silence is asked about, after half of
    the time, with a ping; the service answers it once it has taken the sound before it.

    Raises:
        TimeoutError: no answer either in the other half; the connection is dropped.
        ConnectionClosed: it was lost, or closed with a code.
    """
    while True:
        try:
            yield _next(socket, door.timeout_s / 2)
        except ConnectionClosedOK:
            return
        except TimeoutError:
            with suppress(OSError):  # it is not there any more
                socket.socket.shutdown(SHUT_RDWR)  # a goodbye would wait behind what is not taken
            raise


def _next(socket: ClientConnection, half_s: float) -> Data:
    while True:
        with suppress(TimeoutError):
            return socket.recv(half_s)
        answered = socket.ping()
        try:
            return socket.recv(half_s)
        except TimeoutError:
            if not answered.is_set():
                raise


async def _received_async(door: Door, socket: AsyncConnection) -> AsyncIterator[Data]:
    """As `_received`."""
    while True:
        try:
            yield await _next_async(socket, door.timeout_s / 2)
        except ConnectionClosedOK:
            return
        except TimeoutError:
            socket.transport.abort()
            raise


async def _next_async(socket: AsyncConnection, half_s: float) -> Data:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(half_s):
                return await socket.recv()
        asking = asyncio.create_task(_ask_async(socket))
        try:
            async with asyncio.timeout(half_s):
                return await socket.recv()
        except TimeoutError:
            if not asking.done():
                raise
        finally:
            asking.cancel()


async def _ask_async(socket: AsyncConnection) -> None:
    """Wait for the answer to a ping; even that is sent only once there is room for it."""
    with suppress(ConnectionClosed):
        await (await socket.ping())


async def _close_async(socket: AsyncConnection) -> None:
    """Say goodbye, to a service that takes it; websockets alone would wait for ever for room for it."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await socket.close()
    except TimeoutError:
        socket.transport.abort()


class _Sending:
    """What a thread of its own does while the caller waits for segments."""

    def __init__(
        self, socket: ClientConnection, wording: "Wording", chunks: Iterable[Chunk]
    ) -> None:
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
    wording: "Wording",
    chunks: Iterable[Chunk] | AsyncIterable[Chunk],
    fail: Callable[[Exception], None],
) -> None:
    try:
        async with AsyncExitStack() as stack:
            if not isinstance(chunks, AsyncIterable):
                chunks = await stack.enter_async_context(aclosing(_drawn(chunks)))
            async for chunk in chunks:
                for message in wording.messages(chunk):
                    await socket.send(message)
        await socket.send(_END)
    except ConnectionClosed:
        pass
    except Exception as error:
        fail(error)
        await socket.close()


async def _drawn(chunks: Iterable[Chunk]) -> AsyncGenerator[Chunk, None]:
    """Chunks that may have to be waited for, each drawn when it is wanted, in a thread of their own.

    None of a pool's: nothing ends a thread that waits for a microphone, and neither the loop nor the
    process should wait for it.
    """
    wanted = SimpleQueue[Future[Chunk | None] | None]()
    remaining = iter(chunks)

    def draw() -> None:
        while (drawn := wanted.get()) is not None:
            if not drawn.set_running_or_notify_cancel():
                return
            try:
                drawn.set_result(next(remaining, None))
            except BaseException as error:
                drawn.set_exception(error)

    threading.Thread(target=draw, name="undertone-stream", daemon=True).start()
    try:
        while True:
            drawn = Future[Chunk | None]()
            wanted.put(drawn)
            chunk = await asyncio.wrap_future(drawn)
            if chunk is None:
                return
            yield chunk
    finally:
        wanted.put(None)


class Wording:
    """How chunks are put to a service: floats as floats, so that nothing is rounded or clipped on the way.

    A service that does not say that it takes them gets 16 bits, as all of them always took.
    """

    def __init__(self, ready: Event) -> None:
        self._takes_floats = isinstance(ready, Ready) and "float32" in ready.encodings
        self._encoding = "pcm_s16"

    def messages(self, chunk: Chunk) -> Iterator[bytes | str]:
        """What to send for a chunk, in parts that the service takes; first its encoding, where that is new.

        Args:
            chunk: 16-bit PCM, little-endian, or mono samples [n] or [n, 1], as `Client.predict` takes them.

        Raises:
            UnsupportedAudio: samples of another dtype, or of several channels.
            NotFinite: samples that are no numbers.
        """
        encoding, data = ("pcm_s16", chunk) if isinstance(chunk, bytes) else self._encode(chunk)
        if encoding != self._encoding:
            self._encoding = encoding
            yield json.dumps({"type": "format", "encoding": encoding})
        for start in range(0, len(data), _MESSAGE_BYTES):
            yield data[start : start + _MESSAGE_BYTES]

    def _encode(self, samples: NDArray[Any]) -> tuple[str, bytes]:
        mono = samples[:, 0] if samples.ndim == 2 and samples.shape[1] == 1 else samples
        encoding = pcm.array_encoding(mono, (1,))
        if encoding == "pcm_s16":
            return encoding, mono.astype("<i2").tobytes()
        values = pcm.to_float(mono, encoding)
        if not np.isfinite(values).all():
            raise NotFinite("The samples hold values that are NaN or infinite.")
        target: Encoding = "float32" if self._takes_floats else "pcm_s16"
        return target, pcm.from_float(values, target).tobytes()


@contextmanager
def _opened(
    door: Door, sr: int, model: str | None, pause: Callable[[int, str | None, int], bool]
) -> Iterator[tuple[ClientConnection, Event]]:
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
                yield socket, _event(door, first)
                return


@asynccontextmanager
async def _opened_async(
    door: Door, sr: int, model: str | None, pause: Callable[[int, str | None, int], Awaitable[bool]]
) -> AsyncIterator[tuple[AsyncConnection, Event]]:
    for attempt in count():
        async with AsyncExitStack() as stack:
            try:
                with _told(door):
                    socket = await stack.enter_async_context(
                        connect_async(**door.arguments(sr, model))
                    )
                    stack.push_async_callback(_close_async, socket)
            except InvalidStatus as refused:
                if not await pause(*_status(refused), attempt):
                    raise _refusal(door, refused) from refused
                continue
            with _told(door):
                async with asyncio.timeout(door.timeout_s):
                    first = await socket.recv()
            asked = _asked(door, first)
            if not (asked and await pause(*asked, attempt)):
                yield socket, _event(door, first)
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
