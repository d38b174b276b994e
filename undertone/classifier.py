"""A bundle that answers: sound in, emotions out. The Python API, and what the service is built from."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from undertone.audio import Audio, Limits, Sound, open_audio, open_channels
from undertone.bundle import Bundle, Manifest, open_bundle, read_golden
from undertone.engine import Engine, open_engine
from undertone.errors import BundleMismatch, UnusableAudio
from undertone.listener import Listener
from undertone.plan import make_plan, prepare
from undertone.prediction import Prediction, Timing
from undertone.spec import Spec
from undertone.timeline import Grid

_FEATURE_TOLERANCE = 0.1
_PROBABILITY_TOLERANCE = 1e-3
"""What another processor's arithmetic may change in the golden sample."""


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
        self,
        source: Sound,
        sr: int | None = None,
        *,
        segments: bool = False,
        split_channels: bool = False,
        limits: Limits | None = None,
    ) -> Prediction:
        """Hear one clip.

        Args:
            source: a path, the bytes of a WAV file, or samples ``[n]`` or ``[n, channels]``
                (floats with full scale at 1, or integers).
            sr: the rate of ``source`` in Hz, for samples only.
            segments: whether to tell the emotion over time, too; it changes nothing else.
            split_channels: whether to hear each channel for itself, too, as of a call in stereo.
            limits: what the clip has to keep within; the defaults of `Limits` where left out.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
            OSError: there is no such file.
            TypeError: samples without their rate, or a rate for something that states its own.
        """
        started = time.perf_counter()
        if not split_channels:
            audio = open_audio(source, self.spec.sr, sr, limits)
            return self._hear(audio, started, segments)
        audio, apart = open_channels(source, self.spec.sr, sr, limits)
        whole = self._hear(audio, started, segments)
        channels = tuple(self._channel(each, segments) for each in apart)
        total = 1e3 * (time.perf_counter() - started)
        return replace(whole, channels=channels, timing_ms=replace(whole.timing_ms, total=total))

    def _channel(self, audio: Audio | UnusableAudio, segments: bool) -> Prediction | UnusableAudio:
        if isinstance(audio, UnusableAudio):
            return audio
        try:
            return self._hear(audio, time.perf_counter(), segments)
        except UnusableAudio as error:
            return error

    def _hear(self, audio: Audio, started: float, segments: bool) -> Prediction:
        decoded = time.perf_counter()
        plan = make_plan(audio.samples, self.spec, segments=segments)
        answers, features_s = [], time.perf_counter() - decoded
        for spans in plan.batches:
            begun = time.perf_counter()
            matrices = prepare(audio.samples, spans, self.spec)
            features_s += time.perf_counter() - begun
            answers.append(self.engine.infer(matrices))
        ended = time.perf_counter()
        timing = Timing(
            decode=1e3 * (decoded - started),
            features=1e3 * features_s,
            inference=1e3 * (ended - decoded - features_s),
            total=1e3 * (ended - started),
        )
        return plan.conclude(self.manifest, audio, answers, timing)

    def listen(self, sr: int, limits: Limits | None = None) -> Listener:
        """Hear somebody while they speak: sound goes in block by block, segments come out.

        Args:
            sr: the rate of what will be pushed, in Hz.
            limits: what the whole has to keep within; the defaults of `Limits` where left out.

        Raises:
            UnsupportedAudio: ``sr`` is outside the limits.
        """
        return Listener(self, sr, limits)

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
    engine = open_engine(bundle, threads=threads)
    engine.warm()
    return Classifier(bundle, engine).check_golden()


def windows(samples: NDArray[np.float32], spec: Spec) -> NDArray[np.float32]:
    """The features of the windows that vote for the answer, ``float32[windows, frames, width]``.

    Of a clip of up to ``spec.windows.clip_s`` it is one, which holds all of it; see
    `undertone.timeline` for longer ones. Whether somebody speaks in them is not asked here.
    """
    return prepare(samples, Grid.of(spec).voters(samples.size), spec)
