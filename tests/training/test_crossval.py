"""Figures of a cross-validation are of the clips that are there, and name the command that makes them."""

import numpy as np
import pytest

from tests.support.ravdess import write_ravdess
from training import corpora, crossval, predictions, recipe
from training.clip import Clip
from training.errors import RunError
from training.predictions import Predictions
from training.protocols import protocol

RECIPE = recipe.load("ravdess-conv-blstm")
SEEDS = (0,)


def answers(clips: tuple[Clip, ...], fold: str) -> Predictions:
    """Everybody heard rightly."""
    n = len(clips)
    truth = np.array([RECIPE.emotions.index(clip.emotion) for clip in clips])
    return Predictions(
        emotions=RECIPE.emotions,
        protocol=("p",) * n,
        fold=(fold,) * n,
        seed=np.zeros(n, np.int64),
        revision=("abc",) * n,
        file=tuple(clip.name for clip in clips),
        speaker=tuple(clip.speaker for clip in clips),
        truth=truth,
        temperature=np.ones(n),
        probabilities=np.eye(len(RECIPE.emotions))[truth],
    )


@pytest.fixture
def finished(tmp_path):
    """A protocol, and the folder of its runs."""
    write_ravdess(tmp_path / "data" / "ravdess")
    measured = protocol("unseen", ["ravdess"], corpora.read("ravdess", tmp_path / "data"))
    for fold in measured.folds:
        folder = crossval.run_folder(tmp_path / "runs", fold, 0)
        folder.mkdir(parents=True)
        split = measured.split(fold, 0)
        predictions.write(folder / crossval.TEST, answers(split.test, fold))
        predictions.write(folder / crossval.VALIDATION, answers(split.validation, fold))
    return measured, tmp_path / "runs"


def test_finished_runs_are_pooled(finished):
    measured, runs = finished
    found = crossval.collect(RECIPE, measured, "unseen", runs, measured.folds, SEEDS)
    assert found.metrics.n_clips == 24 * 8
    assert found.metrics.uar == 1
    assert found.metrics.command == "undertone-train crossval ravdess-conv-blstm --seed 0"


@pytest.mark.parametrize("change", ["came", "went", "is labelled otherwise"])
def test_runs_that_tested_other_clips_are_refused(finished, tmp_path, change):
    _, runs = finished
    (clip,) = (tmp_path / "data" / "ravdess" / "Actor_09").glob("03-01-03-*")
    match change:
        case "came":
            (clip.parent / clip.name.replace("-01-09.", "-02-09.")).write_bytes(b"another")
        case "went":
            clip.unlink()
        case _:
            clip.rename(clip.parent / clip.name.replace("03-01-03", "03-01-04"))
    now = protocol("unseen", ["ravdess"], corpora.read("ravdess", tmp_path / "data"))
    with pytest.raises(RunError, match="fold-3-seed-0 tested other clips than are there now"):
        crossval.collect(RECIPE, now, "unseen", runs, now.folds, SEEDS)


def test_the_command_of_a_recipe_of_ones_own_names_its_file_and_what_was_replaced():
    own = RECIPE.model_copy(update={"name": "mine"})
    words = crossval.command(own, "random", (), (1, 2), ["schedule.epochs=2"])
    assert words == (
        "undertone-train crossval mine.toml --protocol random --seed 1 --seed 2 "
        "--set schedule.epochs=2"
    )
