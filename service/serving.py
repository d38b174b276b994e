"""From the bytes of an upload to a prediction, without HTTP: what runs where, how much at once."""

import time
from dataclasses import dataclass

import anyio
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray

from service.batcher import Batcher
from service.metrics import Metrics
from service.models import Models
from service.settings import Settings
from undertone.audio import Audio, Limits, decode
from undertone.classifier import Classifier, Prediction, Timing, conclude, prepare
from undertone.spec import Spec


@dataclass(frozen=True, slots=True)
class _Heard:
    audio: Audio
    features: NDArray[np.float32]
    decode_ms: float
    features_ms: float


class Serving:
    """The loaded models, with a thread and a queue for each, and a few threads that decode."""

    def __init__(self, models: Models, settings: Settings, metrics: Metrics) -> None:
        self.models = models
        self.limits = settings.limits
        self._decoders = anyio.CapacityLimiter(settings.decoders)
        self._metrics = metrics
        self._batchers: dict[str, Batcher] = {}

    async def predict(self, data: bytes | bytearray, classifier: Classifier) -> Prediction:
        """Hear the WAV file ``data``; cancel to let go of it.

        Raises:
            AudioError: it cannot be read, or there is nothing in it to hear an emotion in.
        """
        started = time.perf_counter()
        heard = await to_thread.run_sync(
            _hear, data, classifier.spec, self.limits, limiter=self._decoders
        )
        asked = time.perf_counter()
        probabilities = await self._batcher(classifier).infer(heard.features)
        answered = time.perf_counter()
        timing = Timing(
            decode=heard.decode_ms,
            features=heard.features_ms,
            inference=1e3 * (answered - asked),
            total=1e3 * (answered - started),
        )
        return conclude(classifier.manifest, heard.audio, probabilities, timing)

    def _batcher(self, classifier: Classifier) -> Batcher:
        """The queue of a model, made when the model is first asked."""
        name = classifier.manifest.name
        if name not in self._batchers:
            batcher = Batcher(
                classifier.engine.infer, self._metrics.batch_rows.labels(name).observe
            )
            self._metrics.queue_length.labels(name).set_function(batcher.__len__)
            self._batchers[name] = batcher
        return self._batchers[name]

    def close(self) -> None:
        """End the models' threads."""
        for batcher in self._batchers.values():
            batcher.close()


def _hear(data: bytes | bytearray, spec: Spec, limits: Limits) -> _Heard:
    started = time.perf_counter()
    audio = decode(data, spec.sr, limits)
    decoded = time.perf_counter()
    features = prepare(audio, spec)
    extracted = time.perf_counter()
    return _Heard(audio, features, 1e3 * (decoded - started), 1e3 * (extracted - decoded))
