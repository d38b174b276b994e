"""Networks that are trained again, once more, or by others."""

import json

import numpy as np
import pytest

from tests.support.commands import settings, undertone_train
from training import history, predictions


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(trained, tmp_path):
    root, _ = trained
    where = ["--data", root / "data", "--out", tmp_path, "--fold", "3"]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *settings(), counted=False)
    run = "ravdess-conv-blstm/unseen/fold-3-seed-0"
    first, again = (folder / run for folder in (root / "runs", tmp_path))
    for name in ("history.csv", "test.csv", "validation.csv"):
        assert (first / name).read_text() == (again / name).read_text()


@pytest.mark.slow
def test_members_are_trained_anew_on_validation_speakers_who_have_had_their_say(trained, tmp_path):
    root, _ = trained
    where = ["--data", root / "data", "--out", tmp_path / "anew", "--fold", "1", *settings()]
    undertone_train(
        "crossval", "ravdess-conv-blstm", *where, "--set", "retrain=true", counted=False
    )
    once, anew = (
        folder / "ravdess-conv-blstm" / "unseen" / "fold-1-seed-0"
        for folder in (root / "runs", tmp_path / "anew")
    )
    first, again = (
        json.loads((anew / name / "done.json").read_text())
        for name in ("member-0", "member-0-anew")
    )
    assert again["epochs"] == first["best_epoch"]
    assert again["validation_uar"] is None
    # Validation is of the first networks, so it is what it was; the test is of those that came after.
    one, other = (predictions.read(folder / "validation.csv") for folder in (once, anew))
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    one, other = (predictions.read(folder / "test.csv") for folder in (once, anew))
    assert one.file == other.file
    assert not np.allclose(one.probabilities, other.probabilities, atol=1e-4)
    metrics = json.loads((anew.parent / "metrics.json").read_text())
    assert "trained once more with the validation clips" in metrics["protocol"]


@pytest.mark.slow
def test_teachers_are_trained_before_those_who_learn_from_them(trained, tmp_path):
    root, _ = trained
    where = ["--data", root / "data", "--out", tmp_path, "--fold", "1", *settings()]
    how = ("schedule.keep='last'", "distillation.teachers=1", "distillation.epochs=3")
    sets = [word for each in how for word in ("--set", each)]
    undertone_train("crossval", "ravdess-conv-blstm", *where, *sets, counted=False)
    run = tmp_path / "ravdess-conv-blstm" / "unseen" / "fold-1-seed-0"
    epochs = {
        name: len(history.read(run / name / "history.csv")[0]) for name in ("teacher-0", "member-0")
    }
    assert epochs == {"teacher-0": 2, "member-0": 3}
    done = [json.loads((run / name / "done.json").read_text()) for name in epochs]
    assert done[0]["seed"] != done[1]["seed"]
    metrics = json.loads((run.parent / "metrics.json").read_text())
    assert "learnt from 1 that were trained before it on the same clips" in metrics["protocol"]
