"""A cross-validation that nobody ran, with figures that are easy to count."""

import numpy as np

from training.clip import Clip
from training.crossval import Crossval
from training.evaluate import evaluate
from training.predictions import Predictions
from training.protocols import protocol

EMOTIONS = ("happy", "sad")
CLIPS = tuple(
    Clip(None, f"{actor:02d}-{emotion}", "ravdess", f"ravdess/{actor:02d}", emotion, "")
    for actor in range(1, 25)
    for emotion in EMOTIONS
)


def _predictions(measured, side, right, seed):
    """One row a clip and a fold; ``right`` says of a speaker's number whether sadness is heard, too."""
    rows = [
        (fold, clip)
        for fold in measured.folds
        for clip in getattr(measured.split(fold, seed), side)
    ]
    n = len(rows)
    numbers = [int(clip.speaker[-2:]) for _, clip in rows]
    truth = np.array([EMOTIONS.index(clip.emotion) for _, clip in rows])
    heard = np.where([right(number) for number in numbers], truth, 0)
    return Predictions(
        emotions=EMOTIONS,
        protocol=(measured.name,) * n,
        fold=tuple(fold for fold, _ in rows),
        seed=np.full(n, seed),
        revision=("r",) * n,
        file=tuple(clip.name for _, clip in rows),
        speaker=tuple(clip.speaker for _, clip in rows),
        truth=truth,
        temperature=np.ones(n),
        probabilities=np.where(np.arange(2) == heard[:, None], 0.9, 0.1),
    )


def evidence(right, kind="unseen", seed=0):
    """A finished cross-validation of RAVDESS's 24, in which ``right`` says whose sadness is heard."""
    measured = protocol(kind, ["ravdess"], CLIPS)
    test = _predictions(measured, "test", right, seed)
    validation = _predictions(measured, "validation", right, seed)
    metrics = evaluate(test, protocol=measured.description, command="undertone-train", file="p.csv")
    return Crossval(None, EMOTIONS, measured, metrics, test, validation)
