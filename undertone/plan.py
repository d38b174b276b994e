"""What is asked about a recording that is all there, and what its answers add up to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from undertone.audio import Audio, Notice
from undertone.bundle import Manifest
from undertone.features import extract_all
from undertone.prediction import Prediction, Timing, conclude, segment
from undertone.spec import Spec
from undertone.speech import heed, judge
from undertone.timeline import Grid, Span

BATCH: Final = 32
"""Windows whose features are held at a time: ten minutes have 1200."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of a recording.

    Attributes:
        asked: those that the network is asked about, each once.
        votes: those of them that count for the answer to the whole.
        shown: those that become segments, each with why nothing is heard in it, or None; None where
            no segments were asked for.
        warnings: what to say about the recording.
    """

    asked: tuple[Span, ...]
    votes: tuple[Span, ...]
    shown: tuple[tuple[Span, str | None], ...] | None
    warnings: tuple[Notice, ...]

    @property
    def batches(self) -> Iterator[tuple[Span, ...]]:
        """``asked``, as many as are asked about at a time."""
        return (self.asked[start : start + BATCH] for start in range(0, len(self.asked), BATCH))

    def conclude(
        self,
        manifest: Manifest,
        audio: Audio,
        answers: Iterable[NDArray[np.float32]],
        timing: Timing,
    ) -> Prediction:
        """The answer, from ``float32[n, emotions]`` for each of the ``batches``."""
        rows = [row for batch in answers for row in batch]
        heard = dict(zip(self.asked, rows, strict=True))
        if self.warnings:
            audio = replace(audio, warnings=audio.warnings + self.warnings)
        votes = [heard[span] for span in self.votes]
        if self.shown is None:
            return conclude(manifest, audio, votes, timing)
        segments = tuple(
            segment(manifest, span, None if reason else heard[span], reason)
            for span, reason in self.shown
        )
        return conclude(manifest, audio, votes, timing, segments)


def make_plan(samples: NDArray[np.float32], spec: Spec, *, segments: bool) -> Plan:
    """What to ask about a recording, ``float32[n]`` at the spec's rate.

    Raises:
        NoSpeech: nobody speaks in it.
    """
    grid, n_samples = Grid.of(spec), samples.size
    votes = grid.voters(n_samples)
    shown = grid.spans(n_samples) if segments else ()
    verdicts = {span: judge(samples[slice(*span)], spec.sr) for span in {*votes, *shown}}
    warnings = heed(verdicts[span] for span in votes)

    def heard(spans: Iterable[Span]) -> tuple[Span, ...]:
        return tuple(span for span in spans if verdicts[span].reason is None)

    return Plan(
        asked=heard(dict.fromkeys((*shown, *votes))),
        votes=heard(votes),
        shown=tuple((span, verdicts[span].reason) for span in shown) if segments else None,
        warnings=warnings,
    )


def prepare(samples: NDArray[np.float32], spans: Sequence[Span], spec: Spec) -> NDArray[np.float32]:
    """The features of some windows of a recording, ``float32[len(spans), frames, width]``."""
    return extract_all((samples[start:end] for start, end in spans), spec)
