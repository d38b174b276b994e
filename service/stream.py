"""WS /stream: sound in while it is spoken, what is heard in it out, window by window.

A conversation has one task, which takes a frame, hears what it completes, says so, and only then takes
the next. So a stream holds one frame and a few seconds of sound, and a client that sends faster than
it is heard is slowed down by its own connection: nothing is dropped and nothing piles up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from fastapi import APIRouter, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.errors import InvalidRequest, NothingHere, NotReady, UpgradeRequired, UploadStalled
from service.incoming import Frames, read_word
from service.listening import Listening
from service.messages import EXAMPLES, ReadyMessage, SegmentMessage, SummaryMessage
from service.metrics import Metrics
from service.problems import close_code, internal_error_message, problem_message, responses
from service.refuse import refuse
from service.schemas import Reply
from service.serving import Serving
from undertone.errors import UndertoneError
from undertone.limits import Limits
from undertone.pcm import Encoding
from undertone.prediction import Segment
from undertone.wav import Notice

DEFAULT_SR: Final = 16_000

LAST_WORD_S: Final = 2.0
"""Seconds in which a client has to take what is said about a problem; most take it at once."""

Result = TypeVar("Result")

_log = logging.getLogger("undertone.stream")

router = APIRouter(tags=["predict"])

elsewhere = APIRouter()
"""To be included after all that has streams."""


_PARAMETERS: Final = [
    {
        "name": "sr",
        "in": "query",
        "description": "The rate of the sound that will be sent, in Hz.",
        "schema": {"type": "integer", "default": DEFAULT_SR},
    },
    {
        "name": "model",
        "in": "query",
        "description": "A name from `/models`. Left out: the default model.",
        "schema": {"type": "string"},
    },
]
_UPGRADE: Final = {
    "description": "The messages of the service, one JSON object each; a problem is the last.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": f"#/components/schemas/{name}"}
                    for name in ("ReadyMessage", "SegmentMessage", "SummaryMessage", "Problem")
                ]
            },
            "examples": EXAMPLES,
        }
    },
}


# OpenAPI knows no WebSockets: what opens one is a GET, which is where its messages are described.
@router.get(
    "/stream",
    summary="Hear the emotion in a voice while it speaks",
    status_code=101,
    response_class=Response,
    openapi_extra={"parameters": _PARAMETERS},
    responses={101: _UPGRADE, **responses("upgrade_required")},
)
async def stream_needs_websocket() -> None:
    """Open a WebSocket here: `ws://localhost:8000/stream?sr=16000`.

    Send sound as binary frames of any size (16-bit PCM, little-endian, one channel; 32-bit floats
    after the text `{"type": "format", "encoding": "float32"}`); text messages say what is heard,
    one for every half second. Send the text `{"type": "end"}` at the end, and the last message is
    what `/predict?segments=true` replies for all that was sent.
    """
    raise UpgradeRequired(
        "A stream is a WebSocket, and this is a plain GET. Open ws://…/stream, see docs/api.md.",
        allowed={"upgrade": "websocket"},
    )


@elsewhere.websocket("/{path:path}")
async def nothing_there(websocket: WebSocket) -> None:
    """A WebSocket at any other address."""
    await refuse(
        NothingHere("There is no stream at this address; open ws://…/stream, see docs/api.md."),
        websocket.scope,
        websocket.receive,
        websocket.send,
    )


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """The whole of a conversation; `docs/api.md` tells its rules."""
    metrics: Metrics = websocket.app.state.metrics
    end = "cut"
    with metrics.streams.track_inprogress():
        try:
            await websocket.accept()
            end = str(await _with_problems(websocket))
        except WebSocketDisconnect:
            end = "gone"  # not its code: a client may think of four thousand
        finally:
            metrics.streams_closed.labels(end).inc()


async def _with_problems(websocket: WebSocket) -> int:
    """Converse; say what went wrong, if something did, and close. The close code."""
    request_id: str = websocket.state.request_id
    try:
        await _converse(websocket, request_id)
        return 1000
    except UndertoneError as error:
        message, code = problem_message(error, request_id), close_code(error)
    except WebSocketDisconnect:
        raise
    except Exception:
        _log.exception("failed", extra={"fields": {"request_id": request_id}})
        message, code = internal_error_message(request_id), 1011
    # One that takes nothing is not told why: `service.wire` ends its connection.
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORD_S):
            await websocket.send_text(message)
            await websocket.close(code)
    return code


async def _converse(websocket: WebSocket, request_id: str) -> None:
    serving: Serving | None = websocket.app.state.serving
    if serving is None:
        raise NotReady("The service is starting or stopping. Try again in a moment.")
    classifier = await serving.models.get(websocket.query_params.get("model"))
    sample_rate = _sample_rate(websocket.query_params.get("sr"), serving.limits)
    listening = Listening(serving, classifier, sample_rate)
    line = _Line(websocket, serving.patience_s)
    manifest, ear = classifier.manifest, listening.ear
    ready = ReadyMessage(
        model=manifest.name,
        sr=sample_rate,
        window_s=ear.window_s,
        hop_s=ear.hop_s,
        emotions=manifest.emotions,
        request_id=request_id,
    )
    await line.say(ready)

    frames = Frames()
    # Drop by drop, a stream could last for years and keep a place from others.
    ends = time.perf_counter() + serving.limits.max_duration_s + serving.patience_s
    while (message := await line.hear(ends - time.perf_counter())) is not None:
        if isinstance(message, str):
            frames.switch(message)
            continue
        received = time.perf_counter()
        async for segments in listening.push(frames.take(message)):
            await line.say_all(segments, received)

    received = time.perf_counter()
    segments, prediction = await listening.finish()
    await line.say_all(segments, received)
    if frames.rest:
        half = Notice("truncated_frame", "The last bytes are no whole sample; left out.")
        prediction = replace(prediction, warnings=(*prediction.warnings, half))
    await line.say(SummaryMessage.closing(prediction, request_id))
    await line.close()


@dataclass(frozen=True, slots=True)
class _Line:
    """A client, and how long it is waited for."""

    websocket: WebSocket
    patience_s: float

    async def hear(self, within_s: float) -> bytes | Encoding | None:
        """The next frame, or how the next are encoded; None where the client says that there are no more.

        Raises:
            MalformedRequest: the client says something else.
            UploadStalled: it says nothing.
            WebSocketDisconnect: it went.
        """
        seconds = min(self.patience_s, within_s)
        message = await self._in_time(self.websocket.receive(), "Too little was received", seconds)
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        frame: bytes | None = message.get("bytes")
        return read_word(message.get("text", "")) if frame is None else frame

    async def say(self, message: Reply) -> None:
        """Send a message.

        Raises:
            UploadStalled: the client does not take it.
            WebSocketDisconnect: it went.
        """
        text = message.model_dump_json(exclude_unset=isinstance(message, SummaryMessage))
        sent = self.websocket.send_text(text)
        await self._in_time(sent, "What was sent was not taken", self.patience_s)

    async def say_all(self, segments: tuple[Segment, ...], received: float) -> None:
        """Send segments that were completed by what came at ``received``."""
        for segment in segments:
            latency_ms = 1e3 * (time.perf_counter() - received)
            await self.say(SegmentMessage.live(segment, latency_ms))

    async def close(self) -> None:
        """Close, once all that was sent is taken.

        Raises:
            UploadStalled: the client does not take it.
        """
        closed = self.websocket.close(1000)
        await self._in_time(closed, "What was sent was not taken", self.patience_s)

    async def _in_time(self, waiting: Awaitable[Result], what: str, seconds: float) -> Result:
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError as error:
            raise UploadStalled(
                f"{what}, for too long: {self.patience_s:g} s at most.",
                allowed={"stall_s": self.patience_s},
            ) from error


def _sample_rate(text: str | None, limits: Limits) -> int:
    if text is None:
        return DEFAULT_SR
    if not text.isdecimal() or len(text) > len("192000"):
        raise InvalidRequest(
            "sr is no whole number of Hz.",
            received={"sr": text[:64]},
            allowed={"sr": [limits.min_sr, limits.max_sr]},
        )
    return int(text)
