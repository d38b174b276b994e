"""The whole path, through the command: recordings in, a bundle that answers out."""

import json
import subprocess
import sys

import numpy as np
import pytest

import undertone
from tests.support.ravdess import buzz, write_ravdess
from training import predictions, recipe
from training.evaluate import evaluate
from undertone.bundle import Metrics, open_bundle

TINY = [
    "network.channels=[2, 4, 4]",
    "network.lstm=4",
    "augmentation.variants=1",
    "schedule.epochs=2",
    "schedule.warmup_epochs=0",
    "members=1",
]


def undertone_train(*arguments, check=True):
    command = [sys.executable, "-c", "from training.cli import app; app()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def settings():
    return [word for override in TINY for word in ("--set", override)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A cross-validation of all folds and the model fitted after it, on a corpus of buzzes."""
    root = tmp_path_factory.mktemp("training")
    write_ravdess(root / "data" / "ravdess")
    where = ["--data", root / "data", "--out", root / "runs"]
    printed = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings()).stdout
    undertone_train("fit", "ravdess-conv-blstm", *where, "--models", root / "models", *settings())
    return root, printed


@pytest.mark.slow
def test_crossval_says_what_it_wrote(trained):
    root, printed = trained
    folder = root / "runs" / "ravdess-conv-blstm" / "unseen"
    metrics = Metrics.model_validate_json((folder / "metrics.json").read_text())
    assert f"UAR {metrics.uar:.3f}" in printed
    table = predictions.read(folder / "predictions.csv")
    assert len(table) == metrics.n_clips == 24 * 8
    assert metrics.n_speakers == 24
    assert metrics == evaluate(
        table, protocol=metrics.protocol, command=metrics.command, file=metrics.predictions
    )


@pytest.mark.slow
def test_the_fitted_bundle_opens_and_answers(trained):
    root, _ = trained
    model = undertone.load(root / "models" / "undertone-ravdess")
    prediction = model.predict(buzz(5, 1.0, seed=1), sr=16_000)
    assert {emotion.label for emotion in prediction.probabilities} == set(model.manifest.emotions)
    metrics = model.manifest.metrics["ravdess/emobox-6fold"]
    card = (model.bundle.path / "README.md").read_text()
    assert f"**{metrics.uar:.3f}**" in card
    assert "forbids" in card
    for figure in ("confusion_matrix.png", "recall.png", "reliability.png"):
        assert figure in card
        assert (model.bundle.path / figure).stat().st_size > 5_000
    resolved = json.loads((model.bundle.path / "crossval" / "recipe.json").read_text())
    assert resolved == recipe.load("ravdess-conv-blstm", TINY).model_dump(mode="json")


@pytest.mark.slow
def test_the_bundle_of_a_fold_gives_the_predictions_of_its_csv(trained):
    root, _ = trained
    evidence = root / "models" / "undertone-ravdess" / "crossval"
    model = undertone.load(evidence / "fold-1")
    table = predictions.read(evidence / "predictions.csv").of_fold("1")
    for index in range(0, len(table), 7):
        actor = table.speaker[index].removeprefix("ravdess/")
        clip = root / "data" / "ravdess" / f"Actor_{actor}" / f"{table.file[index]}.wav"
        heard = {e.label: e.score for e in model.predict(clip.read_bytes()).probabilities}
        expected = table.probabilities[index]
        np.testing.assert_allclose([heard[name] for name in table.emotions], expected, atol=1e-5)


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(trained):
    root, printed = trained
    folder = root / "runs" / "ravdess-conv-blstm" / "unseen"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/done.json")}
    where = ["--data", root / "data", "--out", root / "runs"]
    again = undertone_train("crossval", "ravdess-conv-blstm", *where, *settings()).stdout
    assert again == printed
    assert {path: path.stat().st_mtime_ns for path in folder.glob("fold-*/done.json")} == before
    other = undertone_train(
        "crossval", "ravdess-conv-blstm", *where, "--set", "schedule.epochs=3", check=False
    )
    assert other.returncode == 1
    assert "holds a run of another recipe" in other.stderr


@pytest.mark.slow
def test_a_changed_card_is_noticed(trained):
    root, _ = trained
    path = root / "models" / "undertone-ravdess"
    card = path / "README.md"
    text = card.read_text()
    try:
        card.write_text(text.replace("UAR", "accuracy"))
        with pytest.raises(undertone.BundleError, match=r"README\.md is not the file"):
            open_bundle(path)
    finally:
        card.write_text(text)


def test_fit_needs_a_finished_crossval(tmp_path):
    write_ravdess(tmp_path / "ravdess", [1])
    done = undertone_train(
        "fit", "ravdess-conv-blstm", "--data", tmp_path, "--out", tmp_path / "runs", check=False
    )
    assert done.returncode == 1
    assert "run `undertone-train crossval` first" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_recordings_are_one_line(tmp_path):
    done = undertone_train("crossval", "ravdess-conv-blstm", "--data", tmp_path, check=False)
    assert done.returncode == 1
    assert "undertone-train download ravdess" in done.stderr
    assert "Traceback" not in done.stderr


def test_recipes_are_listed():
    assert "ravdess-conv-blstm" in undertone_train("recipes").stdout
