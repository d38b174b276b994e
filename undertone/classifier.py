"""A bundle that answers: sound in, emotions out. The Python API, and what the service is built from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from undertone import emotions
from undertone.audio import Audio, Notice, decode, from_array, read
from undertone.bundle import Bundle, Manifest, open_bundle, read_golden
from undertone.emotions import Sentiment
from undertone.engine import Engine
from undertone.errors import BundleMismatch
from undertone.features import extract
from undertone.spec import Spec

_PAUSE_DB = 40.0

_FEATURE_TOLERANCE = 0.1
_PROBABILITY_TOLERANCE = 1e-3
"""What another processor's arithmetic may change in the golden sample."""


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

    @property
    def label(self) -> str:
        """The likeliest emotion."""
        return self.probabilities[0].label

    @property
    def score(self) -> float:
        """Its probability."""
        return self.probabilities[0].score


class Classifier:
    """A loaded model. Made by `load`; safe to share between threads."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine

    @property
    def manifest(self) -> Manifest:
        """What the bundle says about itself."""
        return self.bundle.manifest

    @property
    def spec(self) -> Spec:
        """What the model hears."""
        return self.bundle.manifest.spec

    def predict(
        self, source: str | Path | bytes | NDArray[np.generic], sr: int | None = None
    ) -> Prediction:
        """Hear one clip.

        Args:
            source: a path, the bytes of a WAV file, or samples ``[n]`` or ``[n, channels]``
                (floats with full scale at 1, or integers).
            sr: the rate of ``source`` in Hz, for samples only.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
            OSError: there is no such file.
            TypeError: samples without their rate, or a rate for something that states its own.
        """
        started = time.perf_counter()
        audio = open_audio(source, self.spec.sr, sr)
        decoded = time.perf_counter()
        features = prepare(audio, self.spec)
        extracted = time.perf_counter()
        probabilities = self.engine.infer(features)
        inferred = time.perf_counter()
        timing = Timing(
            decode=1e3 * (decoded - started),
            features=1e3 * (extracted - decoded),
            inference=1e3 * (inferred - extracted),
            total=1e3 * (inferred - started),
        )
        return conclude(self.manifest, audio, probabilities, timing)

    def check_golden(self) -> Self:
        """Itself, if it still makes of the golden sample what it made when it was exported.

        Raises:
            BundleMismatch: it does not.
        """
        golden = read_golden(self.bundle)
        features = windows(golden.samples, self.spec)
        self._require("features", features, golden.features, _FEATURE_TOLERANCE)
        probabilities = self.engine.infer(features)
        self._require("probabilities", probabilities, golden.probabilities, _PROBABILITY_TOLERANCE)
        return self

    def _require(
        self, what: str, found: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float
    ) -> None:
        if found.shape != expected.shape:
            raise BundleMismatch(
                f"{self.bundle.path}: the {what} of the golden sample have shape {found.shape}, "
                f"exported was {expected.shape}; export the bundle again"
            )
        difference = float(np.max(np.abs(found - expected)))
        if not difference <= tolerance:
            raise BundleMismatch(
                f"{self.bundle.path}: the {what} of the golden sample differ by {difference:.2g} from "
                f"those exported (at most {tolerance:g}); export the bundle again"
            )


def load(path: str | Path, *, threads: int | None = None) -> Classifier:
    """The model in the bundle at ``path``: hashes verified, warmed, and checked against its golden sample.

    Raises:
        BundleError: it must not be served; the message says why, in one line.
    """
    bundle = open_bundle(path)
    classifier = Classifier(bundle, Engine(bundle, threads=threads)).check_golden()
    classifier.engine.warm()
    return classifier


def open_audio(
    source: str | Path | bytes | NDArray[np.generic], sr: int, source_sr: int | None = None
) -> Audio:
    """A path, the bytes of a WAV file, or samples at ``source_sr``, as mono sound at ``sr``.

    Raises:
        AudioError: as `undertone.audio` says.
        TypeError: samples without their rate, or a rate for something that states its own.
    """
    if isinstance(source, np.ndarray):
        if source_sr is None:
            raise TypeError("samples need their rate: predict(samples, sr=16000)")
        return from_array(source, source_sr, sr)
    if source_sr is not None:
        raise TypeError("sr is for samples only: a file states its own rate")
    return decode(source, sr) if isinstance(source, bytes) else read(source, sr)


def prepare(audio: Audio, spec: Spec) -> NDArray[np.float32]:
    """``float32[windows, frames, width]``: what the engine is asked about one clip."""
    return windows(audio.samples, spec)


def windows(samples: NDArray[np.float32], spec: Spec) -> NDArray[np.float32]:
    """The features of each window of a sound at ``spec.sr``, ``float32[windows, frames, width]``.

    A clip of up to ``spec.windows.clip_s`` is one window; a longer one is cut into windows of
    ``length_s`` every ``hop_s``, the last of which ends where the clip ends. Of those, windows that
    are `_PAUSE_DB` quieter than the loudest are left out: silence has no emotion and gets no vote.
    """
    starts = window_starts(samples.size, spec)
    if len(starts) == 1:
        return extract(samples, spec)[None]
    length = round(spec.windows.length_s * spec.sr)
    parts = [samples[start : start + length] for start in starts]
    power = np.array([np.dot(part, part) for part in parts])
    audible = power >= power.max() * 10 ** (-_PAUSE_DB / 10)
    return np.stack(
        [extract(part, spec) for part, heard in zip(parts, audible, strict=True) if heard]
    )


def window_starts(n_samples: int, spec: Spec) -> Sequence[int]:
    """Where the windows of a clip of ``n_samples`` begin, in samples."""
    if n_samples <= round(spec.windows.clip_s * spec.sr):
        return (0,)
    length, hop = round(spec.windows.length_s * spec.sr), round(spec.windows.hop_s * spec.sr)
    last = n_samples - length
    starts = list(range(0, last + 1, hop))
    # What is left over at the end is a window of its own only if it says much that is new.
    if last - starts[-1] < hop / 2:
        return [*starts[:-1], last]
    return [*starts, last]


def conclude(
    manifest: Manifest, audio: Audio, probabilities: NDArray[np.float32], timing: Timing
) -> Prediction:
    """The answer for one clip: the mean over its windows, ``float32[windows, emotions]``, made exact."""
    mean = probabilities.astype(np.float64).mean(axis=0)
    scores = (mean / mean.sum()).tolist()
    ranked = sorted(
        (Emotion(label, score) for label, score in zip(manifest.emotions, scores, strict=True)),
        key=lambda emotion: -emotion.score,
    )
    return Prediction(
        probabilities=tuple(ranked),
        sentiment=emotions.sentiment(manifest.emotions, scores),
        audio=audio,
        model=(manifest.name, manifest.version),
        warnings=audio.warnings,
        timing_ms=timing,
    )
