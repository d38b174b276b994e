import numpy as np
import pytest

from training import predictions
from training.errors import RunError
from training.evaluate import evaluate
from training.predictions import Predictions


def table(seed=0, folds=("1", "2"), n=40, sharpness=1.0):
    generator = np.random.default_rng(seed)
    emotions = ("happy", "sad", "calm")
    truth = generator.integers(3, size=n)
    logits = generator.normal(size=(n, 3)) + sharpness * np.eye(3)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(
        emotions=emotions,
        protocol=("ravdess/emobox-6fold",) * n,
        fold=tuple(folds[index % len(folds)] for index in range(n)),
        seed=np.full(n, seed, dtype=np.int64),
        revision=("abc",) * n,
        file=tuple(f"clip-{index}" for index in range(n)),
        speaker=tuple(f"ravdess/{index % 8:02d}" for index in range(n)),
        truth=truth,
        temperature=np.full(n, 1.25),
        probabilities=probabilities,
    )


def test_what_is_written_is_read(tmp_path):
    original = table()
    predictions.write(tmp_path / "p.csv", original)
    again = predictions.read(tmp_path / "p.csv")
    np.testing.assert_allclose(again.probabilities, original.probabilities, atol=1e-7)
    np.testing.assert_array_equal(again.truth, original.truth)
    for column in ("emotions", "fold", "file", "speaker", "revision", "protocol"):
        assert getattr(again, column) == getattr(original, column)


def test_what_is_no_table(tmp_path):
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RunError, match="columns are a, b"):
        predictions.read(tmp_path / "p.csv")
    with pytest.raises(RunError, match="no predictions there"):
        predictions.read(tmp_path / "nothing.csv")


def test_tables_stack_and_come_apart():
    both = predictions.concatenate([table(0), table(1)])
    assert both.seeds == (0, 1)
    assert both.folds == ("1", "2")
    one = both.of_seed(1)
    np.testing.assert_array_equal(one.probabilities, table(1).probabilities)
    assert len(one.of_fold("2")) == 20


def test_evaluate_states_the_first_seed_and_the_spread_of_all():
    stacked = predictions.concatenate([table(0), table(1), table(2)])
    metrics = evaluate(stacked, protocol="p", command="c", file="f")
    scores = metrics.uar_per_seed
    assert metrics.uar == scores[0]
    assert metrics.uar_sd == pytest.approx(np.std(scores, ddof=1))
    assert metrics.n_clips == 40
    assert metrics.n_speakers == 8
    assert set(metrics.fold_uar) == {"1", "2"}
    assert metrics.uar_ci95[0] < metrics.uar < metrics.uar_ci95[1]
    assert metrics.uar == pytest.approx(np.mean(list(metrics.per_class_recall.values())))


def test_one_seed_has_no_spread():
    metrics = evaluate(table(), protocol="p", command="c", file="f")
    assert metrics.uar_sd is None
    assert metrics.fold_uar_sd is None
