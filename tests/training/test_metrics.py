"""The figures against other people's arithmetic, and against cases that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import metrics


def draw(seed, n=200, classes=5):
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=n)
    logits = generator.normal(size=(n, classes)) + 1.5 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, probabilities


def test_confusion_by_hand():
    matrix = metrics.confusion(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert metrics.recalls(matrix).tolist() == pytest.approx([0.5, 1, 2 / 3])
    assert metrics.uar(matrix) == pytest.approx((0.5 + 1 + 2 / 3) / 3)
    assert metrics.accuracy(matrix) == pytest.approx(4 / 6)
    assert metrics.macro_f1(matrix) == pytest.approx((0.5 + 2 / 3 + 0.8) / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("unheard", [None, 2])
def test_like_scikit_learn(seed, unheard):
    sklearn = pytest.importorskip("sklearn.metrics")
    truth, probabilities = draw(seed)
    predicted = probabilities.argmax(axis=1)
    if unheard is not None:  # a class that neither occurs nor is predicted
        kept = (truth != unheard) & (predicted != unheard)
        truth, predicted = truth[kept], predicted[kept]
    matrix = metrics.confusion(truth, predicted, 5)
    np.testing.assert_array_equal(
        matrix, sklearn.confusion_matrix(truth, predicted, labels=range(5))
    )
    assert metrics.uar(matrix) == pytest.approx(sklearn.balanced_accuracy_score(truth, predicted))
    assert metrics.macro_f1(matrix) == pytest.approx(
        sklearn.f1_score(truth, predicted, average="macro")
    )


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    matrix = metrics.confusion(np.array([0, 1]), np.array([0, 0]), 3)
    assert metrics.uar(matrix) == 0.5
    assert metrics.macro_f1(matrix) == pytest.approx((2 / 3 + 0) / 2)


@pytest.mark.parametrize("n_speakers", [1, 2, 7])
def test_a_few_speakers_have_no_interval(n_speakers):
    truth, probabilities = draw(0)
    predicted = probabilities.argmax(axis=1)
    speakers = [f"mine/{index % n_speakers}" for index in range(len(truth))]
    assert metrics.bootstrap_uar(truth, predicted, speakers, 5) is None


def test_ece_of_one_bin_by_hand():
    # Four answers at 0.9, three of them right: |0.75 - 0.9|.
    probabilities = np.tile([0.9, 0.1], (4, 1))
    assert metrics.ece(np.array([0, 0, 0, 1]), probabilities) == pytest.approx(0.15)


def test_ece_weighs_bins_by_their_clips():
    probabilities = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
    truth = np.array([0, 0, 0, 1])
    assert metrics.ece(truth, probabilities) == pytest.approx(0.75 * 0.1 + 0.25 * 0.6)


def test_ece_of_honest_probabilities_is_small_and_of_boasting_ones_is_not():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 50_000)
    truth = (generator.uniform(size=50_000) > confidence).astype(int)
    honest = np.stack([confidence, 1 - confidence], axis=1)
    boasting = np.stack([np.full(50_000, 0.99), np.full(50_000, 0.01)], axis=1)
    assert metrics.ece(truth, honest) < 0.01
    assert metrics.ece(truth, boasting) > 0.2


def test_what_chance_leaves_of_an_ece():
    """As drawn clip by clip, through `metrics.ece` itself; and less of it with more clips."""
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 300)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    drawn = [
        metrics.ece((generator.uniform(size=300) > confidence).astype(int), probabilities)
        for _ in range(1000)
    ]
    mean, low, high = metrics.ece_by_chance(probabilities)
    assert mean == pytest.approx(np.mean(drawn), rel=0.03)
    assert (low, high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), rel=0.1)
    assert metrics.ece_by_chance(np.repeat(probabilities, 16, axis=0))[0] == pytest.approx(
        mean / 4, rel=0.1
    )


@given(st.integers(0, 1000))
def test_reliability_counts_every_clip_once(seed):
    truth, probabilities = draw(seed, n=50)
    _, counts, confidences, accuracies = metrics.reliability(truth, probabilities)
    assert counts.sum() == 50
    assert np.sum(counts * confidences) == pytest.approx(probabilities.max(axis=1).sum())
    assert np.sum(counts * accuracies) == pytest.approx(
        (probabilities.argmax(axis=1) == truth).sum()
    )


def test_bootstrap_covers_and_follows_the_speakers():
    truth, probabilities = draw(1, n=600)
    predicted = probabilities.argmax(axis=1)
    speakers = [f"s{index % 12}" for index in range(600)]
    low, high = metrics.bootstrap_uar(truth, predicted, speakers, 5)
    assert low < metrics.uar(metrics.confusion(truth, predicted, 5)) < high
    assert metrics.bootstrap_uar(truth, predicted, speakers, 5) == (low, high)
    # One speaker in twelve is always wrong: the interval has to know of it.
    spoilt = np.where(np.arange(600) % 12 == 0, (truth + 1) % 5, truth)
    wide = metrics.bootstrap_uar(truth, spoilt, speakers, 5)
    assert wide[1] - wide[0] > 0.15
