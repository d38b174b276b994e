"""What the service replies about recordings, as OpenAPI shows it."""

import json
from importlib.resources import files
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from service.problems import Problem
from undertone.emotions import Sentiment
from undertone.errors import UnusableAudio
from undertone.prediction import Prediction, Segment

EXAMPLE: dict[str, Any] = json.loads((files("service") / "static/example.json").read_text())
"""What the model of this repository really answered for ``examples/hello.wav``."""

_HEARD: dict[str, Any] = {
    key: EXAMPLE[key] for key in ("label", "score", "probabilities", "sentiment", "warnings")
}
_TWO: Final = EXAMPLE["probabilities"][:2]
SEGMENTS_EXAMPLE: Final[list[dict[str, Any]]] = [
    {"start": start, "end": end, **heard}
    for start, end, heard in (
        (2.5, 5.5, {**_TWO[0], "probabilities": _TWO, "reason": None}),
        (3.0, 6.0, dict.fromkeys(("label", "score", "probabilities")) | {"reason": "no_speech"}),
    )
]
_SILENT: Final[dict[str, Any]] = {
    **dict.fromkeys(_HEARD),
    "warnings": [],
    "reason": "no_speech",
}
EXAMPLES: Final[dict[str, Any]] = {
    "plain": {"summary": "a sentence", "value": EXAMPLE},
    "segments": {
        "summary": "segments=true, top_k=2 (an excerpt)",
        "value": {**EXAMPLE, "probabilities": _TWO, "segments": SEGMENTS_EXAMPLE},
    },
    "channels": {
        "summary": "channels=split, of a call in which one side says nothing",
        "value": {**EXAMPLE, "channels": [{**_HEARD, "reason": None}, _SILENT]},
    },
}
"""The same with what can be asked for beside it."""


