"""What a set of predictions is worth: recall, calibration, and how sure one can be of both.

Pure numpy on ``truth`` (``int[n]``, indices of emotions) and ``probabilities`` (``float[n, emotions]``);
every figure that this project states comes out of here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.integer]
Probabilities = NDArray[np.floating]

ECE_BINS: Final = 15

FEW_SPEAKERS: Final = 8
"""Of fewer, an interval over speakers says nothing: of two, it is the worse and the better one."""


def confusion(truth: Truth, predicted: Truth, n_classes: int) -> NDArray[np.int64]:
    """Counts, ``int[n_classes, n_classes]``: rows are the truth, columns the prediction."""
    flat = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def recalls(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall of each class; NaN for a class that never occurred."""
    support = matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / np.where(support, support, np.nan)


def uar(matrix: NDArray[np.int64]) -> float:
    """Unweighted average recall: the mean over the classes that occurred."""
    return float(np.nanmean(recalls(matrix)))


def accuracy(matrix: NDArray[np.int64]) -> float:
    """The share that was right."""
    return float(np.trace(matrix) / matrix.sum())


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """The mean of the harmonic means of precision and recall, of the classes that occurred or were predicted.

    It is 0 for a class that was predicted and never occurred, as scikit-learn has it.
    """
    hits = np.diag(matrix)
    either = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(np.mean(2 * hits[either > 0] / either[either > 0]))


def ece(truth: Truth, probabilities: Probabilities, n_bins: int = ECE_BINS) -> float:
    """Expected calibration error of the top class over equal-width bins (Guo et al. 2017).

    https://arxiv.org/abs/1706.04599
    """
    _, counts, confidences, accuracies = reliability(truth, probabilities, n_bins)
    return float(np.sum(counts * np.abs(accuracies - confidences)) / counts.sum())


def reliability(
    truth: Truth, probabilities: Probabilities, n_bins: int = ECE_BINS
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """What a reliability diagram shows: bin edges, and in each bin count, mean confidence, accuracy."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    index = _bins(confidence, n_bins)
    counts = np.bincount(index, minlength=n_bins)
    sizes = np.maximum(counts, 1)
    mean_confidence = np.bincount(index, weights=confidence, minlength=n_bins) / sizes
    mean_accuracy = np.bincount(index, weights=correct, minlength=n_bins) / sizes
    return _edges(n_bins), counts, mean_confidence, mean_accuracy


def _edges(n_bins: int) -> NDArray[np.float64]:
    return np.linspace(0, 1, n_bins + 1)


def _bins(confidence: Probabilities, n_bins: int) -> NDArray[np.intp]:
    """Which bin each is in: open on the left, as in the paper, so that exactly 1 is in the last."""
    return np.clip(np.searchsorted(_edges(n_bins), confidence, side="left") - 1, 0, n_bins - 1)


def ece_by_chance(
    probabilities: Probabilities, n_bins: int = ECE_BINS, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """The ECE of a model that is right exactly as often as it says, on as many clips: mean and 95 % of draws.

    Bins of a finite sample stray from their mean, so that no ECE is 0 ("consistency bars", Bröcker and
    Smith 2007, https://doi.org/10.1175/WAF993.1).
    """
    confidence = probabilities.max(axis=1)
    index = _bins(confidence, n_bins)
    right = np.random.default_rng(seed).random((draws, len(confidence))) < confidence
    gaps = [(right - confidence)[:, index == each].sum(axis=1) for each in range(n_bins)]
    found = np.abs(gaps).sum(axis=0) / len(confidence)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(found.mean()), float(low), float(high)


def bootstrap_uar(
    truth: Truth,
    predicted: Truth,
    speakers: Sequence[str],
    n_classes: int,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95 % interval of the UAR over speakers drawn with replacement (percentile bootstrap).

    The speaker is the unit, not the clip: clips of one person are right or wrong together. Of fewer than
    `FEW_SPEAKERS` there is none.
    """
    names = sorted(set(speakers))
    if len(names) < FEW_SPEAKERS:
        return None
    owner = np.array([names.index(speaker) for speaker in speakers])
    by_speaker = np.stack(
        [
            confusion(truth[owner == index], predicted[owner == index], n_classes)
            for index in range(len(names))
        ]
    )
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    matrices = np.einsum("ds,sij->dij", weights, by_speaker)
    support = matrices.sum(axis=2)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):
        scores = np.nanmean(hits / np.where(support, support, np.nan), axis=1)
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)
