"""The classifier in BentoML, with its batching: ``bentoml serve benchmarks.rivals.bento:Emotion``."""

import os
from pathlib import Path
from typing import Any

import bentoml
import numpy as np

import undertone
from benchmarks.rivals.answer import MODEL, answer, features_of


@bentoml.service(workers=1)
class Network:
    """The network, which takes what comes within a few milliseconds together."""

    def __init__(self) -> None:
        self.classifier = undertone.load(MODEL, threads=1)

    @bentoml.api(batchable=True, max_batch_size=32)
    def infer(self, features: np.ndarray) -> np.ndarray:
        """``float32[n, frames, width]`` to ``float32[n, emotions]``."""
        return self.classifier.engine.infer(features)


@bentoml.service(workers=os.cpu_count() or 1)
class Emotion:
    """Sound to features, each clip by itself."""

    network = bentoml.depends(Network)

    def __init__(self) -> None:
        self.classifier = undertone.load(MODEL, threads=1)

    @bentoml.api
    def predict(self, file: Path) -> dict[str, Any]:
        """The emotion in a recording."""
        features = features_of(file.read_bytes(), self.classifier)
        (probabilities,) = self.network.infer(features)
        return answer(np.asarray(probabilities), self.classifier.manifest.emotions)
