"""From the bytes of an upload to a prediction, without HTTP: what runs where, how much at once."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final, TypeVar, TypeVarTuple, Unpack

import anyio
import numpy as np
from numpy.typing import NDArray

from service.batcher import Batcher
from service.crew import Crew
from service.metrics import Metrics
from service.models import Models
from service.settings import Settings
from service.upload import Upload
from undertone.audio import Audio, Limits, decode, decode_channels
from undertone.classifier import Classifier
from undertone.errors import UnusableAudio
from undertone.plan import Plan, make_plan, prepare
from undertone.prediction import Prediction, Timing
from undertone.spec import Spec

LONG: Final = 1024 * 1024
"""Bytes of an upload that takes long to decode; one thread is kept from these, where there are two."""

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Heard:
    audio: Audio
    plan: Plan
    features: NDArray[np.float32]
    decode_ms: float
    features_ms: float


class Serving:
    """The models, with a queue for each, and the threads that compute. Made on the event loop."""

    def __init__(self, models: Models, settings: Settings, metrics: Metrics) -> None:
        self.models = models
        self.limits = settings.limits
        self.patience_s = settings.upload_timeout_s
        self._crew = Crew(settings.crew)
        self._long = anyio.CapacityLimiter(max(1, settings.crew - 1))
        self._metrics = metrics
        self._batchers: dict[str, Batcher] = {}

    async def predict(
        self,
        upload: Upload,
        classifier: Classifier,
        *,
        segments: bool = False,
        split: bool = False,
    ) -> Prediction:
        """Hear the WAV file in ``upload``; cancel to let go of it.

        Args:
            upload: as it came.
            classifier: what is to hear it.
            segments: whether to tell the emotion over time, too.
            split: whether to hear each channel for itself, too.

        Raises:
            MalformedRequest: the form cannot be read, or does not hold exactly one file.
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
            Overloaded: the queue of the model is full.
        """
        started = time.perf_counter()
        spec, is_long = classifier.spec, len(upload) > LONG
        async with self._long if is_long else nullcontext():
            if split:  # the file is read twice
                upload = Upload(await self.in_thread(upload.audio))
            heard = await self.in_thread(_decode_and_begin, upload, spec, self.limits, segments)
        prediction = await self._go_on(heard, classifier, started)
        if not split:
            return prediction
        async with self._long if is_long else nullcontext():
            apart = await self.in_thread(decode_channels, upload.body, spec.sr, self.limits)
        channels = [await self._channel(audio, classifier, segments) for audio in apart]
        total = 1e3 * (time.perf_counter() - started)
        return replace(
            prediction,
            channels=tuple(channels),
            timing_ms=replace(prediction.timing_ms, total=total),
        )

    async def _channel(
        self, audio: Audio | UnusableAudio, classifier: Classifier, segments: bool
    ) -> Prediction | UnusableAudio:
        if isinstance(audio, UnusableAudio):
            return audio
        started = time.perf_counter()
        heard = await self.in_thread(_begin, audio, classifier.spec, segments)
        try:
            return await self._go_on(heard, classifier, started)
        except UnusableAudio as error:
            return error

    async def _go_on(self, heard: _Heard, classifier: Classifier, started: float) -> Prediction:
        """Ask about one batch of windows after the other: a clip has one, ten minutes have many."""
        features, features_ms, inference_ms = heard.features, heard.features_ms, 0.0
        answers = []
        for number, spans in enumerate(heard.plan.batches):
            begun = time.perf_counter()
            if number:
                features = await self.in_thread(
                    prepare, heard.audio.samples, spans, classifier.spec
                )
            asked = time.perf_counter()
            answers.append(await self.infer(classifier, features))
            features_ms += 1e3 * (asked - begun)
            inference_ms += 1e3 * (time.perf_counter() - asked)
        timing = Timing(
            decode=heard.decode_ms,
            features=features_ms,
            inference=inference_ms,
            total=1e3 * (time.perf_counter() - started),
        )
        return heard.plan.conclude(classifier.manifest, heard.audio, answers, timing)

    async def infer(
        self, classifier: Classifier, features: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``, by the queue of the model.

        Raises:
            Overloaded: the queue is full.
        """
        if not len(features):
            return np.zeros((0, len(classifier.manifest.emotions)), np.float32)
        return await self._batcher(classifier).infer(features)

    async def in_thread(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        """What ``work`` returns, done beside the event loop by the first thread that is free."""
        return await self._crew.do(work, *arguments)

    def _batcher(self, classifier: Classifier) -> Batcher:
        """The queue of a model, made when the model is first asked."""
        name = classifier.manifest.name
        if name not in self._batchers:
            batcher = Batcher(
                classifier.engine.infer,
                self._crew,
                self._metrics.batch_rows.labels(name).observe,
                self._metrics.queue_wait.labels(name).observe,
            )
            self._metrics.queue_length.labels(name).set_function(batcher.__len__)
            self._batchers[name] = batcher
        return self._batchers[name]

    def close(self) -> None:
        """Withdraw what waits, and end the threads."""
        for batcher in self._batchers.values():
            batcher.close()
        self._crew.close()


def _decode_and_begin(upload: Upload, spec: Spec, limits: Limits, segments: bool) -> _Heard:
    started = time.perf_counter()
    audio = decode(upload.audio(), spec.sr, limits)
    decode_ms = 1e3 * (time.perf_counter() - started)
    return replace(_begin(audio, spec, segments), decode_ms=decode_ms)


def _begin(audio: Audio, spec: Spec, segments: bool) -> _Heard:
    """What a clip needs before the network: all of it for most, the first batch of a long one."""
    started = time.perf_counter()
    plan = make_plan(audio.samples, spec, segments=segments)
    features = prepare(audio.samples, next(plan.batches, ()), spec)
    return _Heard(audio, plan, features, 0.0, 1e3 * (time.perf_counter() - started))
