"""Two models on the same people: known differences, and none."""

import numpy as np
import pytest

from tests.support.commands import undertone_train
from training import predictions
from training.errors import RunError
from training.metrics import confusion, uar
from training.paired import paired
from training.predictions import Predictions

EMOTIONS = ("happy", "sad", "angry")


def table(right, *, seeds=(0,), people=12, clips=30, seed=0):
    """Predictions that are right with that probability, person by person."""
    generator = np.random.default_rng(seed)
    n = people * clips
    truth = np.tile(np.arange(n) % 3, len(seeds))
    chance = np.repeat(np.broadcast_to(right, people), clips)
    hit = generator.random(n * len(seeds)) < np.tile(chance, len(seeds))
    answer = np.where(hit, truth, (truth + 1) % 3)
    rows = n * len(seeds)
    return Predictions(
        emotions=EMOTIONS,
        protocol=("p",) * rows,
        fold=("1",) * rows,
        seed=np.repeat(seeds, n),
        revision=("r",) * rows,
        file=tuple(str(index) for index in range(n)) * len(seeds),
        speaker=tuple(f"s/{index // clips:02d}" for index in range(n)) * len(seeds),
        truth=truth,
        temperature=np.ones(rows),
        probabilities=np.eye(3)[answer],
    )


def test_figures_are_the_mean_uar_of_the_seeds():
    one, other = table(0.8, seeds=(0, 1, 2)), table(0.5, seeds=(0, 1), seed=9)
    found = paired(one, other)
    for model, mean in ((one, found.first), (other, found.second)):
        each = [model.of_seed(seed) for seed in model.seeds]
        scores = [uar(confusion(m.truth, m.probabilities.argmax(axis=1), 3)) for m in each]
        assert mean == pytest.approx(np.mean(scores))
    assert found.n_speakers == 12


def test_a_clear_difference_is_one_and_its_interval_holds_it():
    found = paired(table(0.8), table(0.5, seed=9))
    assert found.difference == pytest.approx(0.3, abs=0.1)
    assert found.ci95[0] < found.difference < found.ci95[1]
    assert found.ci95[0] > 0
    assert found.p < 0.01
    swapped = paired(table(0.5, seed=9), table(0.8))
    assert swapped.difference == pytest.approx(-found.difference)


def test_a_model_is_no_better_than_itself():
    found = paired(table(0.6), table(0.6))
    assert found.difference == 0
    assert found.ci95 == (0, 0)
    assert found.p == 1


def test_the_same_skill_is_rarely_called_different():
    ps = [paired(table(0.6, seed=2 * k), table(0.6, seed=2 * k + 1)).p for k in range(60)]
    assert np.mean(np.array(ps) < 0.05) <= 0.15
    assert 0.3 < np.median(ps) < 0.7


def test_other_clips_cannot_be_paired():
    with pytest.raises(RunError, match="same clips"):
        paired(table(0.6), table(0.6, clips=33))


def test_the_command_compares_what_lies_in_two_bundles(tmp_path):
    for name, model in (("good", table(0.8)), ("bad", table(0.5, seed=9))):
        (tmp_path / name / "crossval").mkdir(parents=True)
        predictions.write(tmp_path / name / "crossval" / "predictions.csv", model)
    printed = undertone_train("pair", "good", "bad", "--models", tmp_path).stdout
    assert f"{paired(table(0.8), table(0.5, seed=9)).difference:+.3f}" in printed
    assert (
        undertone_train("pair", "good", "none", "--models", tmp_path, check=False).returncode == 1
    )
