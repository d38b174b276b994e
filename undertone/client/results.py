"""What the service answers, as frozen values with the names that `undertone.prediction` uses."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from undertone.prediction import Emotion, Segment, Timing
from undertone.wav import Notice

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Value = TypeVar("_Value", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Recording:
    """What was sent.

    Attributes:
        duration_s: in seconds.
        sample_rate: in Hz, before it was resampled for the model.
        channels: before they were mixed down to one.
        encoding: how a sample was stored.
    """

    duration_s: float
    sample_rate: int
    channels: int
    encoding: str


@dataclass(frozen=True, slots=True)
class LiveSegment(Segment):
    """What is heard in one window of a stream.

    Attributes:
        latency_ms: from the last sample of the window to the answer, at the service.
    """

    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Channel:
    """What a model hears in one channel of a recording.

    Attributes:
        probabilities: likeliest first; None where there is nothing to hear an emotion in.
        sentiment: as of a `Prediction`, or None.
        warnings: what to know about this channel.
        reason: why there is nothing, such as ``no_speech``.
        segments: the timeline, where it was asked for.
    """

    probabilities: tuple[Emotion, ...] | None
    sentiment: tuple[str, float] | None
    warnings: tuple[Notice, ...]
    reason: str | None
    segments: tuple[Segment, ...] | None = None

    @property
    def label(self) -> str | None:
        """The likeliest emotion, or None."""
        return self.probabilities[0].label if self.probabilities else None

    @property
    def score(self) -> float | None:
        """Its probability, or None."""
        return self.probabilities[0].score if self.probabilities else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model hears in one recording.

    Attributes:
        probabilities: likeliest first; all, or the ``top_k`` that were asked for.
        sentiment: ``positive``, ``neutral`` or ``negative``, and its probability.
        audio: what was sent.
        model: name and version.
        warnings: what to know about the recording.
        timing_ms: how long it took there.
        segments: the timeline, where it was asked for.
        channels: each channel for itself, where that was asked for.
        request_id: what the service's log knows the request by.
    """

    probabilities: tuple[Emotion, ...]
    sentiment: tuple[str, float]
    audio: Recording
    model: tuple[str, str]
    warnings: tuple[Notice, ...]
    timing_ms: Timing
    segments: tuple[Segment, ...] | None = None
    channels: tuple[Channel, ...] | None = None
    request_id: str | None = None

    @property
    def label(self) -> str:
        """The likeliest emotion."""
        return self.probabilities[0].label

    @property
    def score(self) -> float:
        """Its probability."""
        return self.probabilities[0].score


@dataclass(frozen=True, slots=True)
class Ready:
    """What a stream is heard with; the first that it yields.

    Attributes:
        model: its name.
        sr: the rate that was declared, in Hz.
        window_s: how much each segment covers, in seconds.
        hop_s: from one segment to the next, in seconds.
        emotions: what the model tells apart, in the order of its output.
        encodings: how the service takes samples.
    """

    model: str
    sr: int
    window_s: float
    hop_s: float
    emotions: tuple[str, ...]
    encodings: tuple[str, ...] = ("pcm_s16",)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked for.

    Attributes:
        emotions: what it tells apart, in the order of its output.
        sample_rate: what recordings are resampled to, in Hz.
        metrics: how well it does: figures by name, by protocol.
        facts: everything that ``GET /models/{name}`` says.
    """

    name: str
    version: str
    description: str
    default: bool
    emotions: tuple[str, ...]
    sample_rate: int
    licence: str
    metrics: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a service, and which of them answers where none is named."""

    by_name: Mapping[str, Model]
    default: str


def prediction_of(reply: Mapping[str, Any]) -> Prediction:
    """The value for a reply of ``/predict``, and for a stream's summary."""
    channels = reply.get("channels")
    return Prediction(
        probabilities=_emotions(reply["probabilities"]),
        sentiment=(reply["sentiment"]["label"], reply["sentiment"]["score"]),
        audio=_known(Recording, reply["audio"]),
        model=(reply["model"]["name"], reply["model"]["version"]),
        warnings=_warnings(reply),
        timing_ms=_known(Timing, reply["timing_ms"]),
        segments=_segments(reply),
        channels=None if channels is None else tuple(map(channel_of, channels)),
        request_id=reply.get("request_id"),
    )


def channel_of(reply: Mapping[str, Any]) -> Channel:
    """The value for one entry of ``channels``."""
    sentiment, probabilities = reply["sentiment"], reply["probabilities"]
    return Channel(
        probabilities=None if probabilities is None else _emotions(probabilities),
        sentiment=None if sentiment is None else (sentiment["label"], sentiment["score"]),
        warnings=_warnings(reply),
        reason=reply["reason"],
        segments=_segments(reply),
    )


def segment_of(reply: Mapping[str, Any]) -> Segment:
    """The value for one entry of ``segments``."""
    probabilities = reply["probabilities"]
    heard = None if probabilities is None else _emotions(probabilities)
    return Segment(reply["start"], reply["end"], heard, reply["reason"])


def live_segment_of(event: Mapping[str, Any]) -> LiveSegment:
    """The value for a segment that a stream sends."""
    segment = segment_of(event)
    heard = segment.start, segment.end, segment.probabilities, segment.reason
    return LiveSegment(*heard, latency_ms=event["latency_ms"])


def ready_of(event: Mapping[str, Any]) -> Ready:
    """The value for a stream's first event."""
    encodings = event.get("encodings", ["pcm_s16"])  # an older service does not say
    said = {**event, "emotions": tuple(event["emotions"]), "encodings": tuple(encodings)}
    return _known(Ready, said)


def model_of(reply: Mapping[str, Any]) -> Model:
    """The value for a reply of ``/models/{name}``."""
    said = {**reply, "emotions": tuple(reply["emotions"]), "facts": MappingProxyType(dict(reply))}
    return _known(Model, said)


def models_of(reply: Mapping[str, Any]) -> Models:
    """The value for a reply of ``/models``."""
    models = {each["name"]: model_of(each) for each in reply["models"]}
    return Models(MappingProxyType(models), reply["default"])


def _emotions(replies: list[Mapping[str, Any]]) -> tuple[Emotion, ...]:
    return tuple(Emotion(each["label"], each["score"]) for each in replies)


def _segments(reply: Mapping[str, Any]) -> tuple[Segment, ...] | None:
    segments = reply.get("segments")
    return None if segments is None else tuple(map(segment_of, segments))


def _warnings(reply: Mapping[str, Any]) -> tuple[Notice, ...]:
    return tuple(Notice(each["code"], each["detail"]) for each in reply["warnings"])


def _known(kind: type[_Value], reply: Mapping[str, Any]) -> _Value:
    """A value of those entries that it has fields for: a newer service may say more."""
    return kind(**{field.name: reply[field.name] for field in fields(kind)})
