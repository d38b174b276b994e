"""From the bytes of an upload to a prediction, without HTTP: what runs where, how much at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from service.batcher import Batcher
from service.metrics import Metrics
from service.models import Models
from service.settings import Settings
from undertone.audio import Audio, Limits, decode
from undertone.classifier import Classifier
from undertone.plan import Plan, make_plan, prepare
from undertone.prediction import Prediction, Timing
from undertone.spec import Spec

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
    """The models, with a thread and a queue for each, and a few threads that decode."""

    def __init__(self, models: Models, settings: Settings, metrics: Metrics) -> None:
        self.models = models
        self.limits = settings.limits
        self._decoders = anyio.CapacityLimiter(settings.decoders)
        self._metrics = metrics
        self._batchers: dict[str, Batcher] = {}

    async def predict(
        self, data: bytes | bytearray, classifier: Classifier, *, segments: bool = False
    ) -> Prediction:
        """Hear the WAV file ``data``; cancel to let go of it.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
        """
        started = time.perf_counter()
        heard = await self._in_thread(_hear, data, classifier.spec, self.limits, segments)
        return await self._answer(heard, classifier, started)

    async def _answer(self, heard: _Heard, classifier: Classifier, started: float) -> Prediction:
        batcher = self._batcher(classifier)
        features, features_ms, inference_s = heard.features, heard.features_ms, 0.0
        answers = []
        for number, spans in enumerate(heard.plan.batches):
            if number:
                begun = time.perf_counter()
                samples = heard.audio.samples
                features = await self._in_thread(prepare, samples, spans, classifier.spec)
                features_ms += 1e3 * (time.perf_counter() - begun)
            asked = time.perf_counter()
            answers.append(await batcher.infer(features))
            inference_s += time.perf_counter() - asked
        timing = Timing(
            decode=heard.decode_ms,
            features=features_ms,
            inference=1e3 * inference_s,
            total=1e3 * (time.perf_counter() - started),
        )
        return heard.plan.conclude(classifier.manifest, heard.audio, answers, timing)

    async def _in_thread(
        self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments
    ) -> Result:
        return await to_thread.run_sync(work, *arguments, limiter=self._decoders)

    def _batcher(self, classifier: Classifier) -> Batcher:
        """The queue of a model, made when the model is first asked."""
        name = classifier.manifest.name
        if name not in self._batchers:
            batcher = Batcher(
                classifier.engine.infer,
                self._metrics.batch_rows.labels(name).observe,
                self._metrics.queue_wait.labels(name).observe,
            )
            self._metrics.queue_length.labels(name).set_function(batcher.__len__)
            self._batchers[name] = batcher
        return self._batchers[name]

    def close(self) -> None:
        """End the models' threads."""
        for batcher in self._batchers.values():
            batcher.close()


def _hear(data: bytes | bytearray, spec: Spec, limits: Limits, segments: bool) -> _Heard:
    """What a clip needs before the network: all of it for most, the first batch of a long one."""
    started = time.perf_counter()
    audio = decode(data, spec.sr, limits)
    decoded = time.perf_counter()
    plan = make_plan(audio.samples, spec, segments=segments)
    features = prepare(audio.samples, next(plan.batches, ()), spec)
    extracted = time.perf_counter()
    return _Heard(audio, plan, features, 1e3 * (decoded - started), 1e3 * (extracted - decoded))
