"""Predictions to the figures of a manifest."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.calibrate import uncalibrated
from training.predictions import Predictions
from undertone.bundle import Metrics


def evaluate(predictions: Predictions, *, protocol: str, command: str, file: str) -> Metrics:
    """Everything that is stated about one protocol, from its predictions per clip.

    UAR and accuracy are of the first seed, on predictions pooled over folds; so are recalls, confusion,
    calibration and interval: they belong to one set of models. The spread over seeds stands beside.

    Args:
        predictions: test clips of all folds and seeds.
        protocol: what was held out from what, in words.
        command: what to type to get the figures again.
        file: where the predictions are, relative to the bundle.
    """
    seeds = predictions.seeds
    first = predictions.of_seed(seeds[0])
    n_classes = len(first.emotions)
    predicted = first.probabilities.argmax(axis=1)
    matrix = metrics.confusion(first.truth, predicted, n_classes)
    per_seed = [uar_of(predictions.of_seed(seed)) for seed in seeds]
    accuracies = [metrics.accuracy(_confusion(predictions.of_seed(seed))) for seed in seeds]
    recalls = dict(zip(first.emotions, metrics.recalls(matrix).tolist(), strict=True))
    per_fold = [
        [uar_of(predictions.of_seed(seed).of_fold(fold)) for seed in seeds]
        for fold in predictions.folds
    ]
    return Metrics(
        uar=metrics.uar(matrix),
        accuracy=metrics.accuracy(matrix),
        macro_f1=metrics.macro_f1(matrix),
        uar_ci95=metrics.bootstrap_uar(first.truth, predicted, first.speaker, n_classes),
        per_class_recall={name: value for name, value in recalls.items() if not np.isnan(value)},
        confusion=matrix.tolist(),
        ece=metrics.ece(first.truth, first.probabilities),
        ece_before=metrics.ece(first.truth, uncalibrated(first.probabilities, first.temperature)),
        n_clips=len(first),
        n_speakers=len(set(first.speaker)),
        seeds=seeds,
        uar_per_seed=tuple(per_seed),
        uar_sd=_spread([per_seed]),
        accuracy_per_seed=tuple(accuracies),
        fold_uar={
            fold: scores[0] for fold, scores in zip(predictions.folds, per_fold, strict=True)
        },
        fold_uar_sd=_spread(per_fold),
        protocol=protocol,
        command=command,
        predictions=file,
    )


def uar_of(predictions: Predictions) -> float:
    """The UAR of all rows together."""
    return metrics.uar(_confusion(predictions))


def _confusion(predictions: Predictions) -> NDArray[np.int64]:
    predicted = predictions.probabilities.argmax(axis=1)
    return metrics.confusion(predictions.truth, predicted, len(predictions.emotions))


def _spread(groups: Sequence[Sequence[float]]) -> float | None:
    """The SD within groups, pooled over them (each group's sample variance, averaged)."""
    if min(len(group) for group in groups) < 2:
        return None
    return float(np.sqrt(np.mean([np.var(group, ddof=1) for group in groups])))