class Reply(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(
        frozen=True, from_attributes=True, protected_namespaces=(), use_attribute_docstrings=True
    )


class EmotionReply(Reply):
    """One emotion."""

    label: str
    """Its name."""
    score: float
    """Its probability, from 0 to 1."""


class SentimentReply(Reply):
    """The emotions' probabilities, summed by the map that ``/models/{name}`` shows."""

    label: Sentiment
    """The likeliest sentiment."""
    score: float
    """Its probability, from 0 to 1."""


class AudioReply(Reply):
    """What was sent."""

    duration_s: float
    """In seconds."""
    sample_rate: int
    """In Hz, before it was resampled for the model."""
    channels: int
    """Before they were mixed down to one."""
    encoding: str
    """How a sample was stored."""


class ModelReference(Reply):
    """Which model answered."""

    name: str
    """As in ``/models``."""
    version: str
    """The version of its weights."""


class WarningReply(Reply):
    """Something to know about a recording that was taken all the same."""

    code: str
    """A stable name."""
    detail: str
    """A sentence for a person."""


class TimingReply(Reply):
    """Milliseconds that the answer took, without the upload."""

    decode: float
    """Bytes to samples at the model's rate."""
    features: float
    """Samples to features."""
    inference: float
    """Features to probabilities, and the wait for the model."""
    total: float
    """All of it, and the wait for a processor."""


class SegmentReply(Reply):
    """What a model hears in one window of a recording. Windows overlap; each ends a hop after the last."""

    start: float
    """In seconds from the beginning of the recording."""
    end: float
    """In seconds."""
    label: str | None
    """The likeliest emotion; null where there is nothing to hear one in."""
    score: float | None
    """Its probability, from 0 to 1."""
    probabilities: tuple[EmotionReply, ...] | None
    """Every emotion that the model knows (the ``top_k`` likeliest, if asked), likeliest first."""
    reason: str | None
    """Why there is nothing to hear: the code of a problem, such as ``no_speech``."""

    @classmethod
    def of(cls, segment: Segment, top_k: int | None = None) -> Self:
        """The reply for a segment, with its ``top_k`` likeliest emotions or all."""
        probabilities = segment.probabilities
        return cls.model_validate(
            {
                "start": segment.start,
                "end": segment.end,
                "label": segment.label,
                "score": segment.score,
                "probabilities": probabilities and probabilities[:top_k],
                "reason": segment.reason,
            }
        )


class HeardReply(Reply):
    """What a model hears in one channel of a recording."""

    label: str | None
    """The likeliest emotion; null where there is nothing to hear one in."""
    score: float | None
    """Its probability, from 0 to 1."""
    probabilities: tuple[EmotionReply, ...] | None
    """As for the whole recording."""
    sentiment: SentimentReply | None
    """Whether it sounds positive, neutral or negative."""
    warnings: tuple[WarningReply, ...]
    """What to know about this channel."""
    reason: str | None
    """Why there is nothing to hear: the code of a problem, such as ``no_speech``."""
    segments: tuple[SegmentReply, ...] | None = None
    """As for the whole recording, where ``segments=true`` was asked for."""

    @classmethod
    def of(cls, channel: Prediction | UnusableAudio, top_k: int | None = None) -> Self:
        """The reply for one channel."""
        if isinstance(channel, UnusableAudio):
            return cls(
                label=None,
                score=None,
                probabilities=None,
                sentiment=None,
                warnings=(),
                reason=channel.code,
            )
        return cls.model_validate({**_heard(channel, top_k), "reason": None})


class PredictionReply(Reply):
    """What a model hears in one recording."""

    label: str
    """The likeliest emotion."""
    score: float
    """Its probability, from 0 to 1, calibrated on people whom networks of the same
    recipe had not heard, where the corpus has enough of them."""
    probabilities: tuple[EmotionReply, ...]
    """Every emotion that the model knows (the ``top_k`` likeliest, if asked), likeliest first.
    All together sum to 1."""
    sentiment: SentimentReply
    """Whether it sounds positive, neutral or negative."""
    audio: AudioReply
    """What was sent."""
    model: ModelReference
    """Which model answered."""
    warnings: tuple[WarningReply, ...]
    """What to know about the recording."""
    request_id: str
    """What the log knows this request by."""
    timing_ms: TimingReply
    """How long it took."""
    segments: tuple[SegmentReply, ...] | None = None
    """The emotion over time, in order; there only if ``segments=true`` was asked for."""
    channels: tuple[HeardReply, ...] | None = None
    """Each channel for itself, in order; there only if ``channels=split`` was asked for."""

    @classmethod
    def of(cls, prediction: Prediction, request_id: str, top_k: int | None = None) -> Self:
        """The reply for a prediction, with its ``top_k`` likeliest emotions or all."""
        name, version = prediction.model
        channels = prediction.channels
        return cls.model_validate(
            {
                **_heard(prediction, top_k),
                "audio": prediction.audio,
                "model": {"name": name, "version": version},
                "request_id": request_id,
                "timing_ms": prediction.timing_ms,
                **(
                    {}
                    if channels is None
                    else {"channels": [HeardReply.of(channel, top_k) for channel in channels]}
                ),
            }
        )


def _heard(prediction: Prediction, top_k: int | None) -> dict[str, Any]:
    """What a recording and a channel of one have in common."""
    sentiment, score = prediction.sentiment
    segments = prediction.segments
    return {
        "label": prediction.label,
        "score": prediction.score,
        "probabilities": prediction.probabilities[:top_k],
        "sentiment": {"label": sentiment, "score": score},
        "warnings": prediction.warnings,
        **(
            {}
            if segments is None
            else {"segments": [SegmentReply.of(segment, top_k) for segment in segments]}
        ),
    }


class ResultReply(Reply):
    """What became of one file of several: a prediction or a problem."""

    file: int
    """Which one, counted from 0 in the order of the form."""
    prediction: PredictionReply | None
    """What is heard in it."""
    problem: Problem | None
    """What is wrong with it."""


class BatchReply(Reply):
    """What became of several files, in the order of the form."""

    request_id: str
    """What the log knows this request by."""
    results: tuple[ResultReply, ...]
    """One for each file."""
