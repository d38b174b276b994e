"""What a model hears, as values: emotions, segments, the answer for a whole recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertone import emotions
from undertone.audio import Audio, Notice
from undertone.bundle import Manifest
from undertone.emotions import Sentiment
from undertone.errors import UnusableAudio
from undertone.timeline import Span

DOUBT: Final = "low_confidence"
"""The code of a warning: do not count on the answer."""


@dataclass(frozen=True, slots=True)
class Emotion:
    """One emotion and its probability."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds spent on one prediction."""

    decode: float
    features: float
    inference: float
    total: float


@dataclass(frozen=True, slots=True)
class Segment:
    """What a model hears in one window of a recording."""

    start: float
    """In seconds from the beginning of the recording."""
    end: float
    """In seconds. Segments overlap: each says what the last few seconds before its end sound like."""
    probabilities: tuple[Emotion, ...] | None
    """Every emotion the model knows, likeliest first; None where there was nothing to hear one in."""
    reason: str | None = None
    """Why there is nothing: a code of `undertone.errors`, such as ``no_speech``."""

    @property
    def label(self) -> str | None:
        """The likeliest emotion."""
        return self.probabilities[0].label if self.probabilities else None

    @property
    def score(self) -> float | None:
        """Its probability."""
        return self.probabilities[0].score if self.probabilities else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model hears in one clip."""

    probabilities: tuple[Emotion, ...]
    """Every emotion the model knows, likeliest first; the scores sum to 1."""
    sentiment: tuple[Sentiment, float]
    audio: Audio
    model: tuple[str, str]
    """Name and version."""
    warnings: tuple[Notice, ...]
    timing_ms: Timing
    segments: tuple[Segment, ...] | None = None
    """The emotion over time, where it was asked for."""
    channels: "tuple[Prediction | UnusableAudio, ...] | None" = None
    """Each channel for itself, where it was asked for: an answer, or why there is none."""

    @property
    def label(self) -> str:
        """The likeliest emotion."""
        return self.probabilities[0].label

    @property
    def score(self) -> float:
        """Its probability."""
        return self.probabilities[0].score


def conclude(
    manifest: Manifest,
    audio: Audio,
    votes: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    timing: Timing,
    segments: tuple[Segment, ...] | None = None,
) -> Prediction:
    """The answer for one clip: the mean over the windows that vote, ``float32[windows, emotions]``."""
    ranked = _ranked(manifest, votes)
    scores = {emotion.label: emotion.score for emotion in ranked}
    return Prediction(
        probabilities=ranked,
        sentiment=emotions.sentiment(list(scores), list(scores.values())),
        audio=audio,
        model=(manifest.name, manifest.version),
        warnings=audio.warnings + _doubt(manifest, audio, ranked[0].score),
        timing_ms=timing,
        segments=segments,
    )


def segment(
    manifest: Manifest, span: Span, probabilities: NDArray[np.float32] | None, reason: str | None
) -> Segment:
    """The answer for one window, from its ``float32[emotions]``; None with a reason."""
    sr = manifest.spec.sr
    ranked = None if probabilities is None else _ranked(manifest, probabilities[np.newaxis])
    return Segment(span.start / sr, span.end / sr, ranked, reason)


def _doubt(manifest: Manifest, audio: Audio, score: float) -> tuple[Notice, ...]:
    """A warning where the model is less sure than it is of most clips, unless there is one already."""
    least = manifest.abstention_threshold
    if least is None or score >= least or any(each.code == DOUBT for each in audio.warnings):
        return ()
    detail = (
        f"The likeliest emotion has a probability of {score:.2f}. Below {least:.2f}, which four in five "
        "clips reach, this model errs more often: you may rather not count on the answer."
    )
    return (Notice(DOUBT, detail),)


def _ranked(
    manifest: Manifest, rows: Sequence[NDArray[np.float32]] | NDArray[np.float32]
) -> tuple[Emotion, ...]:
    """The mean of ``float32[windows, emotions]``, made to sum to 1 exactly, likeliest first."""
    summed = np.add.reduce(np.asarray(rows, np.float64))
    scores = (summed / summed.sum()).tolist()
    return tuple(
        sorted(
            (Emotion(label, score) for label, score in zip(manifest.emotions, scores, strict=True)),
            key=lambda emotion: -emotion.score,
        )
    )
