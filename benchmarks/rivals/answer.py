"""What every one of them answers, and the parts of the library that all but the usual way are built from."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import benchmarks
from undertone import audio
from undertone.classifier import Classifier
from undertone.plan import make_plan, prepare

MODEL = Path(os.environ.get("MODEL", benchmarks.MODEL))


def features_of(data: bytes, classifier: Classifier) -> NDArray[np.float32]:
    """``float32[1, frames, width]`` of a clip of up to six seconds: one window holds all of it."""
    sound = audio.decode(data, classifier.spec.sr)
    plan = make_plan(sound.samples, classifier.spec, segments=False)
    return prepare(sound.samples, next(plan.batches), classifier.spec)


def answer(probabilities: NDArray[np.float32], emotions: tuple[str, ...]) -> dict[str, Any]:
    """``float32[emotions]`` as JSON."""
    order = np.argsort(-probabilities)
    scores = [{"label": emotions[at], "score": float(probabilities[at])} for at in order]
    return {"label": scores[0]["label"], "probabilities": scores}
