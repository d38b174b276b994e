"""`undertone.Listener` for a service: what it asks goes through the queue of its model, like any request."""

import time
from collections.abc import AsyncIterator
from typing import Any, Final

from numpy.typing import NDArray

from service.serving import Serving
from undertone.classifier import Classifier
from undertone.listener import Ear, Question
from undertone.prediction import Prediction, Segment, Timing

BLOCK: Final = 2**15
"""Samples that are taken in at a time, on the event loop: about half a millisecond."""

FEW: Final = 2
"""Windows that are prepared on the event loop; who speaks as fast as people do completes one at a time."""

AT_ONCE: Final = 16
"""Windows that are asked about at a time, where a client sends more than one."""


class Listening:
    """One voice, and one model that hears it. Holds a few seconds of sound, never more."""

    def __init__(self, serving: Serving, classifier: Classifier, sample_rate: int) -> None:
        """Begin to listen.

        Raises:
            UnsupportedAudio: ``sample_rate`` (Hz) is outside the limits.
        """
        self.ear = Ear(classifier.manifest, sample_rate, serving.limits)
        self._serving = serving
        self._classifier = classifier
        self._started = time.perf_counter()
        self._taking_s = self._features_s = self._inference_s = 0.0

    async def push(self, samples: NDArray[Any]) -> AsyncIterator[tuple[Segment, ...]]:
        """The next samples, ``[n]`` of one channel; the segments that they complete.

        Raises:
            AudioTooLong: the whole is longer than the limits allow.
        """
        questions: list[Question] = []
        for start in range(0, samples.size, BLOCK):
            begun = time.perf_counter()
            questions += self.ear.push(samples[start : start + BLOCK])
            self._taking_s += time.perf_counter() - begun
            if questions and (len(questions) >= AT_ONCE or start + BLOCK >= samples.size):
                yield await self._hear(questions)
                questions = []

    async def finish(self) -> tuple[tuple[Segment, ...], Prediction]:
        """The segments that only the end completes, and the answer for the whole.

        Raises:
            AudioTooShort, NoSpeech: there is nothing in the whole of it to hear an emotion in.
        """
        segments = await self._hear(self.ear.finish())
        timing = Timing(
            decode=1e3 * self._taking_s,
            features=1e3 * self._features_s,
            inference=1e3 * self._inference_s,
            total=1e3 * (time.perf_counter() - self._started),
        )
        return segments, self.ear.conclude(timing)

    async def _hear(self, questions: list[Question]) -> tuple[Segment, ...]:
        begun = time.perf_counter()
        few = len(questions) <= FEW
        do = self._serving.in_turn if few else self._serving.in_thread
        prepared = await do(self.ear.prepare, questions)
        asked = time.perf_counter()
        answers = await self._serving.infer(self._classifier, prepared.features)
        self._features_s += asked - begun
        self._inference_s += time.perf_counter() - asked
        return self.ear.take(prepared, answers)
