"""Listening while somebody speaks: sound in, block by block; a segment out for each window.

`Listener` is for programs that hold a model themselves; `Ear` is all of it but the network, for those
that put their questions to a queue, as the service does. What comes out at the end is what
`undertone.Classifier.predict` makes of the same samples with ``segments=True``.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from undertone.audio import Audio, require_sound
from undertone.features import extract_all
from undertone.limits import Limits, check_duration, check_format
from undertone.pcm import array_encoding, to_float
from undertone.prediction import Prediction, Segment, Timing, conclude, segment
from undertone.resample import Resampler
from undertone.speech import Verdict, heed, judge
from undertone.survey import Survey
from undertone.timeline import Grid, Reel, Span

if TYPE_CHECKING:
    from undertone.bundle import Manifest
    from undertone.classifier import Classifier
    from undertone.spec import Spec


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A window that is complete.

    Attributes:
        span: where it lies, in samples at the spec's rate.
        samples: float32[n], its sound.
        shown: whether it becomes a segment, or is asked for the answer to the whole alone.
    """

    span: Span
    samples: NDArray[np.float32]
    shown: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Questions, ready to be put.

    Attributes:
        questions: in order.
        verdicts: whether somebody speaks, for each of them.
        features: float32[n, frames, width], what to ask the network about the ``n`` in which
            somebody does.
    """

    questions: tuple[Question, ...]
    verdicts: tuple[Verdict, ...]
    features: NDArray[np.float32]


class Ear:
    """One voice, as it comes in: resampled by one stateful resampler, cut into windows.

    Holds no more sound than the spec's ``clip_s``. Not for use by several threads at once.
    """

    def __init__(
        self, manifest: "Manifest", sample_rate: int, limits: Limits | None = None
    ) -> None:
        """Begin to listen.

        Args:
            manifest: of the model that is to be asked.
            sample_rate: of what will be pushed, in Hz.
            limits: what the whole has to keep within; the defaults of `Limits` where left out.

        Raises:
            UnsupportedAudio: ``sample_rate`` is outside the limits.
        """
        self._limits = limits or Limits()
        check_format(sample_rate, 1, self._limits)
        self.manifest = manifest
        self._sample_rate = sample_rate
        self._resampler = Resampler(sample_rate, manifest.spec.sr)
        self._grid = Grid.of(manifest.spec)
        self._reel = Reel(self._grid)
        self._survey = Survey(1)
        self._encoding = "pcm_s16"
        self._low, self._high = np.inf, -np.inf
        self._heard: dict[Span, tuple[Verdict, NDArray[np.float32] | None]] = {}
        self._segments: list[Segment] = []

    @property
    def spec(self) -> "Spec":
        """What the model hears."""
        return self.manifest.spec

    @property
    def window_s(self) -> float:
        """How much of the sound before its end a window holds, in seconds."""
        return self._grid.length / self.spec.sr

    @property
    def hop_s(self) -> float:
        """How far apart the ends of two windows are, in seconds."""
        return self._grid.hop / self.spec.sr

    @property
    def duration_s(self) -> float:
        """How much was pushed, in seconds."""
        return self._survey.n_frames / self._sample_rate

    def push(self, samples: NDArray[Any]) -> list[Question]:
        """The next samples; the windows that they complete.

        Args:
            samples: ``[n]``, as `undertone.audio.from_array` takes them, but of one channel.

        Raises:
            UnsupportedAudio: another dtype or shape.
            AudioTooLong: the whole is longer than the limits allow.
            NotFinite: there are samples that are no numbers.
        """
        encoding = array_encoding(samples, (1,))
        check_duration(self.duration_s + samples.size / self._sample_rate, self._limits)
        self._encoding = encoding
        block = to_float(samples, encoding)
        self._survey.add(block[:, np.newaxis])
        return self._questions(self._resampler.push(block))

    def finish(self) -> list[Question]:
        """What the end of the sound adds; nothing may be pushed afterwards.

        Raises:
            AudioTooShort, NoSpeech: it is too short, or silent.
        """
        questions = self._questions(self._resampler.finish())
        require_sound(self.duration_s, (self._high - self._low) / 2, self._limits)
        n_samples = self._reel.n_samples
        last, whole = self._grid.last(n_samples), Span(0, n_samples)
        if last is not None:
            questions.append(Question(last, self._reel.cut(last)))
        if n_samples <= self._grid.clip and whole not in self._grid.spans(n_samples):
            questions.append(Question(whole, self._reel.cut(whole), shown=False))
        return questions

    def prepare(self, questions: Sequence[Question]) -> Prepared:
        """The work of a millisecond or two for each question; it may be done in another thread."""
        verdicts = tuple(judge(question.samples, self.spec.sr) for question in questions)
        spoken = (
            question.samples
            for question, verdict in zip(questions, verdicts, strict=True)
            if verdict.reason is None
        )
        return Prepared(tuple(questions), verdicts, extract_all(spoken, self.spec))

    def take(self, prepared: Prepared, probabilities: NDArray[np.float32]) -> tuple[Segment, ...]:
        """The segments that follow from the network's answers, ``float32[n, emotions]``."""
        answers = iter(probabilities)
        segments = []
        for question, verdict in zip(prepared.questions, prepared.verdicts, strict=True):
            answer = next(answers) if verdict.reason is None else None
            self._heard[question.span] = (verdict, answer)
            if question.shown:
                segments.append(segment(self.manifest, question.span, answer, verdict.reason))
        self._segments += segments
        return tuple(segments)

    def conclude(self, timing: Timing) -> Prediction:
        """The answer for the whole, after `finish` and once all its questions were taken.

        Its ``audio`` has no samples: they were not kept.

        Raises:
            NoSpeech: nobody speaks in it.
        """
        votes = [self._heard[span] for span in self._grid.voters(self._reel.n_samples)]
        doubts = heed(verdict for verdict, _ in votes)
        audio = Audio(
            samples=np.zeros(0, np.float32),
            sr=self.spec.sr,
            duration_s=self.duration_s,
            sample_rate=self._sample_rate,
            channels=1,
            encoding=self._encoding,
            warnings=self._survey.warnings + doubts,
        )
        answers = [answer for _, answer in votes if answer is not None]
        return conclude(self.manifest, audio, answers, timing, tuple(self._segments))

    def _questions(self, block: NDArray[np.float32]) -> list[Question]:
        if block.size:
            self._low = min(self._low, float(block.min()))
            self._high = max(self._high, float(block.max()))
        return [Question(span, samples) for span, samples in self._reel.push(block)]


