"""When a model should rather say that it does not know: a threshold on how sure it is.

Selective classification: Geifman and El-Yaniv (2017), https://arxiv.org/abs/1705.08500.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.metrics import Probabilities, Truth
from training.predictions import Predictions

COVERAGE: Final = 0.8
"""The share of validation clips of which a model is sure enough."""


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """How often a model is right where it answers only what it is surest of.

    Attributes:
        coverage: ``float[n]``, the share that is answered, growing to 1.
        accuracy: ``float[n]``, of those.
    """

    coverage: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def at(self, coverage: float) -> float:
        """The accuracy at a coverage."""
        return float(self.accuracy[np.searchsorted(self.coverage, coverage - 1e-9)])


def threshold(validation: Predictions) -> float:
    """The probability of the likeliest emotion that all but a fifth of the validation clips reach."""
    confidence = validation.probabilities.max(axis=1)
    return float(np.quantile(confidence, 1 - COVERAGE))


def risk_coverage(truth: Truth, probabilities: Probabilities) -> RiskCoverage:
    """The curve, from ``int[n]`` and ``float[n, emotions]``: the surest clip first."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    answered = np.arange(1, len(right) + 1)
    return RiskCoverage(answered / len(right), np.cumsum(right) / answered)
