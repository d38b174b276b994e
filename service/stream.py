"""WS /stream: sound in while it is spoken, what is heard in it out, window by window.

A conversation has one task, which takes a frame, hears what it completes, says so, and only then takes
the next. So a stream holds one frame and a few seconds of sound, and a client that sends faster than
it is heard is slowed down by its own connection: nothing is dropped and nothing piles up.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
from fastapi import APIRouter, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.errors import (
    InvalidRequest,
    MalformedRequest,
    NotReady,
    UpgradeRequired,
    UploadStalled,
)
from service.listening import Listening
from service.messages import EXAMPLES, ReadyMessage, SegmentMessage, SummaryMessage
from service.metrics import Metrics
from service.problems import close_code, internal_error_message, problem_message, responses
from service.serving import Serving
from undertone.errors import UndertoneError
from undertone.prediction import Segment
from undertone.wav import Notice

STALLED_S: Final = 20.0
"""Seconds without a frame, or without taking what is sent, after which a client is given up; and by
which a stream may last longer than the sound that it may bring."""

DEFAULT_SR: Final = 16_000

Result = TypeVar("Result")

_log = logging.getLogger("undertone.stream")

router = APIRouter(tags=["predict"])


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

    Send sound as binary frames of any size (16-bit PCM, little-endian, one channel); text messages
    say what is heard, one for every half second. Send the text `{"type": "end"}` at the end, and
    the last message is what `/predict?segments=true` replies for all that was sent.
    """
    raise UpgradeRequired(
        "A stream is a WebSocket, and this is a plain GET. Open ws://…/stream, see docs/api.md.",
        allowed={"upgrade": "websocket"},
    )


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """The whole of a conversation; `docs/api.md` tells its rules."""
    metrics: Metrics = websocket.app.state.metrics
    request_id = websocket.scope.setdefault("state", {}).get("request_id") or uuid.uuid4().hex
    end = "cut"
    with metrics.streams.track_inprogress():
        try:
            await websocket.accept()
            end = str(await _with_problems(websocket, request_id))
        except WebSocketDisconnect:
            end = "gone"  # not its code: a client may think of four thousand
        finally:
            metrics.streams_closed.labels(end).inc()


async def _with_problems(websocket: WebSocket, request_id: str) -> int:
    """Converse, say what went wrong if something did, and close. The close code."""
    message, code = None, 1000
    try:
        await _converse(websocket, request_id)
    except UndertoneError as error:
        message, code = problem_message(error, request_id), close_code(error)
    except WebSocketDisconnect:
        raise
    except Exception:
        _log.exception("failed", extra={"fields": {"request_id": request_id}})
        message, code = internal_error_message(request_id), 1011
    try:
        # One that does not read is not told why: `service.wire` ends its connection.
        async with asyncio.timeout(1 if code == 4408 else STALLED_S):
            if message:
                await websocket.send_text(message)
            await websocket.close(code)
    except TimeoutError:
        pass
    return code


async def _converse(websocket: WebSocket, request_id: str) -> None:
    serving: Serving | None = websocket.app.state.serving
    if serving is None:
        raise NotReady("The service is starting or stopping. Try again in a moment.")
    classifier = await serving.models.get(websocket.query_params.get("model"))
    sample_rate = _sample_rate(websocket.query_params.get("sr"))
    listening = Listening(serving, classifier, sample_rate)
    manifest, ear = classifier.manifest, listening.ear
    ready = ReadyMessage(
        model=manifest.name,
        sr=sample_rate,
        window_s=ear.window_s,
        hop_s=ear.hop_s,
        emotions=manifest.emotions,
        request_id=request_id,
    )
    await _say(websocket, ready.model_dump_json())

    odd = b""  # half a sample, where a frame ends inside one
    # Drop by drop, a stream could last for years and keep a place from others.
    ends = time.perf_counter() + serving.limits.max_duration_s + STALLED_S
    while True:
        patience = min(STALLED_S, ends - time.perf_counter())
        message = await _in_time(websocket.receive(), "Too little was received", patience)
        received = time.perf_counter()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        if (frame := message.get("bytes")) is None:
            _require_end(message.get("text", ""))
            break
        data = odd + frame
        samples = np.frombuffer(data, "<i2", len(data) // 2)
        odd = data[2 * samples.size :]
        async for segments in listening.push(samples):
            await _say_segments(websocket, segments, received)

    segments, prediction = await listening.finish()
    await _say_segments(websocket, segments, received)
    if odd:
        half = Notice("truncated_frame", "The last byte is no whole sample; left out.")
        prediction = replace(prediction, warnings=(*prediction.warnings, half))
    summary = SummaryMessage.closing(prediction, request_id)
    await _say(websocket, summary.model_dump_json(exclude_unset=True))


def _sample_rate(text: str | None) -> int:
    if text is None:
        return DEFAULT_SR
    if not text.isdecimal() or len(text) > len("192000"):
        raise InvalidRequest("sr is no whole number of Hz.", received={"sr": text[:64]})
    return int(text)


def _require_end(text: str) -> None:
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if said != {"type": "end"}:
        raise MalformedRequest(
            'The only text taken is {"type": "end"}; sound is sent as binary frames.',
            received={"text": text[:64]},
            allowed={"text": '{"type": "end"}'},
        )


async def _say_segments(
    websocket: WebSocket, segments: tuple[Segment, ...], received: float
) -> None:
    for segment in segments:
        latency_ms = 1e3 * (time.perf_counter() - received)
        await _say(websocket, SegmentMessage.live(segment, latency_ms).model_dump_json())


async def _say(websocket: WebSocket, text: str) -> None:
    await _in_time(websocket.send_text(text), "What was sent was not taken", STALLED_S)


async def _in_time(waiting: Awaitable[Result], what: str, seconds: float) -> Result:
    try:
        async with asyncio.timeout(seconds):
            return await waiting
    except TimeoutError as error:
        raise UploadStalled(f"{what}, for too long: {STALLED_S:g} s at most.") from error