class Listener:
    """A model that hears one voice while it speaks.

    .. code-block:: python

        listener = model.listen(sr=48_000)
        for block in microphone:  # int16[n] or float32[n], of any length
            for segment in listener.push(block):
                print(segment.end, segment.label, segment.score)
        print(listener.finish().label)

    Not for use by several threads at once.
    """

    def __init__(self, classifier: "Classifier", sr: int, limits: Limits | None = None) -> None:
        """Begin to listen; `undertone.Classifier.listen` does it.

        Args:
            classifier: the model.
            sr: the rate of what will be pushed, in Hz.
            limits: what the whole has to keep within; the defaults of `Limits` where left out.

        Raises:
            UnsupportedAudio: ``sr`` is outside the limits.
        """
        self._engine = classifier.engine
        self._ear = Ear(classifier.manifest, sr, limits)
        self._features_s = self._inference_s = 0.0

    @property
    def window_s(self) -> float:
        """How much of the sound before its end a segment is about, in seconds."""
        return self._ear.window_s

    @property
    def hop_s(self) -> float:
        """How far apart the ends of two segments are, in seconds."""
        return self._ear.hop_s

    def push(self, samples: NDArray[Any]) -> tuple[Segment, ...]:
        """The next samples of the sound, ``[n]``, of any length; the segments that they complete.

        Args:
            samples: float32 or float64 (1.0 is full scale), int16, int32 or uint8; one channel.

        Returns:
            One segment for every ``hop_s`` seconds that are now complete; often none.

        Raises:
            UnsupportedAudio: another dtype or shape.
            AudioTooLong: the whole is longer than the limits allow.
            NotFinite: there are samples that are no numbers.
        """
        return self._hear(self._ear.push(samples))

    def finish(self) -> Prediction:
        """The answer for the whole, with all segments; nothing may be pushed afterwards.

        It is what `Classifier.predict` answers for the same samples with ``segments=True``, but that
        its ``audio.samples`` are empty. The end may complete one more segment, the last of them.

        Raises:
            AudioTooShort, NoSpeech: there is nothing in the whole of it to hear an emotion in.
        """
        self._hear(self._ear.finish())
        features, inference = 1e3 * self._features_s, 1e3 * self._inference_s
        return self._ear.conclude(Timing(0.0, features, inference, features + inference))

    def _hear(self, questions: list[Question]) -> tuple[Segment, ...]:
        if not questions:
            return ()
        started = time.perf_counter()
        prepared = self._ear.prepare(questions)
        features = prepared.features
        extracted = time.perf_counter()
        answers = self._engine.infer(features) if len(features) else features[:, 0]
        self._features_s += extracted - started
        self._inference_s += time.perf_counter() - extracted
        return self._ear.take(prepared, answers)
