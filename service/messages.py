"""What the service says over a WebSocket, as OpenAPI shows it."""

from typing import Any, Final, Literal, Self

from service import schemas
from service.incoming import ENCODINGS
from service.problems import problem_details
from service.schemas import PredictionReply, Reply, SegmentReply
from undertone.prediction import Prediction, Segment


class ReadyMessage(Reply):
    """The first message of a stream: sound may come."""

    type: Literal["ready"] = "ready"
    """What the message is."""
    model: str
    """The name of the model that will answer."""
    sr: int
    """The rate of the sound that is expected, in Hz."""
    window_s: float
    """How much of the sound before its end a segment is about, in seconds."""
    hop_s: float
    """How far apart the ends of two segments are, in seconds."""
    emotions: tuple[str, ...]
    """What the model tells apart."""
    encodings: tuple[str, ...] = ENCODINGS
    """How samples may be sent; as the first of them, until a text says another."""
    request_id: str
    """What the log knows this stream by."""


class SegmentMessage(SegmentReply):
    """A message of a stream: what is heard in a window that is complete."""

    type: Literal["segment"] = "segment"
    """What the message is."""
    latency_ms: float
    """From the frame that completed the window to this message, in milliseconds."""

    @classmethod
    def live(cls, segment: Segment, latency_ms: float) -> Self:
        """The message for a segment."""
        return cls(**dict(SegmentReply.of(segment)), latency_ms=latency_ms)


class SummaryMessage(PredictionReply):
    """The last message of a stream: what ``/predict?segments=true`` replies for all of it."""

    type: Literal["summary"]
    """What the message is."""

    @classmethod
    def closing(cls, prediction: Prediction, request_id: str) -> Self:
        """The message for a prediction with segments."""
        reply = PredictionReply.of(prediction, request_id)
        return cls(
            type="summary", **{name: getattr(reply, name) for name in reply.model_fields_set}
        )


_REQUEST_ID: Final = schemas.EXAMPLE["request_id"]
_MESSAGES: Final[dict[str, dict[str, Any]]] = {
    "ready": ReadyMessage(
        model=schemas.EXAMPLE["model"]["name"],
        sr=16_000,
        window_s=3.0,
        hop_s=0.5,
        emotions=tuple(each["label"] for each in schemas.EXAMPLE["probabilities"]),
        request_id=_REQUEST_ID,
    ).model_dump(),
    "segment": {**schemas.SEGMENTS_EXAMPLE[0], "type": "segment", "latency_ms": 21.4},
    "summary": {**schemas.EXAMPLES["segments"]["value"], "type": "summary"},
    "problem": {**problem_details("not_ready", _REQUEST_ID).model_dump(), "type": "problem"},
}
EXAMPLES: Final = {name: {"value": message} for name, message in _MESSAGES.items()}
"""One of each, by type."""
