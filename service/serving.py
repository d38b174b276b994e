"""From the bytes of an upload to a prediction, without HTTP: what runs where, how much at once."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Final, TypeVar, TypeVarTuple, Unpack

import anyio
import numpy as np
from numpy.typing import NDArray

from service.batcher import Batcher
from service.crew import ASIDE, Crew
from service.helpers import Helpers, NoHelper
from service.metrics import Metrics
from service.models import Models
from service.preparation import Data, Prepared, begin, decode_and_begin
from service.settings import Settings
from service.upload import SHORT, Upload
from undertone.audio import Audio, decode_channels
from undertone.classifier import Classifier
from undertone.errors import UnusableAudio
from undertone.plan import prepare
from undertone.prediction import Prediction, Timing
from undertone.spec import Spec
from undertone.wav import parse

SHORT_S: Final = 10.0
"""Of a recording that is decoded in a few milliseconds, whatever its rate, and has one window."""

LONG_S: Final = 60.0
"""Of a recording that takes long to decode and to look through; one thread is kept from these."""

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class Serving:
    """The models, with a queue for each, and the threads that compute. Made on the event loop."""

    def __init__(
        self, models: Models, settings: Settings, metrics: Metrics, helpers: Helpers
    ) -> None:
        self.models = models
        self.limits = settings.limits
        self.patience_s = settings.upload_timeout_s
        self._crew = Crew(settings.crew)
        self._helpers = helpers
        metrics.helpers.set_function(lambda: helpers.n_ready)
        self._long = anyio.CapacityLimiter(ASIDE - 1)
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
        with self._helpers.request():
            return await self._predict(upload, classifier, segments, split)

    async def _predict(
        self, upload: Upload, classifier: Classifier, segments: bool, split: bool
    ) -> Prediction:
        started = time.perf_counter()
        spec, limits = classifier.spec, self.limits
        if not split and (file := upload.at_once()) is not None:
            heard = await self._heard(file, spec, segments)
        else:
            async with self._alone_if(len(upload) > SHORT):
                if split:  # the file is read twice
                    upload = Upload(await self.in_thread(upload.audio))
                heard = await self.in_thread(
                    lambda: decode_and_begin(upload.audio(), spec, limits, segments)
                )
        prediction = await self._go_on(heard, classifier, started)
        if not split:
            return prediction
        async with self._alone_if(len(upload) > SHORT):
            apart = await self.in_thread(decode_channels, upload.body, spec.sr, limits)
        channels = [await self._channel(audio, classifier, segments) for audio in apart]
        total = 1e3 * (time.perf_counter() - started)
        return replace(
            prediction,
            channels=tuple(channels),
            timing_ms=replace(prediction.timing_ms, total=total),
        )

    async def _heard(self, file: Data, spec: Spec, segments: bool) -> Prepared:
        """A small file, made ready for the network: in a thread where it takes longer.

        What is short is done on the event loop, or by a helper where many come.
        """
        limits = self.limits
        info = parse(file, limits)
        if info.duration_s > min(SHORT_S, spec.windows.clip_s) or segments:
            async with self._alone_if(info.duration_s > LONG_S):
                return await self.in_thread(decode_and_begin, file, spec, limits, segments)
        if self._helpers.is_crowded:
            with suppress(NoHelper):
                return await self._helpers.prepare(file, spec)
        return await self.in_turn(decode_and_begin, file, spec, limits, segments)

    async def _channel(
        self, audio: Audio | UnusableAudio, classifier: Classifier, segments: bool
    ) -> Prediction | UnusableAudio:
        if isinstance(audio, UnusableAudio):
            return audio
        started = time.perf_counter()
        try:
            heard = await self.in_thread(begin, audio, classifier.spec, segments)
            return await self._go_on(heard, classifier, started)
        except UnusableAudio as error:
            return error

    async def _go_on(self, heard: Prepared, classifier: Classifier, started: float) -> Prediction:
        """Ask about one batch of windows after the other: a clip has one, ten minutes have many."""
        audio, spec = heard.audio, classifier.spec
        features, features_ms, inference_ms = heard.features, heard.features_ms, 0.0
        answers = []
        for number, spans in enumerate(heard.plan.batches):
            begun = time.perf_counter()
            if number:
                features = await self.in_thread(prepare, audio.samples, spans, spec)
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
        return heard.plan.conclude(classifier.manifest, audio, answers, timing)

    def _alone_if(self, long: bool) -> AbstractAsyncContextManager[None]:
        """What is ``long`` waits until nothing else that is so is being done."""
        return self._long if long else nullcontext()

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
        return await self._crew.do_aside(work, *arguments)

    async def in_turn(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        """What ``work`` returns, done on the event loop: for a few milliseconds of it."""
        return await self._crew.do_in_turn(work, *arguments)

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
