"""What recipes without a model reached follows from committed predictions, too."""

import json
from pathlib import Path

import numpy as np
import pytest

from training import corpora, predictions, recipe, splits
from training.crossval import PREDICTIONS, RECIPE, VALIDATION
from training.evaluate import evaluate
from training.standings import REPORTS, reports

MODELS = Path(__file__).resolve().parents[2] / "models"
REPORTED = reports(MODELS)

each_report = pytest.mark.parametrize("name", REPORTED)


def folder(name):
    return MODELS / REPORTS / name / "random"


@each_report
def test_every_metric_is_recomputed(name):
    claimed = REPORTED[name]
    again = evaluate(
        predictions.read(folder(name) / PREDICTIONS),
        protocol=claimed.protocol,
        command=claimed.command,
        file=claimed.predictions,
    )
    assert again.accuracy == pytest.approx(claimed.accuracy, abs=1e-9)
    assert again.uar == pytest.approx(claimed.uar, abs=1e-9)
    assert again.confusion == claimed.confusion
    assert (again.n_clips, again.seeds) == (claimed.n_clips, claimed.seeds)


@each_report
def test_it_is_of_the_recipe_as_it_is(name):
    kept = json.loads((folder(name) / RECIPE).read_text())
    assert recipe.Recipe.model_validate(kept) == recipe.load(name)


@each_report
def test_a_fifth_was_tested_and_chose_nothing(name):
    table = predictions.read(folder(name) / PREDICTIONS)
    for seed in table.seeds:
        tested = table.of_seed(seed).file
        validated = predictions.read(folder(name) / VALIDATION).of_seed(seed).file
        assert not set(tested) & set(validated)
        assert len(set(tested)) == len(tested)
        assert 2.4 < len(tested) / len(validated) < 2.6


def test_what_repetitions_are_worth_is_what_the_guide_says():
    table = predictions.read(folder("ravdess-known-3-blstm") / PREDICTIONS)
    right = dict(zip(table.file, table.probabilities.argmax(axis=1) == table.truth, strict=True))
    known = [right[name] for name in right if repetition(name) not in right]
    others = [right[name] for name in right if repetition(name) in right]
    guide = " ".join((MODELS.parent / "docs" / "training.md").read_text().split())
    assert f"Of the {len(known)} of them" in guide
    assert (
        f"{np.mean(known):.3f} are right; of the other {len(others)}, {np.mean(others):.3f}"
        in guide
    )


def repetition(name):
    """The clip in which the same actor says the same once more (RAVDESS counts them in the sixth place)."""
    parts = name.split("-")
    parts[5] = {"01": "02", "02": "01"}[parts[5]]
    return "-".join(parts)


@pytest.mark.recordings
@each_report
def test_the_split_is_what_the_seed_draws(name, recordings):
    table = predictions.read(folder(name) / PREDICTIONS)
    clips = corpora.read(recipe.load(name).corpora[0], recordings)
    for seed in table.seeds:
        drawn = {clip.name for clip in splits.random(clips, int(seed)).test}
        assert set(table.of_seed(seed).file) == drawn
